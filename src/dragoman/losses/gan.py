"""Adversarial losses."""

import torch.nn.functional as F
from torch import Tensor


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)] (Wasserstein GAN, Arjovsky et al. 2017, minimised by the critic)."""
    return fake.float().mean() - real.float().mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[D(fake)], minimised by the generator."""
    return -fake.float().mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[(D(real) - 1)^2] + E[D(fake)^2] (least-squares GAN, Mao et al. 2017), minimised by the discriminator."""
    return (real.float() - 1).square().mean() + fake.float().square().mean()


def least_squares_generator(fake: Tensor) -> Tensor:
    """E[(D(fake) - 1)^2], minimised by the generator."""
    return (fake.float() - 1).square().mean()


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """E[max(0, 1 - D(real))] + E[max(0, 1 + D(fake))] (Lim and Ye 2017; SNGAN, BigGAN), minimised by D.

    The generator then minimises -E[D(fake)], `wasserstein_generator`.
    """
    return (1 - real.float()).relu().mean() + (1 + fake.float()).relu().mean()


def logistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-E[log s(D(real))] - E[log(1 - s(D(fake)))], s the sigmoid (Goodfellow et al. 2014), minimised by D."""
    return F.softplus(-real.float()).mean() + F.softplus(fake.float()).mean()


def logistic_generator(fake: Tensor) -> Tensor:
    """-E[log s(D(fake))], minimised by the generator instead of E[log(1 - s(D(fake)))], whose slope fades."""
    return F.softplus(-fake.float()).mean()
