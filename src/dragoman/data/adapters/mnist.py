"""MNIST: handwritten digits in idx files (LeCun, 1998)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dragoman.data.adapters import found as f
from dragoman.data.idx import read_idx
from dragoman.errors import UserError

LAYOUT = "{train,t10k}-images-idx3-ubyte and {train,t10k}-labels-idx1-ubyte, plain or .gz"
ORIGIN = "yann.lecun.com/exdb/mnist and its mirrors (public)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split and the digit as domain; images of 28 x 28 as PNG.

    Raises:
        UserError: images and labels do not belong together.
    """
    for prefix, split in (("train", "train"), ("t10k", "test")):
        pictures = _open(src, f"{prefix}-images-idx3-ubyte")
        digits = _open(src, f"{prefix}-labels-idx1-ubyte")
        if pictures.ndim != 3 or digits.shape != pictures.shape[:1]:
            raise UserError(f"{src}: {prefix} has images {pictures.shape} and labels {digits.shape}; fetch them again")
        for number, (picture, digit) in enumerate(zip(pictures, digits, strict=True)):
            where = f"{src} {prefix} image {number}"
            if digit > 9:
                skip(f"{where}: {digit} is not a digit")
                continue
            name = f"{split}/{digit}/{number:05d}.png"
            yield from f.found(skip, where, {name: partial(np.asarray, picture)}, file_name=name, split=split,
                               domain=str(digit))  # fmt: skip


def _open(src: Path, name: str) -> np.ndarray:
    packed = src / f"{name}.gz"
    return read_idx(packed if packed.is_file() else f.need(src / name))
