"""PPGN: the published multipliers, digits of a class, your own folder."""

from dragoman.data.dataset import Folder
from dragoman.methods.ppgn import PPGNConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[PPGNConfig, Folder]
OnMNIST = Experiment[PPGNConfig, MNIST]


def paper() -> OnPhotos:
    """The published 200 iterations and multipliers, of a transfer_gan.paper model, 64 x 64 (--method.source DIR)."""
    return OnPhotos(
        recipe="ppgn.paper", method=PPGNConfig(), data=Folder(size=64),
        train=Train(steps=40_000, batch_size=64, log_every=100, grid_every=10_000, save_every=5000),
        evaluate=Protocol(features="inception", inputs=500),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images by class (--data.root DIR), 32 x 32, beside transfer_gan.folder."""
    return OnPhotos(
        recipe="ppgn.folder", method=PPGNConfig(gan=GANConfig(width=16), eps1=0.03, eps2=0.3, eps3=0.03),
        data=Folder(size=32), train=Train(steps=4000, batch_size=32, grid_every=2000, save_every=1000),
        evaluate=Protocol(features="squeezenet", inputs=100),
    )  # fmt: skip


def digits() -> OnMNIST:
    """Each handwritten digit, of a transfer_gan.digits model (--method.source DIR)."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="ppgn.digits", method=PPGNConfig(gan=gan, eps1=0.03, eps2=0.3, eps3=0.03), data=MNIST(),
        train=Train(steps=2000, batch_size=64, grid_every=2000), evaluate=Protocol(inputs=50),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, of a generator that learnt nothing, for tests."""
    gan = GANConfig(network="wgan_mnist", width=4, z_dim=6)
    return OnMNIST(
        recipe="ppgn.tiny",
        method=PPGNConfig(gan=gan, source=RANDOM, iterations=3, width=4, eps1=0.1, eps2=1, eps3=0.1),
        data=MNIST(digits=(0, 1, 2), images=30, source="small"),
        train=Train(steps=4, batch_size=4, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
