"""LPIPS: perceptual distance in the features of a published network (Zhang et al., CVPR 2018)."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.errors import UserError
from dragoman.nets.frozen import Frozen, frozen, missing

Backbone = Literal["squeeze", "alex", "vgg"]
NETWORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "squeeze": ("squeezenet", ("relu1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")),
    "alex": ("alexnet", ("relu1", "relu2", "relu3", "relu4", "relu5")),
    "vgg": ("vgg16", ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")),
}
"""Backbone -> network and its layers."""

SMALLEST = 32
"""Least height and width in pixels: below, the last layers have no pixel left. Nothing is resized."""
BATCH_PIXELS = 64 * 64 * 64
"""Pixels that go through a network at once."""


def lpips(x: Tensor, y: Tensor, backbone: Backbone = "squeeze") -> Tensor:
    """LPIPS [N] of pairs of images, version 0.1 with the published linear weights; 0 for equal images.

    SqueezeNet's weights may be rounded to 16 bits; a second rounding of that size moves LPIPS by about 0.02 %.

    Args:
        x, y: [N, 3 or 1, H, W] in [-1, 1], at least 32 pixels high and wide; a single channel is repeated.
        backbone: squeeze, alex or vgg.

    Raises:
        ValueError: the shapes differ, an image is too small, or the values cannot be [-1, 1].
        UserError: the network's weights are not on this machine.
    """
    if x.shape != y.shape:
        raise ValueError(f"LPIPS needs images of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    return published(backbone)(x, y)


def lacking(backbone: str) -> str:
    """In words what is missing for a backbone; empty if all is here."""
    return missing(NETWORKS[backbone][0]) or ("" if _heads_file(backbone).is_file() else "torchmetrics")


def lpips_map(x: Tensor, y: Tensor, backbone: Backbone = "squeeze") -> Tensor:
    """The same at every pixel, [N, 1, H, W]: each layer's distances, enlarged bilinearly, summed.

    For means inside and outside a region (`metrics.counterfactual.inside_outside`); the mean of a map is near
    `lpips`, not equal, as the layers' places do not divide the image evenly.
    """
    if x.shape != y.shape:
        raise ValueError(f"LPIPS needs images of one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    metric = published(backbone)
    pairs = zip(_batches(x), _batches(y), strict=True)
    return torch.cat([metric.map(metric.features(a), metric.features(b), x.shape[2:]) for a, b in pairs])


class LPIPS:
    """The distance with one network in memory."""

    def __init__(self, net: Frozen, heads: list[Tensor]):
        """`heads` has a weight [C] for each layer of `net`, not negative."""
        self.net, self.heads = net, heads

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """[N] of x, y [N, C, H, W]."""
        pairs = zip(_batches(x), _batches(y), strict=True)
        return torch.cat([self.distance(self.features(a), self.features(b)) for a, b in pairs])

    def features(self, x: Tensor) -> list[Tensor]:
        """Per layer [N, C, h, w], of unit length over the channels: computed once for any number of pairs."""
        if min(x.shape[2:]) < SMALLEST:
            raise ValueError(f"LPIPS needs at least {SMALLEST} x {SMALLEST} pixels, got {x.shape[3]} x {x.shape[2]}")
        if not x.abs().max() <= 1.01:  # NaN included
            raise ValueError(f"LPIPS needs images in [-1, 1], got values up to {x.abs().max().item():.3g}")
        with torch.no_grad():
            found = self.net(x.float().contiguous(memory_format=torch.channels_last))
        return [F.normalize(h, dim=1, eps=1e-10) for h in found]

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """[N] of the features of N pairs, float64."""
        return torch.stack([layer.double().mean((1, 2, 3)) for layer in self._layers(a, b)]).sum(0)

    def map(self, a: list[Tensor], b: list[Tensor], size: Sequence[int]) -> Tensor:
        """[N, 1, *size] of the features of N pairs."""
        maps = [F.interpolate(layer, tuple(size), mode="bilinear") for layer in self._layers(a, b)]
        return torch.stack(maps).sum(0)

    def _layers(self, a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        """Per layer [N, 1, h, w]: w * (a - b)^2, summed over the channels."""
        parts = zip(a, b, self.heads, strict=True)
        return [torch.einsum("nchw,c->nhw", (fa - fb) ** 2, w.to(fa))[:, None] for fa, fb, w in parts]


def diversity(outputs: Tensor, metric: LPIPS, pairs: int, seed: int = 0) -> Tensor:
    """Mean LPIPS [N] between outputs of the same input.

    All pairs of the S outputs if there are no more than `pairs` (10 outputs per input: SDIT 6.4.2, RG-UNIT 4.1), else
    `pairs` of them drawn for each input (19 per input: cross-granularity 4.2).

    Args:
        outputs: [S, N, C, H, W] in [-1, 1], S of at least 2.
        metric: The distance.
        pairs: Most pairs per input.
        seed: Of the draw.

    Raises:
        ValueError: fewer than two outputs per input.
    """
    if len(outputs) < 2:
        raise ValueError(f"diversity needs at least two outputs per input, got {len(outputs)}")
    every = list(combinations(range(len(outputs)), 2))
    generator = torch.Generator().manual_seed(seed)
    values = []
    for one in outputs.unbind(1):  # [S, C, H, W]
        drawn = torch.randperm(len(every), generator=generator)[:pairs].tolist()
        first, second = (torch.tensor(side) for side in zip(*(every[k] for k in drawn), strict=True))
        features = metric.features(one)
        values.append(metric.distance([f[first] for f in features], [f[second] for f in features]).mean())
    return torch.stack(values)


@lru_cache(maxsize=3)
def published(backbone: str) -> LPIPS:
    """The published distance; its linear weights ship inside torchmetrics.

    Raises:
        ValueError: an unknown backbone.
        UserError: weights or torchmetrics are missing.
    """
    if backbone not in NETWORKS:
        raise ValueError(f"no LPIPS backbone {backbone!r}; there is: {', '.join(get_args(Backbone))}")
    return LPIPS(frozen(*NETWORKS[backbone]), heads(backbone))


def heads(backbone: str) -> list[Tensor]:
    """The published linear weights [C] of each layer.

    Raises:
        UserError: torchmetrics, inside which they ship, is missing.
    """
    path = _heads_file(backbone)
    if not path.is_file():
        raise UserError("LPIPS needs torchmetrics; run: pip install 'dragoman[metrics]'")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return [state[f"lin{k}.model.1.weight"].flatten() for k in range(len(NETWORKS[backbone][1]))]


def _heads_file(backbone: str) -> Path:
    """Found without importing torchmetrics, which would take seconds."""
    from importlib.util import find_spec

    spec = find_spec("torchmetrics")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    return folder / "functional" / "image" / "lpips_models" / f"{backbone}.pth"


def _batches(images: Tensor) -> Sequence[Tensor]:
    parts: Sequence[Tensor] = images.split(max(1, BATCH_PIXELS // (images.shape[2] * images.shape[3])))
    return parts
