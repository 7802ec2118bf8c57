"""The size at which a network sees an image: the scale of training, and padded to what its layers can take."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.errors import UserError

Scale = Literal["train", "native"]
SCALES = get_args(Scale)
MOST_PIXELS = 2**22
"""Very elongated images, which would grow beyond this at the scale of training, stay at their own."""


def inner_shape(scale: Scale, task: Task, shape: Sequence[int]) -> list[int]:
    """Height and width at which an image of a height and width is to be seen; see `Translator.rescale`.

    Raises:
        UserError: the scale is unknown.
    """
    if scale not in SCALES:
        raise UserError(f"unknown scale {scale!r}; there is: {', '.join(SCALES)}")
    factor = task.shorter_side / min(shape)
    inner = [max(task.shorter_side, round(side * factor)) for side in shape]
    if scale == "native" or factor == 1 or math.prod(inner) > MOST_PIXELS:
        return list(shape)
    return inner


def pad(x: Tensor, stride: int, smallest: int) -> tuple[Tensor, tuple[int, int]]:
    """Pad evenly to multiples of the stride, by reflection; returns where the image starts.

    Where an image is too small to reflect that far, its border is repeated.
    """
    height, width = (max(-(-side // stride) * stride, smallest) for side in x.shape[-2:])
    top, left = (height - x.shape[-2]) // 2, (width - x.shape[-1]) // 2
    sides = (left, width - x.shape[-1] - left, top, height - x.shape[-2] - top)
    reflects = max(sides[:2]) < x.shape[-1] and max(sides[2:]) < x.shape[-2]
    return F.pad(x, sides, mode="reflect" if reflects else "replicate"), (top, left)
