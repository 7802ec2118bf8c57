"""MineGAN: the published MNIST setting, two-core settings, your own folder."""

from dragoman.data.dataset import Images
from dragoman.methods.mine_gan import MineGANConfig
from dragoman.metrics.protocol import Protocol
from dragoman.nets.gan import RANDOM, GANConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.mnist import MNIST

OnPhotos = Experiment[MineGANConfig, Images]
OnMNIST = Experiment[MineGANConfig, MNIST]


def paper() -> OnMNIST:
    """The published MNIST setting: 1,000 images of a digit, batch 64 (thesis A.2.1)."""
    return OnMNIST(
        recipe="mine_gan.paper", method=MineGANConfig(), data=MNIST(conditional=False, digits=(9,), images=1000),
        train=Train(steps=50_000, batch_size=64, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_progressive() -> OnPhotos:
    """The published setting of 1024 x 1024 faces, from progressive_gan.paper models: 100 images, batch 4 (A.2.1)."""
    gan = GANConfig(network="progressive", width=512, z_dim=512)
    return OnPhotos(
        recipe="mine_gan.paper_progressive",
        method=MineGANConfig(gan=gan, miner=(8, 64, 128, 256, 512), pixel_norm=True, n_critic=1, lr=1.5e-3,
                             betas=(0.0, 0.99)),
        data=Images(size=1024),
        train=Train(steps=20_000, batch_size=4, ema_decay=0.999, precision="fp32", log_every=100, grid_every=2000,
                    save_every=2000),
        evaluate=Protocol(features="inception"),
    )  # fmt: skip


def paper_sngan() -> OnPhotos:
    """The published setting of SNGAN, 128 x 128, from an ImageNet model of transfer_gan: 25 images, batch 8 (A.2.1)."""
    return OnPhotos(
        recipe="mine_gan.paper_sngan",
        method=MineGANConfig(gan=GANConfig(network="sngan"), miner=(8, 32, 64, 128), lr=2e-4, betas=(0.0, 0.9)),
        data=Images(size=128),
        train=Train(steps=20_000, batch_size=8, log_every=100, grid_every=2000, save_every=2000),
        evaluate=Protocol(features="inception"),
    )  # fmt: skip


def paper_biggan() -> OnPhotos:
    """The published setting of BigGAN, 128 x 128, from an ImageNet model of transfer_gan: batch 256 (A.2.1)."""
    gan = GANConfig(network="biggan", width=96, z_dim=120, attention=64)
    return OnPhotos(
        recipe="mine_gan.paper_biggan",
        method=MineGANConfig(gan=gan, labels=1000, miner=(128, 128, 128, 128, 120), miner_c=(128,) * 5, n_critic=2,
                             lr=1e-4, lr_d=4e-4, betas=(0.0, 0.999)),
        data=Images(size=128),
        train=Train(steps=20_000, batch_size=256, log_every=100, grid_every=2000, save_every=2000),
        evaluate=Protocol(features="inception"),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder of few images of one kind (--data.root DIR), 32 x 32, beside transfer_gan.folder."""
    gan = GANConfig(width=16)
    return OnPhotos(
        recipe="mine_gan.folder", method=MineGANConfig(gan=gan, lr=1e-4, betas=(0.0, 0.9)), data=Images(size=32),
        train=Train(steps=4000, batch_size=32, ema_decay=0.999, grid_every=1000, save_every=1000),
        evaluate=Protocol(features="squeezenet"),
    )  # fmt: skip


def digits() -> OnMNIST:
    """1,000 images of the digit 9, mined from a transfer_gan.digits model (--method.sources DIR)."""
    gan = GANConfig(network="wgan_mnist", width=16)
    return OnMNIST(
        recipe="mine_gan.digits", method=MineGANConfig(gan=gan),
        data=MNIST(conditional=False, digits=(9,), images=1000),
        train=Train(steps=4000, batch_size=64, ema_decay=0.999),
    )  # fmt: skip


def tiny() -> OnMNIST:
    """Two steps' worth of everything, of a conditional generator that learnt nothing, for tests."""
    gan = GANConfig(network="wgan_mnist", width=4, z_dim=6)
    return OnMNIST(
        recipe="mine_gan.tiny",
        method=MineGANConfig(gan=gan, sources=(RANDOM,), labels=2, miner=(4, 6), mining=0.25, n_critic=1),
        data=MNIST(conditional=False, digits=(0, 1), images=30, source="small"),
        train=Train(steps=4, batch_size=8, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
        evaluate=Protocol(classifier_steps=2),
    )  # fmt: skip
