"""The networks of UNIT (Liu et al., NIPS 2017) as EGSC-IT uses them: no norm in E and G, padding by reflection."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nn.noise import normal_like
from dragoman.nn.norm import InstanceNorm


class ResBlock(nn.Module):
    """x + conv(ReLU(conv(x))), 3x3."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        return x + self.conv2(F.relu(self.conv1(x)))


class Encoder(nn.Sequential):
    """Conv 7x7, `downs` convs 3x3 of stride 2, each with LeakyReLU 0.2, and residual blocks."""

    def __init__(self, channels: int, width: int, downs: int, blocks: int):
        body = [nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"), nn.LeakyReLU(0.2, True)]
        for level in range(downs):
            wide = width * 2**level
            body += [nn.Conv2d(wide, 2 * wide, 3, 2, 1, padding_mode="reflect"), nn.LeakyReLU(0.2, True)]
        super().__init__(*body, *(ResBlock(width * 2**downs) for _ in range(blocks)))


class Decoder(nn.Sequential):
    """Residual blocks, `ups` transposed convs 3x3 of stride 2 with LeakyReLU 0.2, conv 1x1 to the image, tanh."""

    def __init__(self, channels: int, width: int, ups: int, blocks: int):
        body: list[nn.Module] = [ResBlock(width * 2**ups) for _ in range(blocks)]
        for level in reversed(range(ups)):
            out = width * 2**level
            body += [nn.ConvTranspose2d(2 * out, out, 3, 2, 1, output_padding=1), nn.LeakyReLU(0.2, True)]
        super().__init__(*body, nn.Conv2d(width, channels, 1), nn.Tanh())


class Encoders(nn.Module):
    """E_A and E_B, which share their last residual block."""

    def __init__(self, channels: int, width: int, downs: int, blocks: int):
        super().__init__()
        self.own = nn.ModuleList(Encoder(channels, width, downs, blocks - 1) for _ in range(2))
        self.shared = ResBlock(width * 2**downs)

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Images [N, C, H, W] of domain 0 or 1 to the mean of the latent code, [N, F, h, w]."""
        return self.shared(self.own[domain](x))


class Generators(nn.Module):
    """G_A and G_B, which share their first residual block."""

    def __init__(self, channels: int, width: int, downs: int, blocks: int):
        super().__init__()
        self.shared = ResBlock(width * 2**downs)
        self.own = nn.ModuleList(Decoder(channels, width, downs, blocks - 1) for _ in range(2))

    def content(self, z: Tensor) -> Tensor:
        """The high-level content c [N, F, h, w] of a latent code of that shape."""
        return self.shared(z)

    def forward(self, c: Tensor, domain: int) -> Tensor:
        """Content [N, F, h, w] to images [N, C, H, W] of domain 0 or 1."""
        return self.own[domain](c)


class Discriminator(nn.Module):
    """Convs 4x4 of stride 2, width doubling, LeakyReLU 0.2, IN from the second on; conv 1x1 to one number a place.

    Odd sizes are padded by one pixel more on the right and below, so that each layer halves, rounding up.
    """

    def __init__(self, channels: int, width: int, layers: int):
        super().__init__()
        wide = [channels, *(width * 2**layer for layer in range(layers))]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 4, 2) for i, o in pairwise(wide))
        self.norms = nn.ModuleList([nn.Identity(), *(InstanceNorm(o) for o in wide[2:])])
        self.last = nn.Conv2d(wide[-1], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to realness [N, 1, h, w]."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            height, width = x.shape[2:]
            x = F.pad(x, (1, 1 + width % 2, 1, 1 + height % 2), mode="reflect")
            x = F.leaky_relu(norm(conv(x)), 0.2)
        return self.last(x)


class Discriminators(nn.ModuleList):
    """D_A and D_B."""

    def __init__(self, channels: int, width: int, layers: int):
        super().__init__(Discriminator(channels, width, layers) for _ in range(2))

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Images [N, C, H, W] of domain 0 or 1, or translated to it, to realness [N, 1, h, w]."""
        return self[domain](x)


def noisy(h: Tensor) -> Tensor:
    """z ~ N(h, I): the latent code of a VAE of fixed variance."""
    return h + normal_like(h)
