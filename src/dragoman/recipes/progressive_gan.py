"""Progressive GAN: the published setting, two-core settings, your own folder."""

from dragoman.data.dataset import Images
from dragoman.methods.progressive_gan import ProgressiveGANConfig
from dragoman.metrics.protocol import Protocol
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[ProgressiveGANConfig, Images]
OnMNIST = Experiment[ProgressiveGANConfig, MNIST]


def paper() -> OnPhotos:
    """The published setting for CelebA-HQ: 1024 x 1024, 800,000 images a stage, batches of 16 and less (A.1)."""
    return OnPhotos(
        recipe="progressive_gan.paper", method=ProgressiveGANConfig(), data=Images(size=1024),
        train=Train(steps=1_464_286, batch_size=16, ema_decay=0.999, precision="fp32", log_every=100,
                    grid_every=20_000, save_every=10_000),
        evaluate=Protocol(features="inception"),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images of one kind (--data.root DIR), 32 x 32, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="progressive_gan.folder", method=ProgressiveGANConfig(width=64, z_dim=64, last=4), data=Images(size=32),
        train=Train(steps=12_000, batch_size=16, ema_decay=0.999, precision="fp32", grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def digits() -> OnMNIST:
    """Handwritten digits on a margin, 32 x 32: a source for transfer_gan and mine_gan."""
    return OnMNIST(
        recipe="progressive_gan.digits", method=ProgressiveGANConfig(width=32, z_dim=32, last=4),
        data=MNIST(conditional=False, size=32),
        train=Train(steps=12_000, batch_size=16, ema_decay=0.999, precision="fp32", grid_every=1000),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """A few steps of every stage from 8 x 8 on, for tests."""
    return OnMNIST(
        recipe="progressive_gan.tiny", method=ProgressiveGANConfig(width=16, z_dim=8, first=8, fade=0.7, last=2),
        data=MNIST(conditional=False, size=32, digits=(0, 1), images=30, source="small"),
        train=Train(steps=6, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
