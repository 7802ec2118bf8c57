"""Files of modalities to tensors and back: images, depths in metres, and segmentations as class numbers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from dragoman.data.image import BadImage, bounded, decoding, read
from dragoman.data.modality import UNLABELLED, Colour, Kind, Modality

Source = Path | str | Image.Image | np.ndarray

PER_METRE = 256
"""Of the values of a 16-bit depth file."""
LEAST = 1 / PER_METRE
"""Metres: predicted depths are not less, for 0 would say that they are unknown."""
ARRAY = ".npy"
"""Suffix of a depth file [H, W], floats in metres."""


def read_map(source: Source, modality: Modality) -> Tensor:
    """What a file or array says: an image [C, H, W] in [-1, 1], or of one channel [1, H, W] a depth or segmentation.

    Args:
        source: A path, a PIL image or an array. A depth is 16-bit grey, 256 to the metre, or floats in metres, as in
            a file .npy always; 0 and what is not finite is unknown. A segmentation is of class numbers, 255 is
            unlabelled.
        modality: What it shows.

    Returns:
        Of a depth metres, float32, 0 where unknown; of a segmentation uint8 numbers.

    Raises:
        BadImage: it cannot be read, is of another kind, or has a class number that there is not.
    """
    if modality.kind == "image":
        return read(source, modality.channels).tensor
    name = str(source) if isinstance(source, str | Path) else f"the {modality.name}"
    values = _values(source, name)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if values.ndim != 2 or not values.size:
        raise BadImage(f"{name}: {modality.name} must have one channel, got shape {values.shape}; convert it")
    if modality.kind == "depth":
        if isinstance(source, str | Path) and Path(source).suffix.lower() == ARRAY and values.dtype.kind != "f":
            raise BadImage(f"{name}: a depth in a file {ARRAY} must be floats in metres, got {values.dtype}; save "
                           "metres as float32")  # fmt: skip
        return _metres(values, name)
    return _numbers(values, modality, name)


def _values(source: Source, name: str) -> np.ndarray:
    if isinstance(source, np.ndarray):
        return source
    with decoding(name):
        if isinstance(source, Image.Image):
            return np.asarray(source)
        if Path(source).suffix.lower() == ARRAY:
            return np.asarray(np.load(source, allow_pickle=False))
        with Image.open(source) as opened:
            bounded(opened, name)
            return np.asarray(opened)


def _metres(values: np.ndarray, name: str) -> Tensor:
    if values.dtype.kind in "iu" and values.dtype.itemsize > 1:  # Pillow opens 16-bit files of some kinds as 32-bit
        values = values / PER_METRE
    elif values.dtype.kind != "f":
        raise BadImage(f"{name}: a depth must be 16-bit grey, {PER_METRE} to the metre, or floats in metres, got "
                       f"{values.dtype}; convert it")  # fmt: skip
    metres = np.where(np.isfinite(values), values, 0).clip(min=0)
    return torch.from_numpy(metres.astype(np.float32))[None]


def _numbers(values: np.ndarray, modality: Modality, name: str) -> Tensor:
    if values.dtype.kind not in "iu":
        raise BadImage(f"{name}: {modality.name} must be class numbers, got {values.dtype}; write it as 8-bit grey")
    wrong = values[((values < 0) | (values >= modality.channels)) & (values != UNLABELLED)]
    if wrong.size:
        raise BadImage(f"{name}: no class has the number {wrong[0]}; there is 0 to {modality.channels - 1}, and "
                       f"{UNLABELLED} for none")  # fmt: skip
    return torch.from_numpy(values.astype(np.uint8))[None]


def encode(modality: Modality, values: Tensor) -> Tensor:
    """A map [1 or C, H, W] of `read_map`, of an image also as uint8, as networks see it: [C, H, W] as `Modality`."""
    if modality.kind == "image":
        return values.float() / 127.5 - 1 if values.dtype == torch.uint8 else values
    if modality.kind == "depth":
        return (values / modality.furthest).clamp(0, 1) * 2 - 1
    numbers = values[0].long().clamp(max=modality.channels)
    return F.one_hot(numbers, modality.channels + 1)[..., :-1].permute(2, 0, 1).float()


def resized(kind: Kind, x: Tensor, shape: Sequence[int]) -> Tensor:
    """[N, C, H, W] at another height and width.

    An image by a filter; others take their nearest pixels, so that no two depths or classes are mixed.
    """
    if list(x.shape[-2:]) == list(shape):
        return x
    if kind == "image":
        return F.interpolate(x, tuple(shape), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
    return F.interpolate(x.float(), tuple(shape), mode="nearest-exact").to(x.dtype)


def indexed(numbers: np.ndarray, palette: Sequence[Colour]) -> Image.Image:
    """Class numbers [H, W] uint8 as an indexed image in the palette's colours; 255 is black."""
    image = Image.fromarray(numbers)
    colours = np.zeros((256, 3), np.uint8)  # all of them, for Pillow writes no number beyond the palette's end
    colours[: len(palette)] = palette
    image.putpalette(colours.tobytes())
    return image
