"""TransferGAN: the published setting, sources and targets on handwritten digits, your own folder."""

from dragoman.data.dataset import Folder, Images
from dragoman.methods.transfer_gan import TransferGANConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[TransferGANConfig, Images]
OnDomains = Experiment[TransferGANConfig, Folder]
OnMNIST = Experiment[TransferGANConfig, MNIST]


def paper() -> OnPhotos:
    """The published setting: 64 x 64 images, batch 64, G updated 40,000 times (thesis 2.3.3, 2.3.4)."""
    return OnPhotos(
        recipe="transfer_gan.paper", method=TransferGANConfig(), data=Images(size=64),
        train=Train(steps=200_000, batch_size=64, log_every=100, grid_every=5000, save_every=5000),
        evaluate=Protocol(features="inception", inputs=1000),
    )  # fmt: skip


def paper_conditional() -> OnDomains:
    """The published conditional setting: 64 x 64 images of ten domains, G updated 25,000 times (thesis 2.4.2)."""
    return OnDomains(
        recipe="transfer_gan.paper_conditional", method=TransferGANConfig(), data=Folder(size=64),
        train=Train(steps=125_000, batch_size=64, log_every=100, grid_every=5000, save_every=5000),
        evaluate=Protocol(features="inception", inputs=1000),
    )  # fmt: skip


def paper_sngan() -> OnPhotos:
    """A source with SNGAN's published settings, 128 x 128 (Miyato et al. 2018); --data.root DIR."""
    return OnPhotos(
        recipe="transfer_gan.paper_sngan",
        method=TransferGANConfig(gan=GANConfig(network="sngan"), lr=2e-4), data=Images(size=128),
        train=Train(steps=2_250_000, batch_size=64, log_every=100, grid_every=10_000, save_every=10_000),
        evaluate=Protocol(features="inception", inputs=1000),
    )  # fmt: skip


def paper_biggan() -> OnDomains:
    """A source with BigGAN's published settings, 128 x 128 (Brock et al. 2019); --data.root DIR, 1,000 domains.

    Running averages of 0.9999 an update of G, which is two steps. Orthogonal regularisation is left out.
    """
    gan = GANConfig(network="biggan", width=96, z_dim=120, attention=64)
    return OnDomains(
        recipe="transfer_gan.paper_biggan",
        method=TransferGANConfig(gan=gan, n_critic=2, lr=5e-5, lr_d=2e-4, betas=(0.0, 0.999)), data=Folder(size=128),
        train=Train(steps=400_000, batch_size=2048, ema_decay=0.9999**0.5, log_every=100, grid_every=5000,
                    save_every=5000),
        evaluate=Protocol(features="inception", inputs=1000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of images of one kind (--data.root DIR), 32 x 32, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="transfer_gan.folder", method=TransferGANConfig(gan=GANConfig(width=16)), data=Images(size=32),
        train=Train(steps=10_000, batch_size=32, ema_decay=0.999, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def folder_conditional() -> OnDomains:
    """Your own folder of several domains (--data.root DIR): folders are domains, 32 x 32, also on a CPU."""
    return OnDomains(
        recipe="transfer_gan.folder_conditional", method=TransferGANConfig(gan=GANConfig(width=16)),
        data=Folder(size=32),
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
