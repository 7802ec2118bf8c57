"""Progressive GAN (Karras et al. 2018, Table 2): grows by a level, from 4 x 4 on, each faded in over the one before."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nets.wgan_resnet import up, with_code

GAIN = 2**0.5
"""He's constant, of a layer before a ReLU."""


def pixel_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean of x^2 over channels + 1e-8), in fp32: [N, C, ...] to the same shape."""
    y = x.float()
    return (y * torch.rsqrt(y.square().mean(1, keepdim=True) + 1e-8)).to(x.dtype)


class EqualConv2d(nn.Conv2d):
    """A conv of padding "same" with equalised learning rate: weights from N(0, 1), times gain / sqrt(fan-in) in use."""

    def __init__(self, channels: int, out: int, kernel: int, gain: float = GAIN):
        super().__init__(channels, out, kernel, padding=kernel // 2)
        self.scale = gain / (channels * kernel * kernel) ** 0.5
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H, W]."""
        return self._conv_forward(input, self.weight * self.scale, self.bias)


class EqualLinear(nn.Linear):
    """A linear layer with equalised learning rate: weights from N(0, 1), times gain / sqrt(fan-in) in use."""

    def __init__(self, features: int, out: int, gain: float = GAIN, bias: bool = True):
        super().__init__(features, out, bias)
        self.scale = gain / features**0.5
        nn.init.normal_(self.weight)
        if bias:
            nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """[N, C] to [N, O]."""
        return F.linear(input, self.weight * self.scale, self.bias)


def widths(size: int, width: int) -> list[int]:
    """Channels by level, of side 4, 8, ..., size: `width` up to 32, from there halved with every doubling.

    Raises:
        ValueError: size is no power of 2 of at least 4, or too large for anything to remain of width.
    """
    levels = size.bit_length() - 2
    if size < 4 or size != 2 ** (levels + 1) or width >> max(0, levels - 4) < 1:
        raise ValueError(f"size {size} must be a power of 2, at least 4, with enough width ({width}) to halve")
    return [width >> max(0, level - 3) for level in range(levels)]


def level_of(size: int) -> int:
    """0 for side 4, 1 for 8, ...: the level of images of a side that is a power of 2."""
    return size.bit_length() - 3


def _sides(first: int, size: int) -> list[int]:
    """first, 2 first, ..., size."""
    if first < 4 or first & (first - 1) or first > size:
        raise ValueError(f"the first size {first} must be a power of 2 from 4 to {size}")
    return [4 << level for level in range(level_of(first), level_of(size) + 1)]


class GBlock(nn.Module):
    """Twice: conv 3x3, LeakyReLU 0.2, pixel norm."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = EqualConv2d(channels, out, 3)
        self.conv2 = EqualConv2d(out, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H, W]."""
        x = pixel_norm(F.leaky_relu(self.conv1(x), 0.2))
        return pixel_norm(F.leaky_relu(self.conv2(x), 0.2))


class Generator(nn.Module):
    """Pixel norm of z, linear to 4 x 4, conv 3x3; per level upsampling and two convs 3x3; conv 1x1 to the image, tanh.

    The published last layer is linear; tanh keeps the images in [-1, 1].

    Args:
        channels, size: Of the image; size a power of 2, published 1024.
        width: Channels up to side 32, published 512.
        z_dim: Length of z.
        classes: K of a conditional generator, with c appended to z; 0 for one that ignores c.
        first: Side of the smallest image it can make, so that it can grow from there; `size` if it is not to grow.
    """

    grown: Tensor
    """The level that has been faded in last; a number."""

    def __init__(
        self,
        channels: int = 3,
        size: int = 1024,
        width: int = 512,
        z_dim: int = 512,
        classes: int = 0,
        first: int | None = None,
    ):
        super().__init__()
        self.channels, self.size, self.z_dim, self.classes = channels, size, z_dim, classes
        wide = widths(size, width)
        sides = _sides(first or size, size)
        # One number of each channel at each of 16 places: the fan-in of the published conv 4x4 counts all 16.
        self.input = EqualLinear(z_dim + classes, 16 * wide[0], gain=GAIN / 4, bias=False)
        self.bias = nn.Parameter(torch.zeros(wide[0], 1, 1))
        self.first = EqualConv2d(wide[0], wide[0], 3)
        self.blocks = nn.ModuleList(GBlock(i, o) for i, o in pairwise(wide))
        self.to_image = nn.ModuleDict({str(s): EqualConv2d(wide[level_of(s)], channels, 1, gain=1) for s in sides})
        self.register_buffer("grown", torch.tensor(level_of(sides[0])))

    def forward(self, z: Tensor, c: Tensor | None = None, alpha: float = 1.0, level: int | None = None) -> Tensor:
        """z [N, Z] ~ N(0, I) and, if conditional, c [N, K] to images [N, C, S, S] in [-1, 1], S = 4 * 2^level.

        Args:
            z, c: The codes.
            alpha: How far the level is faded in: 0 gives the image of the level below, upsampled.
            level: Of side `first` or more; None for the last, of side `size`.
        """
        level = len(self.blocks) if level is None else level
        h = self.input(pixel_norm(with_code(z, c) if self.classes else z)).view(len(z), -1, 4, 4) + self.bias
        h = pixel_norm(F.leaky_relu(h, 0.2))
        h = below = pixel_norm(F.leaky_relu(self.first(h), 0.2))
        for block in self.blocks[:level]:
            below = h
            h = block(up(h))
        image = self.to_image[str(4 << level)](h)
        if level and alpha < 1:
            image = alpha * image + (1 - alpha) * up(self.to_image[str(2 << level)](below))
        return torch.tanh(image)


class DBlock(nn.Module):
    """Two convs 3x3 with LeakyReLU 0.2, pooling by the mean: half the side."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = EqualConv2d(channels, channels, 3)
        self.conv2 = EqualConv2d(channels, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H / 2, W / 2]."""
        x = F.leaky_relu(self.conv1(x), 0.2)
        return F.avg_pool2d(F.leaky_relu(self.conv2(x), 0.2), 2)


def with_deviation(x: Tensor) -> Tensor:
    """[N, C, H, W] to [N, C + 1, H, W]: one more map, the standard deviation over the batch, averaged over the rest."""
    deviation = (x.float().var(0, correction=0) + 1e-8).sqrt().mean().to(x.dtype)
    return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)


class Critic(nn.Module):
    """Conv 1x1 from the image; per level two convs 3x3 and pooling; at 4 x 4 a conv 3x3 and two linear layers.

    Before the last conv the minibatch standard deviation is appended as a map, over the whole batch.

    Args:
        channels, size, width: As of the generator.
        classes: K of the auxiliary classifier; 0 for none.
        first: Side of the smallest image it can judge; `size` if it is not to grow.
    """

    def __init__(
        self, channels: int = 3, size: int = 1024, width: int = 512, classes: int = 0, first: int | None = None
    ):
        super().__init__()
        wide = widths(size, width)
        sides = _sides(first or size, size)
        self.from_image = nn.ModuleDict({str(s): EqualConv2d(channels, wide[level_of(s)], 1) for s in sides})
        self.blocks = nn.ModuleList(DBlock(i, o) for o, i in pairwise(wide))
        self.last = EqualConv2d(wide[0] + 1, wide[0], 3)
        self.linear = EqualLinear(16 * wide[0], wide[0])
        self.value = EqualLinear(wide[0], 1, gain=1)
        self.aux = EqualLinear(wide[0], classes, gain=1) if classes else None

    def forward(self, x: Tensor, alpha: float = 1.0) -> tuple[Tensor, Tensor | None]:
        """[N, C, S, S] to the value [N] and, with classes, the logits [N, K] of P(C | x).

        Args:
            x: Its side S = 4 * 2^level decides the level; S is `first` or more.
            alpha: How far the level is faded in, as in the generator.
        """
        level = level_of(x.shape[-1])
        h = F.leaky_relu(self.from_image[str(4 << level)](x), 0.2)
        for number in reversed(range(level)):
            h = self.blocks[number](h)
            if number == level - 1 and alpha < 1:
                below = F.leaky_relu(self.from_image[str(2 << level)](F.avg_pool2d(x, 2)), 0.2)
                h = alpha * h + (1 - alpha) * below
        h = F.leaky_relu(self.last(with_deviation(h)), 0.2)
        h = F.leaky_relu(self.linear(h.flatten(1)), 0.2)
        return self.value(h)[:, 0], None if self.aux is None else self.aux(h)


def added(net: Generator | Critic, level: int) -> list[nn.Parameter]:
    """What a level adds to a network, its image layer aside: its block, and at 4 x 4 all that is in none."""
    if level:
        return list(net.blocks[level - 1].parameters())
    later = ("blocks.", "to_image.", "from_image.")
    return [p for name, p in net.named_parameters() if not name.startswith(later)]
