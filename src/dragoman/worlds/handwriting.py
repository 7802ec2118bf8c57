"""Handwritten digits and letters: MNIST and EMNIST where they can be had, else what needs no download."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from dragoman.data.idx import read_idx
from dragoman.data.store import Item, fetch
from dragoman.errors import UserError
from dragoman.worlds.letters import draw_letters
from dragoman.worlds.world import SPLITS

Source = Literal["auto", "mnist", "small"]
"""mnist: MNIST (letters: EMNIST); small: scikit-learn's digits (letters: drawn); auto: the first that can be had."""

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
MNIST = {
    "train": (
        Item("mnist/train-images-idx3-ubyte.gz", MIRROR + "train-images-idx3-ubyte.gz",
             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        Item("mnist/train-labels-idx1-ubyte.gz", MIRROR + "train-labels-idx1-ubyte.gz",
             "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ),
    "test": (
        Item("mnist/t10k-images-idx3-ubyte.gz", MIRROR + "t10k-images-idx3-ubyte.gz",
             "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        Item("mnist/t10k-labels-idx1-ubyte.gz", MIRROR + "t10k-labels-idx1-ubyte.gz",
             "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
}  # fmt: skip
"""Images and labels of each split."""

EMNIST = {
    split: (
        Item(f"emnist/emnist-letters-{split}-images-idx3-ubyte.gz"),
        Item(f"emnist/emnist-letters-{split}-labels-idx1-ubyte.gz"),
    )
    for split in SPLITS
}
"""Only published inside an archive of all its sets, so it is not downloaded."""


@dataclass(frozen=True)
class Handwriting:
    """Grey levels of single characters."""

    ink: np.ndarray
    """[M, h, w] uint8: 0 is paper, `full` is ink."""
    labels: np.ndarray
    """[M] int64: digits 0 to 9, or letters from 0 (A and a) to 25."""
    full: int = 255
    """The value of full ink."""
    share: float = 1
    """Share of a square canvas that an image takes, in its middle: MNIST has a margin already, scikit-learn not."""

    def __len__(self) -> int:
        return len(self.ink)

    def at(self, rows: Sequence[int] | np.ndarray | slice, size: int) -> np.ndarray:
        """Ink [n, size, size], float32 in [0, 1], of some images: enlarged, their edges stay one pixel wide."""
        ink = torch.from_numpy(self.ink[rows]).float() / self.full
        side, inner = ink.shape[-1], int(size * self.share)
        if inner != side:
            ink = F.interpolate(
                ink[:, None], (inner, inner), mode="bicubic", align_corners=False, antialias=inner < side
            )[:, 0]
            ink = ((ink - 0.5) * max(1, inner / side) + 0.5).clamp(0, 1)
        low = (size - inner) // 2
        return F.pad(ink, (low, size - inner - low, low, size - inner - low)).numpy()


def digits(split: str, source: Source = "auto") -> Handwriting:
    """MNIST (60,000 train, 10,000 test, 28 x 28), or scikit-learn's 1,797 (8 x 8; every fifth is for testing).

    Raises:
        UserError: the split is unknown, MNIST was asked for and cannot be had, or its files are damaged.
    """
    if split not in SPLITS:
        raise UserError(f"the digits have no split {split!r}; there is: {', '.join(SPLITS)}")
    if files := _files(MNIST, source, "scikit-learn's 1,797 digits stand in for MNIST"):
        return _published(*files[split], classes=10)
    ink, labels = _small()
    mine = (np.arange(len(ink)) % 5 == 4) == (split == "test")
    return Handwriting(ink[mine], labels[mine], full=16, share=0.75)


def letters(split: str, source: Source = "auto") -> Handwriting:
    """EMNIST's letters (124,800 train, 20,800 test), or letters drawn from fonts; capital and small are one class.

    Raises:
        UserError: the split is unknown, EMNIST was asked for and is not here, or its files are damaged.
    """
    if split not in SPLITS:
        raise UserError(f"the letters have no split {split!r}; there is: {', '.join(SPLITS)}")
    if files := _files(EMNIST, source, "letters drawn from fonts stand in for EMNIST"):
        return _published(*files[split], classes=26, first=1, transposed=True)
    return Handwriting(*draw_letters(split))


def _files(items: dict[str, tuple[Item, Item]], source: Source, instead: str) -> dict[str, list[Path]] | None:
    """Images and labels of both splits, or None to do without: never one split of each kind."""
    if source == "small":
        return None
    try:
        return {split: [fetch(item) for item in pair] for split, pair in items.items()}
    except UserError as error:
        if source == "mnist":
            raise
        _say(f"dragoman: {error}; until then {instead}")
        return None


@cache  # once per process
def _say(line: str) -> None:
    print(line, file=sys.stderr)


@lru_cache(maxsize=4)
def _published(images: Path, labels: Path, classes: int, first: int = 0, transposed: bool = False) -> Handwriting:
    """Idx files whose classes count from `first`."""
    ink, numbers = read_idx(images), read_idx(labels).astype(np.int64) - first
    if ink.ndim != 3 or ink.shape[1:] != (28, 28) or not len(ink):
        raise UserError(f"{images}: shape {' x '.join(map(str, ink.shape))}, expected M x 28 x 28; fetch it again")
    if numbers.shape != (len(ink),) or not set(numbers) <= set(range(classes)):
        raise UserError(f"{labels}: not {len(ink)} labels from {first} to {first + classes - 1}; fetch it again")
    return Handwriting(np.ascontiguousarray(ink.transpose(0, 2, 1)) if transposed else ink, numbers)


@cache
def _small() -> tuple[np.ndarray, np.ndarray]:
    """Ink [1797, 8, 8] from 0 to 16, and digits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError("the digits need scikit-learn; run: pip install 'dragoman[worlds]'") from None
    images, numbers = load_digits(return_X_y=True)
    return images.astype(np.uint8).reshape(-1, 8, 8), numbers.astype(np.int64)
