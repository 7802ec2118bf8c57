"""WCT: the published setting, and two-core settings with the small encoder."""

from dragoman.data.dataset import Folder
from dragoman.methods.wct import WCTConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNISTSingle

OnPhotos = Experiment[WCTConfig, Folder]
OnDigits = Experiment[WCTConfig, MNISTSingle]


def paper() -> OnPhotos:
    """The published networks: five decoders of VGG19, crops of 256 x 256 from 512."""
    return OnPhotos(
        recipe="wct.paper", method=WCTConfig(), data=Folder(size=256, load_size=512),
        train=Train(steps=160_000, batch_size=8, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR): folders are domains, 128 x 128, an encoder that also works on a CPU."""
    return OnPhotos(
        recipe="wct.folder", method=WCTConfig(encoder="vgg19_distilled", exemplars=64, lr=1e-3),
        data=Folder(size=128, load_size=144),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995, grid_every=500, save_every=500),
    )  # fmt: skip


def digits() -> OnDigits:
    """MNIST-Single of EGSC-IT, 28 x 28 enlarged to 112 x 112, a few minutes on two cores (row "WCT*" of Table 4)."""
    return OnDigits(
        recipe="wct.digits", method=WCTConfig(encoder="vgg19_distilled", enlarge=4, exemplars=64, lr=1e-3),
        data=MNISTSingle(), train=Train(steps=500, batch_size=8, ema_decay=0.99),
    )  # fmt: skip


def tiny() -> OnDigits:
    """Two steps' worth of everything, for tests."""
    return OnDigits(
        recipe="wct.tiny", method=WCTConfig(encoder="random", levels=(3, 2, 1), enlarge=2, exemplars=4),
        data=MNISTSingle(size=16, images=8, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip
