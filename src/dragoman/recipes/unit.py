"""UNIT: the published setting, two-core settings, and its row of EGSC-IT's Table 2."""

from dragoman.data.dataset import Folder
from dragoman.methods.unit import UNITConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNISTMultiple, MNISTSingle
from dragoman.worlds.streets import Streets

OnPhotos = Experiment[UNITConfig, Folder]
OnStreets = Experiment[UNITConfig, Streets]
OnMNISTMultiple = Experiment[UNITConfig, MNISTMultiple]
OnMNISTSingle = Experiment[UNITConfig, MNISTSingle]


def paper() -> OnPhotos:
    """The published setting: 256 x 256 images of two domains, one of each a step."""
    return OnPhotos(
        recipe="unit.paper", method=UNITConfig(), data=Folder(size=256, load_size=286),
        train=Train(steps=200_000, batch_size=2, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR): folders are domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="unit.folder", method=UNITConfig(width=16, downs=0, lr=5e-4, power=0.9),
        data=Folder(size=64, load_size=72),
        train=Train(steps=10_000, batch_size=8, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnMNISTSingle:
    """Table 2 of EGSC-IT, "UNIT": MNIST-Single, 28 x 28."""
    method = UNITConfig(width=16, downs=0, lr=3e-4, w_kl=1.0, w_kl_cyc=1.0, power=0.9)
    return OnMNISTSingle(
        recipe="unit.digits", method=method, data=MNISTSingle(),
        train=Train(steps=9000, batch_size=16, ema_decay=0.995),
    )  # fmt: skip


def multiple() -> OnMNISTMultiple:
    """Table 5 of EGSC-IT, "UNIT": MNIST-Multiple, 64 x 64."""
    return OnMNISTMultiple(
        recipe="unit.multiple", method=UNITConfig(width=16, downs=0, lr=5e-4, power=0.9),
        data=MNISTMultiple(size=64), train=Train(steps=4500, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def streets() -> OnStreets:
    """EGSC-IT's Table 3 on drawn streets, "UNIT": synthetic to real, 64 x 64."""
    return OnStreets(
        recipe="unit.streets", method=UNITConfig(width=16, downs=0, lr=5e-4, power=0.9),
        data=Streets(size=64, images=8000, conditions="sim_real"),
        train=Train(steps=4000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def tiny() -> OnMNISTSingle:
    """Two steps' worth of everything, for tests."""
    return OnMNISTSingle(
        recipe="unit.tiny", method=UNITConfig(width=4, downs=1, blocks=2, d_layers=2, g_updates=2),
        data=MNISTSingle(size=16, images=8, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
