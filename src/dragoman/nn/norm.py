"""Normalisation layers. The style is an argument of forward, never an attribute."""

import torch
from torch import Tensor, nn


def instance_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / std over height and width, per image and channel, in fp32; std is the biased one.

    Written as a group norm of one channel a group, which PyTorch computes about three times faster on a CPU.
    """
    with torch.autocast(x.device.type, enabled=False):
        # torch's own function, because the one in functional refuses a single 1 x 1 image (whose norm is 0).
        return torch.group_norm(x.float(), x.shape[1], weight, bias, eps).to(x.dtype)


def conditional_instance_norm(x: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
    """CIN(x; z) = gamma(z) (x - mean(x)) / std(x) + beta(z) (thesis Eq. 6.10; AdaIN of Huang & Belongie).

    Args:
        x: [N, C, H, W].
        gamma: [N, C], None for 1.
        beta: [N, C], None for 0.
    """
    y = instance_norm(x)
    if gamma is not None:
        y = y * gamma[:, :, None, None].to(y.dtype)
    if beta is not None:
        y = y + beta[:, :, None, None].to(y.dtype)
    return y


class InstanceNorm(nn.Module):
    """Instance norm of the image at hand, in training and evaluation alike, with a learnt scale and shift."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return instance_norm(x, self.weight, self.bias)


class PlainInstanceNorm(nn.Module):
    """Instance norm of the image at hand, without scale and shift."""

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return instance_norm(x)
