"""The course of the street: a gently winding line."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dragoman.worlds.world import generator

LENGTH = 3000
"""Metres that images are taken on; the first four fifths in training, the rest in tests."""

AHEAD = 110
"""Metres of street beyond the end, which are only looked at."""

STRETCHES = {"train": (0.0, 0.8 * LENGTH - AHEAD), "test": (0.8 * LENGTH, float(LENGTH))}
"""Where cameras stand; what they see ahead does not overlap either."""


@dataclass(frozen=True)
class Route:
    """Points a metre apart, from AHEAD before the start; s is the way along the route, t to its left."""

    x: np.ndarray
    y: np.ndarray
    heading: np.ndarray

    def heading_at(self, s: float) -> float:
        """Radians."""
        i = min(max(int(s) + AHEAD, 0), len(self.x) - 2)
        k = s + AHEAD - i
        return float(self.heading[i] * (1 - k) + self.heading[i + 1] * k)

    def at(self, s: float, t: float) -> tuple[float, float]:
        """World coordinates of a point t metres to the left of the centre line."""
        i = min(max(int(s) + AHEAD, 0), len(self.x) - 2)
        k = s + AHEAD - i
        dx, dy = self.x[i + 1] - self.x[i], self.y[i + 1] - self.y[i]
        return float(self.x[i] + k * dx - t * dy), float(self.y[i] + k * dy + t * dx)

    def direction(self, s: float) -> tuple[float, float]:
        """Cosine and sine of the heading."""
        i = min(max(int(s) + AHEAD, 0), len(self.x) - 2)
        return float(self.x[i + 1] - self.x[i]), float(self.y[i + 1] - self.y[i])


def grid(value: np.ndarray) -> np.ndarray:
    """Rounded so that the last bit of another machine's sine changes nothing."""
    return np.round(value * 2**20) / 2**20


def exact(value: float) -> float:
    """The same for one number."""
    return round(value * 2**20) / 2**20


@lru_cache(maxsize=4)
def route(seed: int) -> Route:
    """The route of a seed: headings are a sum of waves, with radii over a hundred metres."""
    waves = generator(seed, "train", 0, 10).random((3, 2))
    s = np.arange(-AHEAD, LENGTH + 2 * AHEAD, dtype=np.float64)
    heading = np.zeros(len(s))
    for (size, phase), (wave, swing) in zip(waves, ((620, 0.28), (270, 0.14), (150, 0.07)), strict=True):
        heading += (0.6 + 0.4 * size) * swing * np.sin(2 * np.pi * (s / wave + phase))
    heading = grid(heading)
    x, y = (np.concatenate([[0], np.cumsum(grid(f(heading)))[:-1]]) for f in (np.cos, np.sin))
    return Route(x, y, heading)
