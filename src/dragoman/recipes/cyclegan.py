"""CycleGAN: the published setting, and two-core settings."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.cyclegan import CycleGANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNISTMultiple, MNISTSingle

OnPhotos = Experiment[CycleGANConfig, Folder]
OnMultiple = Experiment[CycleGANConfig, MNISTMultiple]
OnMNIST = Experiment[CycleGANConfig, MNISTSingle]

SMALL: dict[str, Any] = {"width": 24, "downs": 1, "blocks": 3, "d_layers": 2}
"""A narrow network with one strided convolution; the discriminators see 34 x 34 pixels."""


def paper() -> OnPhotos:
    """The published setting: 256 x 256 crops, an image of each domain a step, 200 epochs of 1,000 images."""
    return OnPhotos(
        recipe="cyclegan.paper", method=CycleGANConfig(), data=Folder(size=256, load_size=286),
        train=Train(steps=200_000, batch_size=2, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR) of two domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="cyclegan.folder", method=CycleGANConfig(**SMALL), data=Folder(size=64, load_size=72),
        train=Train(steps=10_000, batch_size=4, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnMNIST:
    """MNIST-Single of EGSC-IT: black and white digits and coloured ones, 28 x 28, a quarter of an hour on two cores."""
    return OnMNIST(
        recipe="cyclegan.digits", method=CycleGANConfig(**SMALL), data=MNISTSingle(),
        train=Train(steps=3000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def multiple() -> OnMultiple:
    """EGSC-IT's Table 5, "CycleGAN": MNIST-Multiple, 64 x 64."""
    return OnMultiple(
        recipe="cyclegan.multiple", method=CycleGANConfig(**SMALL), data=MNISTMultiple(size=64),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, for tests."""
    return OnMNIST(
        recipe="cyclegan.tiny", method=CycleGANConfig(width=4, downs=1, blocks=1, d_layers=1, pool=3),
        data=MNISTSingle(size=16, images=64, test_images=64, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
