"""Residual networks with pooling indices in halves that can be mixed: thesis A.3.2 and A.3.3, Tables A.7 to A.12."""

import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nn.blocks import ResBlock
from dragoman.nn.norm import InstanceNorm

Code = tuple[Tensor, list[Tensor]]
"""The latent code [N, C, h, w], and the indices of each pooling, the finest first."""


def _conv(channels: int, out: int) -> nn.Sequential:
    """Without a bias, which the norm would remove."""
    return nn.Sequential(nn.Conv2d(channels, out, 7, padding=3, bias=False), InstanceNorm(out), nn.ReLU(True))


class Encoder(nn.Module):
    """Convs 7x7 with IN and ReLU, each followed by max pooling, then residual blocks 3x3 (Tables A.7, A.11).

    Args:
        channels: Of the input.
        width: Channels of the first conv, doubling with each; published: 64.
        downs: Convs with pooling; published: 3.
        blocks: Residual blocks; published: 6.
    """

    def __init__(self, channels: int, width: int, downs: int, blocks: int):
        super().__init__()
        wide = [channels, *(width * 2**level for level in range(downs))]
        self.convs = nn.ModuleList(map(_conv, wide, wide[1:]))
        self.body = nn.Sequential(*(ResBlock(wide[-1]) for _ in range(blocks)))

    def forward(self, x: Tensor) -> Code:
        """[N, C, H, W] to its code at H / 2^downs and W / 2^downs, of which H and W must be multiples."""
        (h,), side = self.levels(x)
        return h, side

    def levels(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The code, and the indices; no other features are asked to be consistent."""
        h, side = x, []
        for conv in self.convs:
            h, indices = F.max_pool2d(conv(h), 2, return_indices=True)
            side.append(indices)
        return [self.body(h)], side


class Decoder(nn.Module):
    """Residual blocks 3x3, then unpooling, each followed by a conv 7x7 with IN and ReLU; tanh after the last.

    Tables A.8 and A.12. The arguments are the encoder's; channels are those of the output.
    """

    def __init__(self, channels: int, width: int, downs: int, blocks: int):
        super().__init__()
        wide = [width * 2**level for level in reversed(range(downs))]
        self.body = nn.Sequential(*(ResBlock(wide[0]) for _ in range(blocks)))
        last = nn.Sequential(nn.Conv2d(wide[-1], channels, 7, padding=3), nn.Tanh())
        self.convs = nn.ModuleList([*map(_conv, wide, wide[1:]), last])

    def forward(self, code: Code) -> Tensor:
        """A code of an encoder, any domain's, to [N, channels, H, W] in [-1, 1]."""
        h, side = code
        h = self.body(h)
        for conv, indices in zip(self.convs, reversed(side), strict=True):
            h = conv(F.max_unpool2d(h, indices, [2, 2]))
        return h


class Discriminator(nn.Sequential):
    """Convs 4x4 of stride 2 with LeakyReLU 0.2, width doubling, then conv 1x1 to a number a patch (Table A.9)."""

    def __init__(self, channels: int, width: int, layers: int):
        body: list[nn.Module] = []
        for layer in range(layers):
            body += [nn.Conv2d(channels, width * 2**layer, 4, 2, 1), nn.LeakyReLU(0.2, True)]
            channels = width * 2**layer
        super().__init__(*body, nn.Conv2d(channels, 1, 1))
