"""TransferGAN: the published setting, sources and targets on handwritten digits, your own folder."""

from dragoman.data.dataset import Images
from dragoman.methods.transfer_gan import TransferGANConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[TransferGANConfig, Images]
OnMNIST = Experiment[TransferGANConfig, MNIST]


def paper() -> OnPhotos:
    """The published setting: 64 x 64 images, batch 64, G updated 40,000 times (thesis 2.3.3, 2.3.4)."""
    return OnPhotos(
        recipe="transfer_gan.paper", method=TransferGANConfig(), data=Images(size=64),
        train=Train(steps=200_000, batch_size=64, log_every=100, grid_every=5000, save_every=5000),
        evaluate=Protocol(features="inception", inputs=1000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images of one kind (--data.root DIR), 32 x 32, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="transfer_gan.folder", method=TransferGANConfig(gan=GANConfig(width=16)), data=Images(size=32),
        train=Train(steps=10_000, batch_size=32, ema_decay=0.999, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def digits() -> OnMNIST:
    """A GAN of all handwritten digits, 28 x 28: a source, or with --data.digits and --method.source a target."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="transfer_gan.digits", method=TransferGANConfig(gan=gan, lr=4e-4, betas=(0.5, 0.9)),
        data=MNIST(conditional=False), train=Train(steps=10_000, batch_size=64, ema_decay=0.999, grid_every=1000),
    )  # fmt: skip


def digits_conditional() -> OnMNIST:
    """The same with a domain for each digit: an AC-GAN (thesis 2.4)."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="transfer_gan.digits_conditional", method=TransferGANConfig(gan=gan, lr=4e-4, betas=(0.5, 0.9)),
        data=MNIST(), train=Train(steps=10_000, batch_size=64, ema_decay=0.999, grid_every=1000),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, for tests."""
    gan = GANConfig(network="wgan_resnet", width=4, z_dim=8)
    return OnMNIST(
        recipe="transfer_gan.tiny", method=TransferGANConfig(gan=gan, n_critic=2),
        data=MNIST(size=32, digits=(0, 1, 2), images=30, source="small"),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
