"""StarGAN between modalities: the published size, your own folder, and drawn streets, unpaired and paired."""

from typing import Any

from dragoman.data.modal import ModalFolder
from dragoman.methods.modal_stargan import ModalStarGANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.streets.modalities import StreetsModalities

OnFolder = Experiment[ModalStarGANConfig, ModalFolder]
OnStreets = Experiment[ModalStarGANConfig, StreetsModalities]

PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))
SMALL: dict[str, Any] = {"width": 16, "blocks": 3, "d_layers": 5, "n_critic": 1, "lr": 1e-3}
"""A narrow network; for a short run G learns at every step, at a larger rate."""


def paper() -> OnFolder:
    """The published setting for SceneNet RGB-D and SUN RGB-D: 256 x 256, three of each set a step, 200,000 steps."""
    return OnFolder(
        recipe="modal_stargan.paper", method=ModalStarGANConfig(), data=ModalFolder(size=256, seen=PAIRS),
        train=Train(steps=200_000, batch_size=6, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnFolder:
    """Your own folder (--data.root DIR) of modalities, 64 x 64, a network that also trains on a CPU."""
    return OnFolder(
        recipe="modal_stargan.folder", method=ModalStarGANConfig(**SMALL), data=ModalFolder(size=64, load_size=72),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def streets_unpaired() -> OnStreets:
    """Tables 4.4 and 4.5, "StarGAN(unpaired)": drawn streets, 64 x 64, every modality to every other."""
    return _streets("streets_unpaired")


def streets_paired() -> OnStreets:
    """Tables 4.4 and 4.5, "StarGAN(paired)": the seen translations with their true results, no way back."""
    return _streets("streets_paired", paired=True)


def tiny() -> OnStreets:
    """Two steps' worth of everything, for tests."""
    return OnStreets(
        recipe="modal_stargan.tiny",
        method=ModalStarGANConfig(width=4, downs=1, blocks=1, d_layers=3, n_critic=2),
        data=StreetsModalities(size=16, images=8, test_images=8),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip


def _streets(name: str, **changes: Any) -> OnStreets:
    return OnStreets(
        recipe=f"modal_stargan.{name}", method=ModalStarGANConfig(**SMALL, **changes),
        data=StreetsModalities(size=64, images=4000, seen=PAIRS),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip
