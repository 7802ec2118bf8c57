"""DGN-AM: the published iterations, digits of a class, your own folder."""

from dragoman.data.dataset import Folder
from dragoman.methods.dgn_am import DGNAMConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[DGNAMConfig, Folder]
OnMNIST = Experiment[DGNAMConfig, MNIST]


def paper() -> OnPhotos:
    """The published 200 iterations, of a transfer_gan.paper model, 64 x 64 (--method.source DIR)."""
    return OnPhotos(
        recipe="dgn_am.paper", method=DGNAMConfig(), data=Folder(size=64),
        train=Train(steps=20_000, batch_size=64, log_every=100, grid_every=5000, save_every=5000),
        evaluate=Protocol(features="inception", inputs=500),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images by class (--data.root DIR), 32 x 32, beside transfer_gan.folder."""
    return OnPhotos(
        recipe="dgn_am.folder", method=DGNAMConfig(gan=GANConfig(width=16), decay=0.002), data=Folder(size=32),
        train=Train(steps=2000, batch_size=32, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet", inputs=100),
    )  # fmt: skip


def digits() -> OnMNIST:
    """Each handwritten digit, of a transfer_gan.digits model (--method.source DIR)."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="dgn_am.digits", method=DGNAMConfig(gan=gan, decay=0.002), data=MNIST(),
        train=Train(steps=1000, batch_size=64, grid_every=1000), evaluate=Protocol(inputs=50),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, of a generator that learnt nothing, for tests."""
    gan = GANConfig(network="wgan_mnist", width=4, z_dim=6)
    return OnMNIST(
        recipe="dgn_am.tiny", method=DGNAMConfig(gan=gan, source=RANDOM, iterations=3, width=4),
        data=MNIST(digits=(0, 1, 2), images=30, source="small"),
        train=Train(steps=4, batch_size=4, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
