"""Tables of random numbers that textures look up: the same on every machine."""

from functools import lru_cache

import numpy as np

from dragoman.worlds.world import generator

SIDE = 512
"""Of a table; a power of two, and the tables tile."""


@lru_cache(maxsize=1)
def white() -> np.ndarray:
    """[SIDE, SIDE] float32 in [0, 1), independent."""
    return generator(0, "train", 0, 1).random((SIDE, SIDE)).astype(np.float32)


@lru_cache(maxsize=1)
def smooth() -> np.ndarray:
    """[SIDE, SIDE] float32 in [0, 1), fractal; a share p of it is below p."""
    total = np.zeros((SIDE, SIDE))
    for octave, cell in enumerate((64, 32, 16, 8, 4)):
        grid = generator(0, "train", octave, 2).random((SIDE // cell, SIDE // cell))
        total += _enlarge(_enlarge(grid, cell).T, cell).T * cell**0.9
    rank = np.empty(SIDE * SIDE)
    rank[np.argsort(total.ravel(), kind="stable")] = np.arange(SIDE * SIDE) / SIDE**2
    return rank.reshape(SIDE, SIDE).astype(np.float32)


def _enlarge(grid: np.ndarray, factor: int) -> np.ndarray:
    """Rows of a periodic grid, with smooth steps between them."""
    t = np.arange(factor) / factor
    t = (t * t * (3 - 2 * t))[None, :, None]
    return (grid[:, None] * (1 - t) + np.roll(grid, -1, 0)[:, None] * t).reshape(-1, grid.shape[1])


def at(table: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The table's entry below (u, v), repeated without end."""
    index = (np.floor(v).astype(np.int32) & (SIDE - 1)) * SIDE + (np.floor(u).astype(np.int32) & (SIDE - 1))
    return table.ravel()[index]
