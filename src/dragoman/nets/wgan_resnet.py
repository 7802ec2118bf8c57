"""The residual networks of WGAN-GP (Gulrajani et al. 2017, 64 x 64) as TransferGAN uses them, conditional or not."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nn.statistics_norm import BatchNorm

WIDTHS = (1, 2, 4, 8, 8)
"""Channels at side size, size / 2, ..., in units of `width`; smaller images leave out the last."""


def up(x: Tensor) -> Tensor:
    """Nearest-neighbour upsampling to twice the side."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def uniform(module: nn.Module) -> None:
    """Uniform weights, biases 0: convs 3x3 of variance 4 / (fan-in + fan-out) (He), all else half that (Glorot)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            he = isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)
            nn.init.xavier_uniform_(layer.weight, 2**0.5 if he else 1)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class UpBlock(nn.Module):
    """conv(ReLU(N(conv(up(ReLU(N(x))))))) + up(conv1x1(x)), the convs 3x3: twice the side.

    Args:
        channels, out: Of x and of the result.
        norm: From a number of channels to a norm N(x, c).
        bias: Of the first conv, which the norm after it removes again.
    """

    def __init__(self, channels: int, out: int, norm: Callable[[int], nn.Module], bias: bool = False):
        super().__init__()
        self.norm1 = norm(channels)
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=bias)
        self.norm2 = norm(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, c: Tensor | None) -> Tensor:
        """[N, C, H, W] and what the norms need to [N, O, 2 H, 2 W]."""
        y = self.conv1(up(F.relu(self.norm1(x, c))))
        y = self.conv2(F.relu(self.norm2(y, c)))
        return y + up(self.shortcut(x))  # the same as the conv of the upsampled x, at a quarter of the work


class DownBlock(nn.Module):
    """pool(conv(ReLU(LN(conv(ReLU(LN(x))))))) + conv1x1(pool(x)), the convs 3x3, pooling by the mean: half the side.

    LN is layer norm over C, H and W with a scale and shift per channel, which is a group norm of one group.
    """

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.GroupNorm(1, channels)
        self.conv2 = nn.Conv2d(channels, out, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, O, H / 2, W / 2]."""
        y = self.conv1(F.relu(self.norm1(x)))
        y = self.conv2(F.relu(self.norm2(y)))
        return F.avg_pool2d(y, 2) + self.shortcut(F.avg_pool2d(x, 2))


def widths(size: int, width: int) -> list[int]:
    """Channels from side `size` down to side 4. Raises ValueError for another size than 32 or 64."""
    if size not in (32, 64):
        raise ValueError(f"size {size} must be 32 or 64; choose one by --data.size")
    return [width * w for w in WIDTHS[: size.bit_length() - 2]]


class Generator(nn.Module):
    """Linear to 4 x 4, one up-block per doubling (64: 512-512-256-128-64), BN, ReLU, conv 3x3, tanh.

    Args:
        channels, size: Of the image; size 32 or 64.
        width: Channels before the last conv, published 64 (halved in thesis A.1.2).
        z_dim: Length of z.
        classes: K of a conditional generator; 0 for an unconditional one, which ignores c.
        condition: "bnorm" for a scale and offset per class in every batch norm (Cond BNorm), "concat" for c appended
            to z (Cond Concat); thesis 2.4.1.
    """

    def __init__(
        self,
        channels: int = 3,
        size: int = 64,
        width: int = 64,
        z_dim: int = 128,
        classes: int = 0,
        condition: Literal["bnorm", "concat"] = "bnorm",
    ):
        super().__init__()
        self.channels, self.size, self.z_dim = channels, size, z_dim
        self.concat = classes > 0 and condition == "concat"
        norm = partial(BatchNorm, classes=0 if self.concat else classes)
        wide = widths(size, width)[::-1]
        self.input = nn.Linear(z_dim + (classes if self.concat else 0), 16 * wide[0])
        self.blocks = nn.ModuleList(UpBlock(i, o, norm) for i, o in pairwise(wide))
        self.norm = norm(wide[-1])
        self.output = nn.Conv2d(wide[-1], channels, 3, padding=1)
        uniform(self)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, Z] ~ N(0, I) and, if conditional, c [N, K] to images [N, C, size, size] in [-1, 1]."""
        h = self.input(with_code(z, c) if self.concat else z)
        h = h.view(len(z), -1, 4, 4)
        for block in self.blocks:
            h = block(h, c)
        return torch.tanh(self.output(F.relu(self.norm(h, c))))


class Critic(nn.Module):
    """Conv 3x3, one down-block per halving to 4 x 4 (64: 64-128-256-512-512), linear without offset.

    With classes a second linear layer is the auxiliary classifier (AC-GAN).

    Args:
        channels, size, width: As of the generator.
        classes: K of the auxiliary classifier; 0 for none.
    """

    def __init__(self, channels: int = 3, size: int = 64, width: int = 64, classes: int = 0):
        super().__init__()
        wide = widths(size, width)
        self.input = nn.Conv2d(channels, wide[0], 3, padding=1)
        self.blocks = nn.Sequential(*(DownBlock(i, o) for i, o in pairwise(wide)))
        self.value = nn.Linear(16 * wide[-1], 1, bias=False)  # an offset would cancel in the losses
        self.aux = nn.Linear(16 * wide[-1], classes) if classes else None
        uniform(self)
        nn.init.xavier_uniform_(self.input.weight)  # no ReLU before it

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """[N, C, size, size] to the value [N] and, with classes, the logits [N, K] of P(C | x)."""
        h = self.blocks(self.input(x)).flatten(1)
        return self.value(h)[:, 0], None if self.aux is None else self.aux(h)


def with_code(z: Tensor, c: Tensor | None) -> Tensor:
    """[N, Z] and [N, K] to [N, Z + K] (Cond Concat). Raises ValueError without c."""
    if c is None:
        raise ValueError("a conditional generator needs a code c [N, K], not None")
    return torch.cat([z, c.to(z.dtype)], 1)


@torch.no_grad()
def conditional_from(
    unconditional_state: Mapping[str, Tensor], conditional_net: nn.Module, condition: Literal["bnorm", "concat"]
) -> None:
    """Start a conditional generator from an unconditional one's weights (thesis 2.4.1).

    With "bnorm" every class gets the scale and offset of the unconditional norm. With "concat" the weights from c to
    the first layer, `input`, stay random as they are. Everything else is copied.

    Args:
        unconditional_state: The state of the same generator without classes.
        conditional_net: Changed in place; any generator whose first layer is `input`.
        condition: What it was built with.
    """
    state = dict(unconditional_state)
    if condition == "concat":
        old, new = state["input.weight"], conditional_net.get_parameter("input.weight")
        state["input.weight"] = torch.cat([old, new[:, old.shape[1] :].to(old)], 1)
    else:
        for name, layer in conditional_net.named_modules():
            if isinstance(layer, BatchNorm):
                unconditional = BatchNorm(layer.channels)
                unconditional.load_state_dict({key: state[f"{name}.{key}"] for key in unconditional.state_dict()})
                layer.copy_classes_from(unconditional)
                state |= {f"{name}.{key}": value for key, value in layer.state_dict().items()}
    conditional_net.load_state_dict(state)
