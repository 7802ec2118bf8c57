"""pix2pix: the published setting, scenes in several modalities, your own folder, drawn streets."""

from typing import Any

from dragoman.data.modal import ModalFolder
from dragoman.methods.pix2pix import Pix2PixConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.streets.modalities import StreetsModalities

OnFolder = Experiment[Pix2PixConfig, ModalFolder]
OnStreets = Experiment[Pix2PixConfig, StreetsModalities]

SMALL: dict[str, Any] = {"width": 16, "levels": 6, "d_layers": 2, "lr": 1e-3}
"""A narrow U-Net that takes 64 pixels to one, discriminators of 34 x 34 pixels, a learning rate for a short run."""


def paper() -> OnFolder:
    """The published setting for facades: 256 x 256 crops, one scene a step, 200 epochs of 400 pairs."""
    return OnFolder(
        recipe="pix2pix.paper", method=Pix2PixConfig(), data=ModalFolder(size=256, load_size=286),
        train=Train(steps=80_000, batch_size=1, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_scenes() -> OnFolder:
    """Tables 4.4 to 4.7, "2 x pix2pix": SceneNet RGB-D and SUN RGB-D, 256 x 256, with the batches of mix_and_match."""
    seen = (("rgb", "depth"), ("rgb", "segmentation"))
    return OnFolder(
        recipe="pix2pix.paper_scenes", method=Pix2PixConfig(), data=ModalFolder(size=256, seen=seen),
        train=Train(steps=500_000, batch_size=6, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnFolder:
    """Your own folder (--data.root DIR) of aligned pictures, 64 x 64, a network that also trains on a CPU."""
    return OnFolder(
        recipe="pix2pix.folder", method=Pix2PixConfig(**SMALL), data=ModalFolder(size=64, load_size=72),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def streets() -> OnStreets:
    """Tables 4.4 and 4.5, "2 x pix2pix", on drawn streets, 64 x 64: the data of mix_and_match.streets."""
    return OnStreets(
        recipe="pix2pix.streets", method=Pix2PixConfig(**SMALL), data=StreetsModalities(size=64, images=4000),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def tiny() -> OnStreets:
    """Two steps' worth of everything, for tests."""
    return OnStreets(
        recipe="pix2pix.tiny", method=Pix2PixConfig(width=4, levels=2, dropouts=1, d_layers=1),
        data=StreetsModalities(size=16, images=8, test_images=8),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
