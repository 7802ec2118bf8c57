"""EGSC-IT: the published settings of Table 6, two-core settings, and the ablations of Table 2."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.egsc_it import EGSCITConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNISTMultiple, MNISTSingle
from dragoman.worlds.streets import Streets

OnPhotos = Experiment[EGSCITConfig, Folder]
OnStreets = Experiment[EGSCITConfig, Streets]
OnMNISTSingle = Experiment[EGSCITConfig, MNISTSingle]
OnMNISTMultiple = Experiment[EGSCITConfig, MNISTMultiple]


def paper() -> OnPhotos:
    """The published setting for GTA5 and BDD: three images of each a step, 22,000 steps (Table 6)."""
    return OnPhotos(
        recipe="egsc_it.paper", method=EGSCITConfig(), data=Folder(size=256, load_size=288),
        train=Train(steps=44_000, batch_size=6, log_every=100, grid_every=2000, save_every=2000),
    )  # fmt: skip


def paper_faces() -> OnPhotos:
    """The published setting for faces of two genders: eight of each a step, 30,000 steps (Table 6)."""
    return OnPhotos(
        recipe="egsc_it.paper_faces", method=EGSCITConfig(w_style=5e3, w_content=10.0),
        data=Folder(size=128, load_size=144),
        train=Train(steps=60_000, batch_size=16, log_every=100, grid_every=2000, save_every=2000),
    )  # fmt: skip


def paper_single() -> OnMNISTSingle:
    """The published setting for MNIST-Single: eight of each a step, 60,000 steps (Table 6)."""
    return OnMNISTSingle(
        recipe="egsc_it.paper_single", method=EGSCITConfig(downs=0, lr=1e-5, w_style=1e3, w_content=10.0),
        data=MNISTSingle(),
        train=Train(steps=120_000, batch_size=16, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_multiple() -> OnMNISTMultiple:
    """The published setting for MNIST-Multiple: eight of each a step, 60,000 steps (Table 6)."""
    return OnMNISTMultiple(
        recipe="egsc_it.paper_multiple", method=EGSCITConfig(lr=1e-5), data=MNISTMultiple(),
        train=Train(steps=120_000, batch_size=16, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR): folders are domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="egsc_it.folder",
        method=EGSCITConfig(width=16, downs=0, g_updates=1, lr=5e-4, w_style=300.0, w_content=18.0, pretrain=0.2),
        data=Folder(size=64, load_size=72),
        train=Train(steps=12_000, batch_size=8, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnMNISTSingle:
    """MNIST-Single, 28 x 28: the full model of Table 2."""
    return _digits("digits")


def digits_no_mask() -> OnMNISTSingle:
    """Table 2, "EGSC-IT w/o feature mask"."""
    return _digits("digits_no_mask", eta=1.0)


def digits_no_adain() -> OnMNISTSingle:
    """Table 2, "EGSC-IT w/o AdaIN"."""
    return _digits("digits_no_adain", adain=False)


def digits_no_perceptual() -> OnMNISTSingle:
    """Table 2, "EGSC-IT w/o L_P"."""
    return _digits("digits_no_perceptual", w_style=0.0, w_content=0.0)


def multiple() -> OnMNISTMultiple:
    """Table 5: MNIST-Multiple, 64 x 64."""
    method = EGSCITConfig(width=16, downs=0, g_updates=1, lr=5e-4, w_style=400.0, w_content=6.0, pretrain=0.1,
                          vgg="vgg19_distilled")  # fmt: skip
    return OnMNISTMultiple(
        recipe="egsc_it.multiple", method=method, data=MNISTMultiple(size=64),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def streets() -> OnStreets:
    """Table 3 on drawn streets: synthetic to real, 64 x 64."""
    method = EGSCITConfig(width=16, downs=0, g_updates=1, lr=5e-4, w_style=300.0, w_content=18.0,
                          pretrain=0.2, vgg="vgg19_distilled")  # fmt: skip
    return OnStreets(
        recipe="egsc_it.streets", method=method, data=Streets(size=64, images=8000, conditions="sim_real"),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995),
    )  # fmt: skip


def tiny() -> OnMNISTSingle:
    """Two steps' worth of everything, for tests."""
    return OnMNISTSingle(
        recipe="egsc_it.tiny",
        method=EGSCITConfig(width=4, downs=1, blocks=2, d_layers=2, g_updates=2, vgg="random"),
        data=MNISTSingle(size=16, images=8, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip


def _digits(name: str, **changes: Any) -> OnMNISTSingle:
    settings: dict[str, Any] = {
        "width": 16, "downs": 0, "g_updates": 1, "lr": 3e-4, "w_kl": 1.0, "w_kl_cyc": 1.0, "w_style": 1e2,
        "w_content": 1.0, "pretrain": 0.1, "vgg": "vgg19_distilled",
    }  # fmt: skip
    return OnMNISTSingle(
        recipe=f"egsc_it.{name}", method=EGSCITConfig(**settings | changes), data=MNISTSingle(),
        train=Train(steps=10_000, batch_size=16, ema_decay=0.995),
    )  # fmt: skip
