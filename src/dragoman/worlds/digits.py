"""Real handwritten digits in colours: the domain is the colour."""

import colorsys
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.image import from_uint8
from dragoman.data.manifest import Row
from dragoman.worlds.handwriting import Source, digits
from dragoman.worlds.world import BuiltIn

COLOURS = {"blue": 225, "green": 125, "red": 0, "yellow": 50}
"""Hue in the middle of each of the four domains, in degrees."""

BACKGROUND = 0.96
"""Grey level of the four colours' background, 0 to 1."""

ELEVEN = {
    "black": ((0, 0.0, 0.02), (360, 0.3, 0.13)),
    "blue": ((215, 0.75, 0.6), (238, 1.0, 0.95)),
    "brown": ((18, 0.6, 0.3), (30, 0.85, 0.45)),
    "green": ((105, 0.65, 0.4), (140, 1.0, 0.65)),
    "grey": ((0, 0.0, 0.38), (360, 0.06, 0.55)),
    "orange": ((20, 0.85, 0.92), (32, 1.0, 1.0)),
    "pink": ((325, 0.3, 0.95), (350, 0.5, 1.0)),
    "purple": ((268, 0.6, 0.4), (292, 0.9, 0.7)),
    "red": ((-7, 0.85, 0.7), (5, 1.0, 0.92)),
    "white": ((0, 0.0, 0.96), (360, 0.02, 1.0)),
    "yellow": ((50, 0.75, 0.94), (58, 1.0, 1.0)),
}
"""The basic colour names: lowest and highest hue (degrees), saturation and value."""

SHADES = {
    "four": {name: ((hue - 15, 0.55, 0.5), (hue + 15, 1.0, 0.95)) for name, hue in COLOURS.items()},
    "eleven": ELEVEN,
}
PAPER = {
    "four": np.array([BACKGROUND] * 3, np.float32),
    "eleven": np.array([0.64, 0.78, 0.76], np.float32),  # of no colour name: white, grey and black are all seen on it
}


class Digits(BuiltIn):
    """Handwritten digits in colours, a domain each; a digit of the train split is never in the test split."""

    size: int = Field(32, ge=16)
    """Height and width in pixels; a multiple of 16."""
    variants: int = Field(4, ge=1)
    """Shades each digit of the train split is drawn in; every digit is of one domain only."""
    seed: int = Field(0, ge=0)
    """Of domains and shades."""
    colours: Literal["four", "eleven"] = "four"
    """Blue, green, red and yellow; or the eleven basic colour names."""
    source: Source = "small"
    """small: the 1,797 digits that come with scikit-learn; mnist; auto: MNIST if it can be had, else small."""

    @property
    def task(self) -> Task:
        """What there is to translate between, without opening anything."""
        return Task(domains=tuple(SHADES[self.colours]), size=self.size)

    def open(self, split: str) -> "Coloured":
        """The images of "train" or "test", with the digit as attribute.

        Raises:
            UserError: the digits cannot be had, or the split is unknown.
        """
        return Coloured(self, split)


class Coloured:
    """A split of the coloured digits, painted when they are asked for and kept in memory, as bytes, while they fit."""

    MEMORY = 2**30

    def __init__(self, config: Digits, split: str):
        self.task, self.paper = config.task, PAPER[config.colours]
        self.ink = digits(split, config.source)
        self.shades = list(SHADES[config.colours].values())
        count, variants = len(self.ink), config.variants if split == "train" else 1
        rng = np.random.default_rng([config.seed, split == "test"])
        domains = rng.permutation(np.arange(count) % len(self.shades))
        self.random = rng.random((variants * count, 3))
        self.labels = torch.eye(len(self.shades))[torch.from_numpy(domains)].repeat(variants, 1)
        self.attributes = {"digit": torch.from_numpy(self.ink.labels).repeat(variants)}
        self._cache: dict[int, np.ndarray] = {}
        self._most = self.MEMORY // (3 * config.size**2)

    def __len__(self) -> int:
        return len(self.random)

    @cached_property
    def images(self) -> np.ndarray:
        """All of them at once: [M, size, size, 3] uint8."""
        return np.stack([self._paint(index, self.labels[index]) for index in range(len(self))])

    def name(self, index: int) -> str:
        """The number."""
        return f"image {index}"

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """As it is: there are as many shades as were asked for, so nothing is augmented."""
        image = self._cache.get(index)
        if image is None:
            image = self._paint(index, self.labels[index])
            if len(self._cache) < self._most:
                self._cache[index] = image
        return from_uint8(image)

    def about(self, index: int) -> Row:
        """Its number only."""
        return Row(file_name=self.name(index))

    def counterfactual(self, index: int, code: Tensor) -> Tensor:
        """The same digit in another colour: as bright and as saturated within that colour's range as in its own."""
        return from_uint8(self._paint(index, code))

    def _paint(self, index: int, code: Tensor) -> np.ndarray:
        """[size, size, 3] uint8."""
        low, high = map(np.array, self.shades[int(code.argmax())])
        hue, saturation, value = low + (high - low) * self.random[index]
        colour = np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value))
        ink = self.ink.at([index % len(self.ink)], self.task.size)[0, ..., None]
        return np.round(255 * (self.paper * (1 - ink) + colour * ink)).astype(np.uint8)
