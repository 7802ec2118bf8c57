"""The U-Net of pix2pix (Isola et al., CVPR 2017): an encoder and a decoder with skip connections between them."""

import torch
from torch import Tensor, nn

from dragoman.nn.norm import InstanceNorm


class UNet(nn.Module):
    """Convs 4x4 of stride 2 with LeakyReLU 0.2, then transposed ones with ReLU, which also see what had their size.

    IN with scale and shift follows all but the first conv, the last, and the innermost: that one may leave a single
    pixel, which IN would make 0.
    """

    def __init__(self, channels: int, out: int, width: int, levels: int, dropouts: int):
        """Random weights.

        Args:
            channels: Of the input.
            out: Of the output, which is unbounded.
            width: Channels of the first conv, doubling up to 8 times.
            levels: Strided convs, and as many transposed ones. Height and width must be multiples of 2^levels.
            dropouts: First layers of the decoder with dropout 0.5, at most all but the last.
        """
        super().__init__()
        wide = [width * min(2**level, 8) for level in range(levels)]
        down: list[nn.Module] = [nn.Conv2d(channels, wide[0], 4, 2, 1)]
        for level in range(1, levels):
            last = level == levels - 1
            conv = nn.Conv2d(wide[level - 1], wide[level], 4, 2, 1, bias=last)
            down.append(nn.Sequential(nn.LeakyReLU(0.2), conv, nn.Identity() if last else InstanceNorm(wide[level])))
        up: list[nn.Module] = []
        for level in range(levels - 1, 0, -1):
            joined = wide[level] * (1 if level == levels - 1 else 2)
            larger = nn.ConvTranspose2d(joined, wide[level - 1], 4, 2, 1, bias=False)
            block = [nn.ReLU(), larger, InstanceNorm(wide[level - 1])]
            up.append(nn.Sequential(*block, *[nn.Dropout(0.5)] * (len(up) < dropouts)))
        joined = wide[0] * (1 if levels == 1 else 2)
        up.append(nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(joined, out, 4, 2, 1)))
        self.down, self.up = nn.ModuleList(down), nn.ModuleList(up)

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] to [N, out, H, W]."""
        kept = []
        for down in self.down:
            x = down(x)
            kept.append(x)
        kept.pop()
        for up in self.up:
            x = up(x)
            if kept:
                x = torch.cat([x, kept.pop()], 1)
        return x
