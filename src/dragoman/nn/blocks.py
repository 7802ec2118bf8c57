"""Residual blocks."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nn.norm import InstanceNorm, conditional_instance_norm


class ResBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))), 3x3, zero padding (StarGAN)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = InstanceNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = InstanceNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


class CINResBlock(nn.Module):
    """The residual block with both norms conditional on a style."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor, gamma: list[Tensor | None], beta: list[Tensor | None]) -> Tensor:
        """[N, C, H, W] and two (gamma, beta) of [N, C] or None to the same shape as x."""
        y = F.relu(conditional_instance_norm(self.conv1(x), gamma[0], beta[0]))
        return x + conditional_instance_norm(self.conv2(y), gamma[1], beta[1])


class ReflectResBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))), 3x3, padding by reflection (CycleGAN); with a style both IN are AdaIN (MUNIT).

    The published convolutions have biases, though the norm that follows removes whatever they add.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(
        self, x: Tensor, gamma: Sequence[Tensor | None] = (None, None), beta: Sequence[Tensor | None] = (None, None)
    ) -> Tensor:
        """[N, C, H, W], and two (gamma, beta) of [N, C] or None, to the same shape as x."""
        y = F.relu(conditional_instance_norm(self.conv1(x), gamma[0], beta[0]))
        return x + conditional_instance_norm(self.conv2(y), gamma[1], beta[1])
