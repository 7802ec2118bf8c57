"""What moves or may be gone tomorrow: cars, pedestrians, cyclists; drawn anew for every scene."""

from collections.abc import Iterator

import numpy as np

from dragoman.worlds.streets.figures import CARS, PEOPLE, Thing
from dragoman.worlds.streets.layout import FRONT, KERB, LANE, Street
from dragoman.worlds.streets.mesh import linear

DENSITIES = ("light", "medium", "heavy")
"""Of the traffic."""

FARTHEST = 85.0
"""Metres ahead."""

_PAINTS = np.array([linear(*c) for c in (
    (0.9, 0.9, 0.9), (0.12, 0.12, 0.14), (0.62, 0.64, 0.67), (0.4, 0.42, 0.45), (0.75, 0.1, 0.1), (0.1, 0.22, 0.55),
    (0.16, 0.4, 0.3), (0.85, 0.75, 0.2), (0.55, 0.42, 0.32), (0.35, 0.6, 0.8), (0.8, 0.42, 0.12),
)])  # fmt: skip
_CLOTHES = np.array([linear(*c, 0.55) for c in (
    (0.8, 0.15, 0.15), (0.15, 0.25, 0.6), (0.9, 0.75, 0.15), (0.2, 0.2, 0.22), (0.9, 0.9, 0.9), (0.2, 0.5, 0.3),
    (0.55, 0.25, 0.5), (0.85, 0.5, 0.2), (0.45, 0.6, 0.75),
)])  # fmt: skip
_TROUSERS = np.array(
    [linear(*c, 0.45) for c in ((0.15, 0.17, 0.25), (0.12, 0.12, 0.12), (0.45, 0.4, 0.33), (0.25, 0.3, 0.42))]
)


def draw(street: Street, s: float, density: int, random: np.ndarray) -> list[Thing]:
    """Everything that moves ahead of a camera at s.

    Args:
        street: Where.
        s: Of the camera, metres along the route.
        density: Number of one of DENSITIES.
        random: At least 500 numbers in [0, 1).
    """
    r = iter(random.tolist())
    things: list[Thing] = []
    _parked(street, s, density, r, things)
    crossing = street.crossing(s + 12, s + 45)
    walks = crossing is not None and next(r) < 0.25 + 0.2 * density
    if crossing is not None and walks:
        _crossers(street, crossing - 5.7, density, r, things)
    _driving(street, s, density, crossing if walks else None, r, things)
    _strolling(street, s, density, r, things)
    return things


def _add(street: Street, things: list[Thing], figure: str, label: str, s: float, t: float, r: Iterator[float],
         scale: float = 1, back: bool = False) -> None:  # fmt: skip
    x, y = street.route.at(s, t)
    cos, sin = street.route.direction(s)
    if back:
        cos, sin = -cos, -sin
    paints, second = (_PAINTS, _PAINTS) if label == "car" else (_CLOTHES, _TROUSERS)
    colours = paints[int(next(r) * len(paints))], second[int(next(r) * len(second))]
    things.append(Thing(figure, x, y, cos, sin, scale, *colours, s, int(next(r) * 65536), label))


def _car(r: Iterator[float]) -> str:
    return CARS[(0, 0, 1, 1, 1, 2)[int(next(r) * 6)]]


def _parked(street: Street, s: float, density: int, r: Iterator[float], things: list[Thing]) -> None:
    slot = 6.4
    for k in range(int((s + 4) // slot), int((s + FARTHEST) // slot)):
        where = k * slot + 3
        clear = street.crossing(where - 10, where + 13) is None
        for side in (-1, 1):
            taken, jitter = next(r) < (0.15, 0.4, 0.7)[density], next(r)
            if clear and taken:
                t = side * (4.62 + 0.12 * jitter)
                _add(street, things, _car(r), "car", where + jitter * 0.6, t, r, back=side > 0)


def _driving(
    street: Street, s: float, density: int, stop: float | None, r: Iterator[float], things: list[Thing]
) -> None:
    for side in (-1, 1):
        where = s + 9 + 22 * next(r) if side < 0 else s + 7 + 18 * next(r)
        while where < s + FARTHEST:
            present, figure, shift = next(r) < (0.3, 0.6, 0.85)[density], _car(r), next(r)
            if present and (stop is None or not stop - 9.5 < where < stop + 1):
                _add(street, things, figure, "car", where, side * (LANE + 0.3 * (shift - 0.5)), r, back=side > 0)
            where += 9 + (30, 22, 12)[density] * next(r)
    for side in (-1, 1):
        if next(r) < (0.25, 0.45, 0.6)[density]:
            where = s + 6 + 30 * next(r) ** 2
            _add(street, things, "rider", "cyclist", where, side * 3.15, r, back=side > 0)


def _strolling(street: Street, s: float, density: int, r: Iterator[float], things: list[Thing]) -> None:
    for _ in range(int(next(r) * 3 + 3 * density)):
        where, side = s + 6 + 45 * next(r) ** 1.3, 1 if next(r) < 0.5 else -1
        t = side * (KERB + 1.1 + (FRONT - KERB - 1.4) * next(r))
        if street.crossing(where - 6, where + 7) is None:
            _add(street, things, PEOPLE[int(next(r) * len(PEOPLE))], "person", where, t, r, 1.55 + 0.3 * next(r))


def _crossers(street: Street, s: float, density: int, r: Iterator[float], things: list[Thing]) -> None:
    for _ in range(1 + int(next(r) * (1 + density))):
        _add(street, things, PEOPLE[int(next(r) * 3)], "person", s + 1.5 * (next(r) - 0.5), 10 * next(r) - 5, r,
             1.55 + 0.3 * next(r))  # fmt: skip
    if next(r) < 0.4:
        _add(street, things, "rider-aside", "cyclist", s + 5.5, 8 * next(r) - 4, r)
