"""Adversarial losses."""

from torch import Tensor


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E[D(fake)] - E[D(real)] (Wasserstein GAN, Arjovsky et al. 2017, minimised by the critic)."""
    return fake.float().mean() - real.float().mean()


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-E[D(fake)], minimised by the generator."""
    return -fake.float().mean()
