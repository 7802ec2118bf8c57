"""Inception v3 as the Frechet Inception Distance knows it: TensorFlow's graph of 2015-12-05, in the layout of the state
dict published for pytorch-fid and torch-fidelity."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = 299
TAPS = {"pool1": 3, "pool2": 6, "mixed6e": 14, "pool3": 19, "logits": 20}
"""Layers: name -> place. pool3: [N, 2048]; logits: [N, 1008], of which Inception Scores leave out the bias."""


class Prepare(nn.Module):
    """Images in [-1, 1] to what the graph sees: resized as TensorFlow 1 did, (v - 128) / 128 of v in [0, 255].

    Corners are not aligned and nothing is smoothed: pixel i of the result lies at i * size / 299 of the image.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] to [N, 3, 299, 299]."""
        x = x.float() * 127.5 + 127.5
        for dim in (3, 2):
            size = x.shape[dim]
            place = torch.arange(SIZE, dtype=torch.float32, device=x.device) * (size / SIZE)
            low = place.long()
            weight = (place - low).view(-1, *[1] * (3 - dim))
            x = torch.lerp(x.index_select(dim, low), x.index_select(dim, (low + 1).clamp(max=size - 1)), weight)
        return (x - 128) / 128


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels: int, width: int, kernel: int | tuple[int, int], stride: int = 1,
                 padding: int | tuple[int, int] = 0):  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(channels, width, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, width, h, w]."""
        return self.bn(self.conv(x)).relu_()


Step = tuple[str, int, tuple[int, int], int]
"""Name, width, kernel, stride."""


class Mixed(nn.Module):
    """Branches side by side: chains of convolutions, and a pooling.

    A chain may fork at its end: two convolutions whose names end in a and b both read what comes before them.
    """

    def __init__(self, channels: int, branches: Sequence[Sequence[Step]], pool: str, pooled: int = 0):
        """`pool` is average, max or reduce (stride 2); `pooled` the width of a 1x1 convolution after it, 0 for none."""
        super().__init__()
        self.chains = [[step[0] for step in branch] for branch in branches]
        for branch in branches:
            before = channels
            for name, width, kernel, stride in branch:
                padding = (kernel[0] // 2, kernel[1] // 2) if stride == 1 else 0
                setattr(self, name, ConvNorm(before, width, kernel, stride, padding))
                before = before if name.endswith("a") else width
        self.pool = pool
        self.branch_pool = ConvNorm(channels, pooled, 1) if pooled else None

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, sum of the widths, h, w]."""
        found = []
        for chain in self.chains:
            h = x
            for name in chain:
                if name.endswith("b"):
                    continue
                layer = getattr(self, name)
                h = torch.cat([layer(h), getattr(self, name[:-1] + "b")(h)], 1) if name.endswith("a") else layer(h)
            found.append(h)
        if self.pool == "average":  # of what lies inside the image
            h = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        elif self.pool == "max":
            h = F.max_pool2d(x, 3, 1, 1)
        else:
            h = F.max_pool2d(x, 3, 2)
        found.append(self.branch_pool(h) if self.branch_pool else h)
        return torch.cat(found, 1)


ONE, THREE, FIVE, ROW, COLUMN = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


def _a(channels: int, pooled: int) -> Mixed:
    return Mixed(
        channels,
        [
            [("branch1x1", 64, ONE, 1)],
            [("branch5x5_1", 48, ONE, 1), ("branch5x5_2", 64, FIVE, 1)],
            [("branch3x3dbl_1", 64, ONE, 1), ("branch3x3dbl_2", 96, THREE, 1), ("branch3x3dbl_3", 96, THREE, 1)],
        ],
        "average",
        pooled,
    )


def _b() -> Mixed:
    return Mixed(
        288,
        [
            [("branch3x3", 384, THREE, 2)],
            [("branch3x3dbl_1", 64, ONE, 1), ("branch3x3dbl_2", 96, THREE, 1), ("branch3x3dbl_3", 96, THREE, 2)],
        ],
        "reduce",
    )


def _c(width: int) -> Mixed:
    double = [("branch7x7dbl_1", width, ONE, 1)]
    double += [(f"branch7x7dbl_{n}", 192 if n == 5 else width, ROW if n % 2 else COLUMN, 1) for n in (2, 3, 4, 5)]
    return Mixed(
        768,
        [
            [("branch1x1", 192, ONE, 1)],
            [("branch7x7_1", width, ONE, 1), ("branch7x7_2", width, ROW, 1), ("branch7x7_3", 192, COLUMN, 1)],
            double,
        ],
        "average",
        192,
    )


def _d() -> Mixed:
    return Mixed(
        768,
        [
            [("branch3x3_1", 192, ONE, 1), ("branch3x3_2", 320, THREE, 2)],
            [("branch7x7x3_1", 192, ONE, 1), ("branch7x7x3_2", 192, ROW, 1), ("branch7x7x3_3", 192, COLUMN, 1),
             ("branch7x7x3_4", 192, THREE, 2)],
        ],
        "reduce",
    )  # fmt: skip


def _e(channels: int, pool: str) -> Mixed:
    return Mixed(
        channels,
        [
            [("branch1x1", 320, ONE, 1)],
            [("branch3x3_1", 384, ONE, 1), ("branch3x3_2a", 384, (1, 3), 1), ("branch3x3_2b", 384, (3, 1), 1)],
            [("branch3x3dbl_1", 448, ONE, 1), ("branch3x3dbl_2", 384, THREE, 1), ("branch3x3dbl_3a", 384, (1, 3), 1),
             ("branch3x3dbl_3b", 384, (3, 1), 1)],
        ],
        pool,
        192,
    )  # fmt: skip


def inception() -> nn.Sequential:
    """All layers to the 1008 logits; the pooling of the last block takes the maximum, as the published graph does."""
    layers: dict[str, nn.Module] = {
        "Conv2d_1a_3x3": ConvNorm(3, 32, 3, 2),
        "Conv2d_2a_3x3": ConvNorm(32, 32, 3),
        "Conv2d_2b_3x3": ConvNorm(32, 64, 3, padding=1),
        "pool1": nn.MaxPool2d(3, 2),
        "Conv2d_3b_1x1": ConvNorm(64, 80, 1),
        "Conv2d_4a_3x3": ConvNorm(80, 192, 3),
        "pool2": nn.MaxPool2d(3, 2),
        "Mixed_5b": _a(192, 32),
        "Mixed_5c": _a(256, 64),
        "Mixed_5d": _a(288, 64),
        "Mixed_6a": _b(),
        "Mixed_6b": _c(128),
        "Mixed_6c": _c(160),
        "Mixed_6d": _c(160),
        "Mixed_6e": _c(192),
        "Mixed_7a": _d(),
        "Mixed_7b": _e(1280, "average"),
        "Mixed_7c": _e(2048, "max"),
        "pool3": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "fc": nn.Linear(2048, 1008),
    }
    return nn.Sequential(OrderedDict(layers))
