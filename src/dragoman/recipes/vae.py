"""VAE: the sizes of MineGAN's digits, two-core settings, your own folder."""

from dragoman.data.dataset import Images
from dragoman.methods.vae import VAEConfig
from dragoman.metrics.protocol import Protocol
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[VAEConfig, Images]
OnMNIST = Experiment[VAEConfig, MNIST]


def paper() -> OnMNIST:
    """The data and sizes of mine_gan.paper: 1,000 images of a digit, |z| = 128; batches of 100 (Kingma, section 5)."""
    return OnMNIST(
        recipe="vae.paper", method=VAEConfig(), data=MNIST(conditional=False, digits=(9,), images=1000),
        train=Train(steps=20_000, batch_size=100, log_every=100, grid_every=2000, save_every=2000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images of one kind (--data.root DIR), 32 x 32, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="vae.folder", method=VAEConfig(width=16), data=Images(size=32),
        train=Train(steps=10_000, batch_size=32, ema_decay=0.999, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def digits() -> OnMNIST:
    """1,000 images of the digit 9, 28 x 28, beside mine_gan.digits."""
    return OnMNIST(
        recipe="vae.digits", method=VAEConfig(width=16, z_dim=16, lr=2e-3),
        data=MNIST(conditional=False, digits=(9,), images=1000),
        train=Train(steps=4000, batch_size=64, ema_decay=0.999),
    )  # fmt: skip


def digits_conditional() -> OnMNIST:
    """All handwritten digits, a domain each."""
    return OnMNIST(
        recipe="vae.digits_conditional", method=VAEConfig(width=16, z_dim=16, lr=2e-3),
        data=MNIST(), train=Train(steps=10_000, batch_size=64, ema_decay=0.999, grid_every=1000),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, of two domains, for tests."""
    return OnMNIST(
        recipe="vae.tiny", method=VAEConfig(width=8, z_dim=2), data=MNIST(digits=(0, 1), images=30, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
