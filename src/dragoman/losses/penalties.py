"""Penalties on a discriminator."""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    """E[(|grad_x critic(x)|_2 - 1)^2] at random mixes of real and fake (WGAN-GP, Gulrajani et al. 2017, Eq. 3).

    Computed in fp32; one mixing factor per pair, uniform in [0, 1].

    Args:
        critic: [N, C, H, W] to any output with one image per row.
        real, fake: [N, C, H, W].
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.float(), fake.float()
        mix = torch.rand(len(real), 1, 1, 1, device=real.device)
        x = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()
