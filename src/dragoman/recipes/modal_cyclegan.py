"""CycleGAN between modalities: the published size, your own folder, and drawn streets."""

from typing import Any

from dragoman.data.modal import ModalFolder
from dragoman.methods.modal_cyclegan import ModalCycleGANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.streets.modalities import StreetsModalities

OnFolder = Experiment[ModalCycleGANConfig, ModalFolder]
OnStreets = Experiment[ModalCycleGANConfig, StreetsModalities]

PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))
SMALL: dict[str, Any] = {"width": 16, "blocks": 4, "d_layers": 2, "lr": 5e-4}
"""A narrow network, and a learning rate for a short run."""


def paper() -> OnFolder:
    """The published setting for SceneNet RGB-D and SUN RGB-D: 256 x 256, three of each set a step, 200,000 steps."""
    return OnFolder(
        recipe="modal_cyclegan.paper", method=ModalCycleGANConfig(), data=ModalFolder(size=256, seen=PAIRS),
        train=Train(steps=200_000, batch_size=6, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnFolder:
    """Your own folder (--data.root DIR) of modalities, 64 x 64, a network that also trains on a CPU."""
    return OnFolder(
        recipe="modal_cyclegan.folder", method=ModalCycleGANConfig(**SMALL), data=ModalFolder(size=64, load_size=72),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def streets() -> OnStreets:
    """Tables 4.4 and 4.5, "CycleGAN": drawn streets, 64 x 64, depth and segmentation of different scenes."""
    return OnStreets(
        recipe="modal_cyclegan.streets", method=ModalCycleGANConfig(**SMALL),
        data=StreetsModalities(size=64, images=4000, seen=PAIRS),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def tiny() -> OnStreets:
    """Two steps' worth of everything, for tests."""
    return OnStreets(
        recipe="modal_cyclegan.tiny",
        method=ModalCycleGANConfig(width=4, downs=1, blocks=1, d_layers=1, pool=3),
        data=StreetsModalities(size=16, images=8, test_images=8),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
