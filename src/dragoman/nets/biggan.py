"""BigGAN (Brock et al. 2019): a class embedding and a chunk of z in every block, spectral norm in both networks."""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nets.sngan import Block, check_size, spectral
from dragoman.nets.wgan_resnet import UpBlock
from dragoman.nn.statistics_norm import BatchNorm, CodeBatchNorm

G_WIDTHS = {32: (4, 4, 4, 4), 64: (16, 16, 8, 4, 2), 128: (16, 16, 8, 4, 2, 1)}
"""By size: channels at side 4, 8, ..., size in units of `width`."""
D_WIDTHS = {32: (4, 4, 4, 4), 64: (1, 2, 4, 8, 16), 128: (1, 2, 4, 8, 16, 16)}
"""By size: channels after each block in units of `width`."""
D_HALVINGS = {32: 2, 64: 4, 128: 5}
"""By size: how many blocks, from the first, halve the side."""


def orthogonal(module: nn.Module) -> None:
    """Orthogonal weights of every conv and linear layer, biases 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Attention(nn.Module):
    """x + gamma * o(softmax(theta(x)^T phi(x)) g(x)), gamma from 0 (SAGAN, Zhang et al. 2019; phi and g pooled)."""

    def __init__(self, channels: int):
        super().__init__()
        self.theta = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.phi = nn.Conv2d(channels, channels // 8, 1, bias=False)
        self.g = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.o = nn.Conv2d(channels // 2, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        query = self.theta(x).flatten(2)  # [N, C / 8, H W]
        key = F.max_pool2d(self.phi(x), 2).flatten(2)
        value = F.max_pool2d(self.g(x), 2).flatten(2)
        share = (query.transpose(1, 2) @ key).softmax(2)  # of each place in what each place sees
        seen = (value @ share.transpose(1, 2).to(value.dtype)).view(len(x), -1, *x.shape[2:])
        return x + self.gamma * self.o(seen)


class Generator(nn.Module):
    """G(z, E(c)): linear to 4 x 4, one up-block per doubling, BN, ReLU, conv 3x3, tanh.

    z is cut into equal chunks: the first goes into the linear layer, one each, with the class embedding, into the
    batch norms of a block (hierarchical z). The embedding E is shared by all of them.

    Args:
        channels, size: Of the image; size 32, 64 or 128.
        classes: K of E.
        width: Unit of the channels, published 96 at 128 x 128, where they are 1536-1536-768-384-192-96.
        z_dim: Length of z, a multiple of the blocks plus one.
        embed_dim: Length of an embedding.
        attention: Side of the features with self-attention, published 64 at 128 x 128; 0 for none.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        classes: int,
        width: int = 96,
        z_dim: int = 120,
        embed_dim: int = 128,
        attention: int = 0,
    ):
        super().__init__()
        check_size(size)
        wide = [width * w for w in G_WIDTHS[size]]
        if z_dim % len(wide):
            raise ValueError(f"z_dim {z_dim} must be a multiple of {len(wide)} at size {size}")
        self.channels, self.size, self.z_dim, self.embed_dim = channels, size, z_dim, embed_dim
        self.chunk = z_dim // len(wide)
        self.attention = attention
        norm = partial(CodeBatchNorm, code=embed_dim + self.chunk)
        self.input = nn.Linear(self.chunk, 16 * wide[0])
        self.blocks = nn.ModuleList(UpBlock(i, o, norm, bias=True) for i, o in pairwise(wide))
        self.attend = Attention(wide[_level(attention, size)]) if attention else None
        self.norm = BatchNorm(wide[-1])
        self.output = nn.Conv2d(wide[-1], channels, 3, padding=1)
        orthogonal(self)
        spectral(self)
        self.E = nn.Linear(classes, embed_dim, bias=False)  # without spectral norm, as published
        orthogonal(self.E)

    def embed(self, c: Tensor) -> Tensor:
        """Codes [N, K] to the class embedding [N, embed_dim]."""
        return self.E(c.to(self.E.weight.dtype))

    def forward(self, z: Tensor, c: Tensor | None = None, embedding: Tensor | None = None) -> Tensor:
        """z [N, Z] ~ N(0, I), and c [N, K] or an embedding [N, embed_dim] in its place, to images in [-1, 1].

        Raises:
            ValueError: both or neither of c and embedding are given.
        """
        if c is not None and embedding is None:
            embedding = self.embed(c)
        elif c is not None or embedding is None:
            raise ValueError("give a code c or an embedding, and not both")
        first, *chunks = z.split(self.chunk, 1)
        h = self.input(first).view(len(z), -1, 4, 4)
        for block, chunk in zip(self.blocks, chunks, strict=True):
            h = block(h, torch.cat([embedding, chunk.to(embedding.dtype)], 1))
            if self.attend is not None and h.shape[-1] == self.attention:
                h = self.attend(h)
        return torch.tanh(self.output(F.relu(self.norm(h))))


class Discriminator(nn.Module):
    """Residual blocks, ReLU, sum over places, linear, and the projection of the label; spectral norm everywhere.

    Args:
        channels, size, classes, width, attention: As of the generator.
    """

    def __init__(self, channels: int, size: int, classes: int, width: int = 96, attention: int = 0):
        super().__init__()
        check_size(size)
        if attention:
            _level(attention, size)
        wide = [channels, *(width * w for w in D_WIDTHS[size])]
        blocks: list[nn.Module] = []
        for number, (i, o) in enumerate(pairwise(wide)):
            blocks.append(Block(i, o, o, first=number == 0, pool=number < D_HALVINGS[size]))
            if attention and size >> (number + 1) == attention and number < D_HALVINGS[size]:
                blocks.append(Attention(o))
        self.blocks = nn.Sequential(*blocks)
        self.value = nn.Linear(wide[-1], 1)
        self.embedding = nn.Linear(classes, wide[-1], bias=False)
        orthogonal(self)
        spectral(self)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, None]:
        """[N, C, size, size] to the value [N], and None for the logits that it does not have.

        c [N, K] adds the projection <V c, phi(x)>; None adds nothing (MineGAN, whose targets have no label).
        """
        h = F.relu(self.blocks(x)).sum((2, 3))
        value = self.value(h)[:, 0]
        return value if c is None else value + (self.embedding(c.to(h.dtype)) * h).sum(1), None


def _level(side: int, size: int) -> int:
    """0 for side 4, 1 for side 8, ... Raises ValueError unless G and D both have blocks that end with that side."""
    if side not in [8 << level for level in range((size // 8).bit_length() - 1)]:
        raise ValueError(f"attention {side} must be 0 or a power of 2 from 8 to {size // 2} at size {size}")
    return (side // 4).bit_length() - 1
