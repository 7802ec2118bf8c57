"""StarGAN: the published setting, and two-core settings beside SDIT's."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.stargan import StarGANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.digits import Digits

Faces = Experiment[StarGANConfig, Folder]
OnDigits = Experiment[StarGANConfig, Digits]

SMALL: dict[str, Any] = {"width": 16, "downs": 1, "blocks": 2, "n_critic": 2, "lr": 1e-3, "w_rec": 30.0}
"""As in recipes/sdit.py."""


def paper() -> Faces:
    """The published setting: 128 x 128 faces with attributes, batch 16, 200,000 steps."""
    return Faces(
        recipe="stargan.paper", method=StarGANConfig(), data=Folder(size=128),
        train=Train(steps=200_000, batch_size=16, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> Faces:
    """Your own folder (--data.root DIR): folders are domains, 64 x 64, a network that also trains on a CPU."""
    return Faces(
        recipe="stargan.folder", method=StarGANConfig(**SMALL, d_layers=5),
        data=Folder(size=64, load_size=72),
        train=Train(steps=10_000, batch_size=16, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnDigits:
    """Handwritten digits in four colours, 32 x 32, a few minutes on two cores."""
    return OnDigits(
        recipe="stargan.digits", method=StarGANConfig(**SMALL, d_layers=4),
        data=Digits(), train=Train(steps=800, batch_size=16, ema_decay=0.99),
    )  # fmt: skip


def tiny() -> OnDigits:
    """Two steps' worth of everything, for tests."""
    return OnDigits(
        recipe="stargan.tiny", method=StarGANConfig(width=4, blocks=1, d_layers=3, n_critic=2),
        data=Digits(size=16, variants=1),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
