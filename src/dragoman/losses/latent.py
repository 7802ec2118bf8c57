"""Losses on latent codes."""

from torch import Tensor


def kl_unit_variance(mean: Tensor) -> Tensor:
    """KL(N(mean, I) | N(0, I)), up to the factor 1/2, per number: E[mean^2] (UNIT, as its authors compute it)."""
    return mean.float().square().mean()
