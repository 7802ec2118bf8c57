"""The miner of MineGAN: from noise to the input of a generator that has already been trained (thesis 3.3.2)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nets.progressive import pixel_norm

MARGIN = 2.0
"""How far below its mean a signal must be, in standard deviations, for a ReLU to bend it at the start."""


class Miner(nn.Module):
    """Fully connected layers with ReLU between (and pixel norm after each ReLU): M(u) from u ~ N(0, I).

    The generator has only ever seen N(0, I), so M starts as near to that as it can: linear but for the tails. The
    weights are random orthogonal ones, with rows scaled so that every unit has variance 1. The biases hold each ReLU
    MARGIN above its kink, and the next layer takes that off again. (The identity would do as well for equal widths, but
    several miners would start alike.) Independent Gaussian weights, as published, start elsewhere: what comes out of a
    ReLU has a mean, which would shift every output.

    Where no layer widens, M(u) ~ N(0, I), except that each ReLU takes 4 % of the variance. Where they widen, every
    output is still N(0, 1) by itself, but together they vary in no more directions than u has.

    Args:
        widths: Of the input, of each layer in between, of the output: (16, 16, 16) for MNIST, (8, 64, 128, 256, 512)
            for Progressive GAN, (8, 32, 64, 128) for SNGAN (thesis A.2.1).
        pixel_norm: Whether pixel norm follows each ReLU, as published for Progressive GAN.
    """

    def __init__(self, widths: Sequence[int], pixel_norm: bool = False):
        super().__init__()
        self.u_dim, self.z_dim = widths[0], widths[-1]
        self.pixel_norm = pixel_norm
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        # Pixel norm divides by the root mean square of what comes out of a ReLU.
        rms = (1 + MARGIN**2) ** 0.5 if self.pixel_norm else 1.0
        so_far = torch.eye(self.u_dim)  # M without its ReLUs, of which each row should have length 1
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Linear)
            weight = nn.init.orthogonal_(torch.empty_like(layer.weight))
            if number and self.pixel_norm:  # what is common to all units varies with the norm of the others
                weight -= weight.mean(1, keepdim=True)
            weight /= (weight @ so_far).norm(dim=1, keepdim=True)
            so_far = weight @ so_far
            layer.weight.copy_(weight * (rms if number else 1))
            layer.bias.fill_(MARGIN if number < len(self.layers) - 1 else 0)
            if number:
                layer.bias.sub_(MARGIN * weight.sum(1))

    def forward(self, u: Tensor) -> Tensor:
        """u [N, U] ~ N(0, I) to the generator's z [N, Z]."""
        *between, last = self.layers
        for layer in between:
            u = F.relu(layer(u))
            if self.pixel_norm:
                u = pixel_norm(u)
        return last(u)
