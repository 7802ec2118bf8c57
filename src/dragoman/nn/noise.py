"""Noise on feature maps."""

import torch
from torch import Tensor


def normal_like(x: Tensor) -> Tensor:
    """Numbers ~ N(0, 1) in the shape of a feature map [N, C, H, W], channels last in memory.

    Drawn in the order of memory: `torch.randn_like` of what is channels last is eight times as slow on a CPU.
    """
    drawn = torch.randn_like(x.permute(0, 2, 3, 1), memory_format=torch.contiguous_format)
    return drawn.permute(0, 3, 1, 2)
