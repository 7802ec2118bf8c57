"""Losses on latent codes against their formulas."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dragoman.losses.latent import kl_unit_variance


def test_twice_the_kl_divergence_of_unit_normals_per_number():
    torch.manual_seed(0)
    mean = torch.randn(4, 3, 2, 2)
    kl = kl_divergence(Normal(mean, 1), Normal(torch.zeros_like(mean), 1))
    assert kl_unit_variance(mean).item() == pytest.approx(2 * kl.mean().item(), rel=1e-6)
