"""MNIST as published systems use it: EGSC-IT's two domains of colours, and grey subsets for transferred GANs."""

import colorsys
from abc import ABC, abstractmethod
from itertools import permutations
from typing import Literal

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.dataset import Arrays
from dragoman.data.image import from_uint8
from dragoman.data.manifest import Row
from dragoman.errors import UserError
from dragoman.worlds import handwriting
from dragoman.worlds.handwriting import Source
from dragoman.worlds.world import BuiltIn, generator

DOMAINS = ("black_white", "coloured")
"""Domains A and B of EGSC-IT, section 4."""

BLACK_WHITE = np.array([[[255] * 3, [0] * 3], [[0] * 3, [255] * 3]], np.uint8)
"""Backgrounds and foregrounds [2, 2, 3] of domain A."""

COLOURED = np.array(list(permutations(255 * np.eye(3)[[1, 0, 2]], 2)), np.uint8)
"""Backgrounds and foregrounds [6, 2, 3]: two of green, red and blue; the first is red on green."""

HUES = np.array([colorsys.hsv_to_rgb(digit / 10, 1, 1) for digit in range(10)])
"""RGB [10, 3] in [0, 1] of each digit's hue in MNIST-Multiple."""

JITTER = 0.4
"""By what share saturation and value, 0.5 on average, vary there."""


class _Exemplars(BuiltIn):
    """What both sets of EGSC-IT share."""

    size: int = 28
    """Height and width in pixels."""
    images: int | None = Field(None, ge=1)
    """Images of each domain in the train split; as many as there are handwritten characters if not given."""
    test_images: int | None = Field(None, ge=1)
    """The same of the test split."""
    source: Source = "auto"
    """mnist; small: the 1,797 digits that come with scikit-learn; auto: MNIST if it can be had, else small."""
    seed: int = Field(0, ge=0)
    """Of colours and places."""

    @property
    def task(self) -> Task:
        """What there is to translate between, without opening anything."""
        return Task(domains=DOMAINS, size=self.size)

    def count(self, split: str, most: int) -> int:
        """Images of each domain in a split with `most` handwritten characters."""
        return min(most, (self.images if split == "train" else self.test_images) or most)


class MNISTSingle(_Exemplars):
    """MNIST-Single of EGSC-IT: a digit in black and white, and in two of red, green and blue (section 4).

    In the train split the coloured digits from 5 to 9 are red on green; all else is of any two colours of its domain.
    Letters follow the same rule: from f on they are red on green. Every handwritten character is shown once in each
    domain, in another order.
    """

    size: int = Field(28, ge=16)
    """Height and width in pixels."""
    letters: Literal["none", "a", "b", "both"] = "none"
    """Which domain shows letters instead of digits (Fig. 10): black and white (a), coloured (b), or both."""

    def open(self, split: str) -> "SingleDataset":
        """The images of a split: those in black and white, then the coloured ones.

        Raises:
            UserError: the split is unknown, or MNIST was asked for and cannot be had.
        """
        return SingleDataset(self, split)


class MNISTMultiple(_Exemplars):
    """MNIST-Multiple of EGSC-IT: all ten digits on a grid, black and white, or each in its own hue (section 4).

    The background is black or white. In domain A the digits are of the other one; in B digit d has the hue d / 10, with
    saturation and value within 40 % of a half.
    """

    size: int = Field(112, ge=64, multiple_of=4)
    """Height and width in pixels, four times those of a digit."""

    def open(self, split: str) -> "MultipleDataset":
        """The images of a split: those in black and white, then the coloured ones.

        Raises:
            UserError: the split is unknown, or MNIST was asked for and cannot be had.
        """
        return MultipleDataset(self, split)


class Exemplars(ABC):
    """Images [size, size] of numbered regions, each image with its colours; painted when they are asked for."""

    palettes: np.ndarray
    """[M, R, 3] uint8: each image's colour of region 0, the background, and of all others."""
    attributes: dict[str, Tensor]

    def __init__(self, task: Task, counts: tuple[int, int]):
        """`counts` are the images of the two domains."""
        self.task = task
        self.labels = torch.eye(2).repeat_interleave(torch.tensor(counts), 0)

    @abstractmethod
    def regions(self, index: int) -> np.ndarray:
        """What an image shows: the numbers [size, size], uint8, of its pixels' regions."""

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """The number."""
        return f"image {index}"

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """As it is."""
        return self.truth(index, index)

    def truth(self, index: int, exemplar: int) -> Tensor:
        """Exactly the image [3, size, size] in [-1, 1] that a translation of `index` guided by `exemplar` should give.

        It shows what the image `index` shows, in the colours of the image `exemplar`: both may be of any domain.
        """
        return from_uint8(self.palettes[exemplar][self.regions(index)])

    def about(self, index: int) -> Row:
        """Its number only."""
        return Row(file_name=self.name(index))

    def counterfactual(self, index: int, code: Tensor) -> Tensor | None:
        """Not known: it takes an exemplar, see `truth`."""
        return None


class SingleDataset(Exemplars):
    """A split of MNIST-Single: region 1 is the foreground."""

    def __init__(self, config: MNISTSingle, split: str):
        kinds = [handwriting.letters if config.letters in (k, "both") else handwriting.digits for k in ("a", "b")]
        self.hands = [kind(split, config.source) for kind in kinds]
        counts = [config.count(split, len(hand)) for hand in self.hands]
        super().__init__(config.task, (counts[0], counts[1]))
        self.rows, palettes, classes = [], [], []
        for domain, (hand, count) in enumerate(zip(self.hands, counts, strict=True)):
            random = generator(config.seed, split, domain)
            rows = random.random(len(hand)).argsort()[:count]
            colours = (BLACK_WHITE, COLOURED)[domain]
            chosen = (random.random(len(hand))[:count] * len(colours)).astype(int)
            if domain == 1 and split == "train":
                chosen[hand.labels[rows] > 4] = 0
            self.rows.append(rows)
            palettes.append(colours[chosen])
            classes.append(hand.labels[rows] + (10 if kinds[domain] is handwriting.letters else 0))
        self.palettes = np.concatenate(palettes)
        name = "digit" if config.letters == "none" else "character"  # letters count from 10 on
        self.attributes = {name: torch.from_numpy(np.concatenate(classes))}

    def regions(self, index: int) -> np.ndarray:
        """Foreground where there is more than half of full ink."""
        domain = int(index >= len(self.rows[0]))
        row = self.rows[domain][index - domain * len(self.rows[0])]
        return (self.hands[domain].at([row], self.task.size)[0] > 0.5).astype(np.uint8)


class MultipleDataset(Exemplars):
    """A split of MNIST-Multiple: region 1 + d is digit d."""

    def __init__(self, config: MNISTMultiple, split: str):
        self.hand = handwriting.digits(split, config.source)
        count = config.count(split, len(self.hand))
        super().__init__(config.task, (count, count))
        # 47 random numbers of each image: which digits, where, the background, saturation and value
        u = np.concatenate([generator(config.seed, split, domain).random((count, 47)) for domain in (0, 1)])
        written = [np.flatnonzero(self.hand.labels == digit) for digit in range(10)]
        self.rows = np.stack([own[(len(own) * u[:, digit]).astype(int)] for digit, own in enumerate(written)], 1)
        self.cells = u[:, 10:26].argsort(1)[:, :10]
        background = np.where(u[:, 26:27, None] < 0.5, 255, 0)
        saturation, value = 0.5 + JITTER * (u[:, 27:, None].reshape(-1, 2, 10, 1).swapaxes(0, 1) - 0.5)
        colours = np.round(255 * value * (1 - saturation * (1 - HUES)))
        colours[:count] = 255 - background[:count]
        self.palettes = np.concatenate([background.repeat(3, 2), colours], 1).astype(np.uint8)
        self.attributes = {}

    def regions(self, index: int) -> np.ndarray:
        """Digit d, where there is more than half of full ink, in the d-th of the cells 0 to 15."""
        side = self.task.size // 4
        ink = self.hand.at(self.rows[index], side) > 0.5
        blocks = np.zeros((16, side, side), np.uint8)
        blocks[self.cells[index]] = ink * np.arange(1, 11, dtype=np.uint8)[:, None, None]
        return blocks.reshape(4, 4, side, side).swapaxes(1, 2).reshape(4 * side, 4 * side)


class MNIST(BuiltIn):
    """Grey digits, white on black, for generators that are transferred from some digits to others.

    MineGAN (thesis, section 3.4 and A.2): pretrain on all ten digits (on-manifold) or on all but the target
    (off-manifold), then mine with 1,000 images of the target.
    """

    size: int = Field(28, ge=28)
    """Height and width in pixels; what is more than 28 is a black margin."""
    digits: tuple[int, ...] = tuple(range(10))
    """Those to show."""
    conditional: bool = True
    """Every digit is a domain; else all are of one, "digits", as for an unconditional generator."""
    images: int | None = Field(None, ge=1)
    """Images of the train split; as many as there are if not given."""
    weights: tuple[float, ...] | None = None
    """Shares of the digits among the images of both splits, for unconditional mixtures; alike if not given."""
    source: Source = "auto"
    """mnist; small: the 1,797 digits that come with scikit-learn; auto: MNIST if it can be had, else small."""
    seed: int = Field(0, ge=0)
    """Of the choice of images. More of them include the fewer."""

    @field_validator("digits")
    @classmethod
    def _digits(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or len(set(value)) != len(value) or not set(value) <= set(range(10)):
            raise ValueError(f"digits must be different numbers from 0 to 9, got {value}")
        return value

    @model_validator(mode="after")
    def _mixture(self) -> "MNIST":
        if self.weights is None:
            return self
        if self.conditional:
            raise ValueError("weights need conditional false: a stream draws every domain equally often")
        if len(self.weights) != len(self.digits) or min(self.weights) <= 0 or abs(sum(self.weights) - 1) > 1e-6:
            raise ValueError(f"weights must be {len(self.digits)} positive shares that sum to 1, got {self.weights}")
        return self

    @property
    def task(self) -> Task:
        """What there is to translate between, without opening anything."""
        names = tuple(map(str, self.digits)) if self.conditional else ("digits",)
        return Task(domains=names, size=self.size, channels=1)

    def open(self, split: str) -> Arrays:
        """The images [1, size, size] of a split, by digit, with the digit as attribute.

        Raises:
            UserError: the split is unknown, MNIST was asked for and cannot be had, or has too few images.
        """
        hand = handwriting.digits(split, self.source)
        ranks = generator(self.seed, split, 10).random(len(hand)).argsort()
        found = [ranks[hand.labels[ranks] == digit] for digit in self.digits]
        rows = np.concatenate([own[:n] for own, n in zip(found, self._counts(split, found), strict=True)])
        images = np.round(255 * hand.at(rows, 28)).astype(np.uint8)
        low = (self.size - 28) // 2
        images = np.pad(images, ((0, 0), *[(low, self.size - 28 - low)] * 2))
        labels = torch.from_numpy(hand.labels[rows])
        codes = (labels[:, None] == torch.tensor(self.digits)).float() if self.conditional else torch.ones(len(rows), 1)
        return Arrays(self.task, images, codes, {"digit": labels})

    def _counts(self, split: str, found: list[np.ndarray]) -> list[int]:
        """Images to take of each digit."""
        there = [len(own) for own in found]
        images = self.images if split == "train" else None
        if images is None and self.weights is None:
            return there
        shares = np.array(self.weights or [1 / len(there)] * len(there))
        total = images or int((np.array(there) / shares).min())
        counts = np.diff(np.round(np.cumsum([0, *shares]) * total)).astype(int).tolist()
        for digit, have, want in zip(self.digits, there, counts, strict=True):
            if want > have:
                raise UserError(f"there are {have} {split} images of the digit {digit}, {want} are asked for; take "
                                f"--data.images {int((np.array(there) / shares).min())} or less")  # fmt: skip
        return counts
