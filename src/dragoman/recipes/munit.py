"""MUNIT: the published setting, and two-core settings."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.munit import MUNITConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNISTMultiple, MNISTSingle
from dragoman.worlds.streets import Streets

OnPhotos = Experiment[MUNITConfig, Folder]
OnMultiple = Experiment[MUNITConfig, MNISTMultiple]
OnStreets = Experiment[MUNITConfig, Streets]
OnMNIST = Experiment[MUNITConfig, MNISTSingle]

SMALL: dict[str, Any] = {"width": 24, "downs": 1, "blocks": 2, "lr": 5e-4}
"""A narrow network with one strided convolution, and a rate for a short run."""


def paper() -> OnPhotos:
    """The published setting: 256 x 256 crops, an image of each domain a step, 1,000,000 steps."""
    return OnPhotos(
        recipe="munit.paper", method=MUNITConfig(), data=Folder(size=256),
        train=Train(steps=1_000_000, batch_size=2, log_every=100, grid_every=5000, save_every=10_000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR) of two domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="munit.folder", method=MUNITConfig(**SMALL, scales=2), data=Folder(size=64, load_size=72),
        train=Train(steps=10_000, batch_size=4, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnMNIST:
    """MNIST-Single of EGSC-IT: black and white digits and coloured ones, 28 x 28, a quarter of an hour on two cores."""
    return OnMNIST(
        recipe="munit.digits", method=MUNITConfig(**SMALL, scales=2, d_layers=3), data=MNISTSingle(),
        train=Train(steps=3000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def multiple() -> OnMultiple:
    """EGSC-IT's Table 5, "MUNIT": MNIST-Multiple, 64 x 64."""
    return OnMultiple(
        recipe="munit.multiple", method=MUNITConfig(**SMALL, scales=2), data=MNISTMultiple(size=64),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def streets() -> OnStreets:
    """EGSC-IT's Table 3 on drawn streets, "MUNIT": synthetic to real, 64 x 64."""
    return OnStreets(
        recipe="munit.streets", method=MUNITConfig(**SMALL, scales=2, w_cyc=10.0),
        data=Streets(size=64, images=8000, conditions="sim_real"),
        train=Train(steps=4000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, for tests."""
    return OnMNIST(
        recipe="munit.tiny",
        method=MUNITConfig(width=4, downs=1, blocks=1, style_dim=2, scales=2, d_layers=2, w_cyc=1.0),
        data=MNISTSingle(size=16, images=64, test_images=64, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
