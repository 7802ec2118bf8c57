"""SNGAN (Miyato et al. 2018; projection: Miyato & Koyama 2018): residual, spectral norm in the discriminator."""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from dragoman.nets.wgan_resnet import UpBlock, uniform
from dragoman.nn.statistics_norm import BatchNorm

G_WIDTHS = {32: (4, 4, 4, 4), 64: (16, 8, 4, 2, 1), 128: (16, 16, 8, 4, 2, 1)}
"""By size: channels at side 4, 8, ..., size in units of `width`."""
D_WIDTHS = {32: (2, 2, 2, 2), 64: (1, 2, 4, 8, 16), 128: (1, 2, 4, 8, 16, 16)}
"""By size: channels after each block in units of `width`."""
D_HALVINGS = {32: 2, 64: 5, 128: 5}
"""By size: how many blocks, from the first, halve the side."""


def check_size(size: int) -> None:
    """Raise ValueError for another size than 32, 64 or 128."""
    if size not in G_WIDTHS:
        raise ValueError(f"size {size} must be 32, 64 or 128")


def spectral(module: nn.Module) -> None:
    """Divide the weights of every conv and linear layer by their largest singular value; call after initialising.

    Each forward pass in training mode takes one step of the power iteration, whose vectors are buffers.
    """
    for layer in list(module.modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            spectral_norm(layer)


class Block(nn.Module):
    """conv(ReLU(conv(ReLU(x)))) + conv1x1(x), the convs 3x3, and then pooling by the mean. No norm.

    Args:
        channels, hidden, out: Of x, between the convs, of the result.
        first: Whether x is the image, which has no ReLU before it.
        pool: Whether to halve the side; if not, and the channels stay, x is added as it is.
    """

    def __init__(self, channels: int, hidden: int, out: int, first: bool, pool: bool):
        super().__init__()
        self.first, self.pool = first, pool
        self.conv1 = nn.Conv2d(channels, hidden, 3, padding=1)
        self.conv2 = nn.Conv2d(hidden, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1) if pool or channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H / 2, W / 2], or of the same side."""
        y = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if self.pool:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)  # a 1x1 conv and the pooling can change places
        return y + self.shortcut(x)


class Generator(nn.Module):
    """Linear to 4 x 4, one up-block per doubling (128: 1024-1024-512-256-128-64), BN, ReLU, conv 3x3, tanh.

    Args:
        channels, size: Of the image; size 32, 64 or 128.
        width: Unit of the channels, published 64.
        z_dim: Length of z.
        classes: K of a conditional generator, with a scale and offset per class in every batch norm; 0 for one that
            ignores c.
    """

    def __init__(self, channels: int = 3, size: int = 128, width: int = 64, z_dim: int = 128, classes: int = 0):
        super().__init__()
        check_size(size)
        self.channels, self.size, self.z_dim = channels, size, z_dim
        norm = partial(BatchNorm, classes=classes)
        wide = [width * w for w in G_WIDTHS[size]]
        self.input = nn.Linear(z_dim, 16 * wide[0])
        self.blocks = nn.ModuleList(UpBlock(i, o, norm, bias=True) for i, o in pairwise(wide))
        self.norm = BatchNorm(wide[-1])
        self.output = nn.Conv2d(wide[-1], channels, 3, padding=1)
        uniform(self)
        nn.init.xavier_uniform_(self.output.weight)  # no ReLU after it

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, Z] ~ N(0, I) and, if conditional, c [N, K] to images [N, C, size, size] in [-1, 1]."""
        h = self.input(z).view(len(z), -1, 4, 4)
        for block in self.blocks:
            h = block(h, c)
        return torch.tanh(self.output(F.relu(self.norm(h))))


class Discriminator(nn.Module):
    """Residual blocks (128: 64-128-256-512-1024-1024), ReLU, sum over places, linear; spectral norm everywhere.

    Args:
        channels, size, width: As of the generator.
        classes: K of its labels; 0 for none.
        projection: With classes, whether the label comes in by projection instead of out by an auxiliary head.
    """

    def __init__(self, channels: int = 3, size: int = 128, width: int = 64, classes: int = 0, projection: bool = False):
        super().__init__()
        check_size(size)
        wide = [channels, *(width * w for w in D_WIDTHS[size])]
        self.blocks = nn.Sequential(*(
            Block(i, i if number else o, o, first=number == 0, pool=number < D_HALVINGS[size])
            for number, (i, o) in enumerate(pairwise(wide))
        ))  # fmt: skip
        self.value = nn.Linear(wide[-1], 1)
        self.aux = nn.Linear(wide[-1], classes) if classes and not projection else None
        self.embedding = nn.Linear(classes, wide[-1], bias=False) if classes and projection else None
        uniform(self)
        spectral(self)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """[N, C, size, size] to the value [N] and, with an auxiliary head, the logits [N, K] of P(C | x).

        With projection, c [N, K] adds <V c, phi(x)> to the value; None adds nothing.
        """
        h = F.relu(self.blocks(x)).sum((2, 3))
        value = self.value(h)[:, 0]
        if self.embedding is not None and c is not None:
            value = value + (self.embedding(c.to(h.dtype)) * h).sum(1)
        return value, None if self.aux is None else self.aux(h)
