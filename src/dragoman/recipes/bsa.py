"""BSA: the published setting, few handwritten digits, your own folder."""

from dragoman.data.dataset import Images
from dragoman.methods.bsa import BSAConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[BSAConfig, Images]
OnMNIST = Experiment[BSAConfig, MNIST]


def paper() -> OnPhotos:
    """The published setting: 25 images of 128 x 128, a batch of 25, from an SNGAN (--method.source DIR)."""
    return OnPhotos(
        recipe="bsa.paper", method=BSAConfig(), data=Images(size=128, flip=False),
        train=Train(steps=10_000, batch_size=25, log_every=100, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="inception"),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of few images of one kind (--data.root DIR), 32 x 32, beside transfer_gan.folder."""
    return OnPhotos(
        recipe="bsa.folder", method=BSAConfig(gan=GANConfig(width=16), vgg="vgg19_distilled"),
        data=Images(size=32, flip=False),
        train=Train(steps=4000, batch_size=25, ema_decay=0.999, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def digits() -> OnMNIST:
    """100 images of the digit 9, from a transfer_gan.digits model (--method.source DIR)."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="bsa.digits", method=BSAConfig(gan=gan, images=100, vgg="vgg19_distilled"),
        data=MNIST(conditional=False, digits=(9,), images=100),
        train=Train(steps=2000, batch_size=25, ema_decay=0.99),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, of a generator that learnt nothing, for tests."""
    gan = GANConfig(network="wgan_resnet", width=4, z_dim=8)
    return OnMNIST(
        recipe="bsa.tiny", method=BSAConfig(gan=gan, source=RANDOM, images=30, vgg="random"),
        data=MNIST(conditional=False, size=32, digits=(0, 1), images=30, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
