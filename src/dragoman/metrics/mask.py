"""How well a method's mask of where it changes an image agrees with where the image has to change."""

import torch
from torch import Tensor

CHANGE = 4 / 255
"""Least difference in [-1, 1], two grey levels of 255, that counts as a change."""


def changed_region(x: Tensor, truth: Tensor) -> Tensor:
    """Where an image has to change: bool [N, 1, H, W], where any channel of x and the true answer differ visibly.

    Args:
        x, truth: [N, C, H, W] in [-1, 1].
    """
    return ((x - truth).abs() > CHANGE).any(1, keepdim=True)


def mask_iou(mask: Tensor, region: Tensor) -> Tensor:
    """Intersection over union [N] in [0, 1] of a soft mask with a region, at equal area.

    Of each mask as many pixels are taken, the strongest, as its region has: what is compared is where the mask lies,
    not how it is scaled. A random mask reaches q / (2 - q), where q is the region's share of the image.

    Args:
        mask: [N, 1, H, W], larger where the method changes more.
        region: bool [N, 1, H, W]; one that is empty gives NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if mask.shape != region.shape:
        raise ValueError(f"mask and region must have the same shape, got {tuple(mask.shape)} and {tuple(region.shape)}")
    strength, wanted = mask.flatten(1).double(), region.flatten(1)
    area = wanted.sum(1, keepdim=True)
    rank = torch.argsort(strength, dim=1, descending=True, stable=True).argsort(1)
    common = ((rank < area) & wanted).sum(1, keepdim=True)
    return torch.where(area > 0, common.double() / (2 * area - common), torch.nan)[:, 0]
