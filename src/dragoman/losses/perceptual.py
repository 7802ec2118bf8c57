"""Losses on the features of a frozen network."""

from collections.abc import Sequence

import torch
from torch import Tensor


def unit_norm(feature: Tensor) -> Tensor:
    """A feature map [N, C, H, W] with each channel divided by its L2 norm over the pixels, in fp32."""
    feature = feature.float()
    return feature / torch.linalg.vector_norm(feature, dim=(2, 3), keepdim=True).clamp_min(1e-6)


def gram(feature: Tensor) -> Tensor:
    """[N, C, H, W] to F F^T / (H W), [N, C, C], in fp32 (Gatys et al. 2016)."""
    with torch.autocast(feature.device.type, enabled=False):
        flat = feature.float().flatten(2)
        return flat @ (flat / flat.shape[2]).transpose(1, 2)  # divided before, because C x C is the larger


def content_distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """sum_i (i / n) E|ours_i - theirs_i| over n layers, shallow first (EGSC-IT, Eq. 5 with linear weights)."""
    n = len(ours)
    terms = [(i / n) * (x - y).abs().mean() for i, (x, y) in enumerate(zip(ours, theirs, strict=True), 1)]
    return torch.stack(terms).sum()


def style_distance(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> Tensor:
    """sum_i E|Gram(ours_i) - Gram(theirs_i)| (EGSC-IT, Eq. 5)."""
    terms = [(gram(x) - gram(y)).abs().mean() for x, y in zip(ours, theirs, strict=True)]
    return torch.stack(terms).sum()
