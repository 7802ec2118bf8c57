"""What stands along the street for good, from a seed: road, pavements, buildings, trees, lamps and signs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from dragoman.worlds.streets import mesh
from dragoman.worlds.streets.figures import SIGNS, Thing, place
from dragoman.worlds.streets.mesh import CLASSES, Mesh, corners, linear
from dragoman.worlds.streets.route import AHEAD, LENGTH, Route, route
from dragoman.worlds.world import generator

T = TypeVar("T")

KINDS = ("houses", "shops", "offices", "park")
"""Of a section of the street, between two crossings."""

LANE, KERB, FRONT = 1.75, 5.7, 8.8
"""Metres from the centre line: middle of a lane, edge of the pavement, line of the facades."""

Point = tuple[float, float, float]

PIECE = 8
"""Metres of road that are drawn as one straight piece."""

_ASPHALT, _STONE, _KERB = linear(0.36, 0.36, 0.37, 0.13), linear(0.58, 0.56, 0.53, 0.3), linear(0.7, 0.69, 0.66, 0.36)
_GRASS, _HEDGE, _PAINT = linear(0.36, 0.5, 0.2, 0.6), linear(0.22, 0.38, 0.15, 0.62), linear(0.9, 0.9, 0.88, 0.65)
_FACADES = {
    "houses": (
        (0.66, 0.36, 0.28),
        (0.78, 0.7, 0.56),
        (0.85, 0.8, 0.72),
        (0.55, 0.32, 0.26),
        (0.74, 0.62, 0.44),
        (0.6, 0.64, 0.56),
    ),
    "shops": (
        (0.8, 0.62, 0.42),
        (0.7, 0.44, 0.34),
        (0.62, 0.68, 0.72),
        (0.84, 0.78, 0.6),
        (0.72, 0.52, 0.5),
        (0.56, 0.6, 0.48),
        (0.86, 0.84, 0.8),
    ),
    "offices": ((0.5, 0.56, 0.62), (0.66, 0.66, 0.66), (0.4, 0.46, 0.52), (0.72, 0.68, 0.62), (0.56, 0.48, 0.42)),
}
_ROOFS = ((0.5, 0.26, 0.2), (0.34, 0.3, 0.3), (0.42, 0.34, 0.28), (0.28, 0.3, 0.34))
_LEAVES = ((0.3, 0.46, 0.16), (0.36, 0.5, 0.18), (0.24, 0.4, 0.16), (0.42, 0.5, 0.2))
_NEEDLE = linear(0.14, 0.28, 0.16, 0.5)


@dataclass(frozen=True)
class Section:
    """A stretch with one character, from its crossing at `start` to the next at `end`."""

    start: float
    end: float
    kind: str


@dataclass(frozen=True)
class Street:
    """The whole street of a seed."""

    route: Route
    mesh: Mesh
    begin: np.ndarray
    """[P] where each polygon begins and ends along the route."""
    end: np.ndarray
    lamps: np.ndarray
    """[L, 4]: s, and x, y, z of the light."""
    sections: tuple[Section, ...]

    def section(self, s: float) -> Section:
        """The section at s."""
        return next((part for part in self.sections if s < part.end), self.sections[-1])

    def crossing(self, low: float, high: float) -> float | None:
        """Where the first crossing in [low, high) is, if there is one."""
        return next((part.end for part in self.sections if low <= part.end < high), None)


class _Builder:
    """Collects polygons along the route."""

    def __init__(self, course: Route, seed: int):
        self.route = course
        numbers = generator(seed, "train", 0, 11).random(200_000)
        self._numbers = iter(numbers.tolist())
        self.rows: list[tuple] = []
        self.spans: list[tuple[float, float]] = []
        self.things: list[Thing] = []
        self.lamps: list[tuple[float, float, float, float]] = []

    def random(self, low: float = 0, high: float = 1) -> float:
        """A number in [low, high)."""
        return low + (high - low) * next(self._numbers)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[int(self.random(0, len(choices)))]

    def face(self, points: Sequence[Point], material: int, label: str, colour: np.ndarray, order: float, seed: int = 0,
             texture: Sequence[float] = (0,) * 7) -> None:  # fmt: skip
        """A polygon of (s, t, z), counter-clockwise from outside; its texture runs along its first edge."""
        world = [(*self.route.at(s, t), z) for s, t, z in points]
        along = np.subtract(world[1], world[0])
        along /= np.sqrt((along * along).sum())
        up = (-along[1], along[0], 0) if material <= mesh.GRASS else (0, 0, 1)
        number = CLASSES.index(label)
        self.rows.append((corners(world), along, up, texture, colour, material, number, seed, order, world[0]))
        self.spans.append((min(s for s, _, _ in points), max(s for s, _, _ in points)))

    def strip(self, s: float, length: float, t0: float, t1: float, material: int, label: str, colour: np.ndarray,
              layer: int) -> None:  # fmt: skip
        """A rectangle on the ground between t0 < t1. Its texture's second coordinate is t."""
        points = [(s, t0, 0.0), (s + length, t0, 0.0), (s + length, t1, 0.0), (s, t1, 0.0)]
        self.face(points, material, label, colour, 1e6 * (9 - layer), texture=(s, t0, 0, 0, 0, 0, 0))

    def thing(self, figure: str, s: float, t: float, scale: float = 1, first: np.ndarray = _STONE,
              label: str | None = None) -> None:  # fmt: skip
        """Something that stands on the ground."""
        x, y = self.route.at(s, t)
        cos, sin = self.route.direction(s)
        self.things.append(Thing(figure, x, y, cos, sin, scale, first, first, s, int(self.random(0, 65536)), label))

    def build(self, sections: tuple[Section, ...]) -> Street:
        """The street of all that was collected."""
        points, across, up, texture, colour, material, label, seed, order, origin = (
            np.array(column) for column in zip(*self.rows, strict=True)
        )
        count = len(points)
        flat = Mesh(
            points=points, right=np.zeros((count, mesh.CORNERS)), card=np.zeros(count, bool),
            normal=mesh.normals(points), origin=origin, across=across, up=up, texture=texture, colour=colour,
            material=material.astype(np.uint8), label=label.astype(np.uint8), thing=np.zeros(count, np.int64),
            seed=seed, order=order, detail=np.zeros(count, bool),
        )  # fmt: skip
        standing = place(self.things)
        spans = np.concatenate([np.array(self.spans), np.stack([standing.order] * 2, 1)])
        return Street(self.route, Mesh.join([flat, standing]), spans[:, 0], spans[:, 1], np.array(self.lamps), sections)


@lru_cache(maxsize=4)
def street(seed: int) -> Street:
    """The street of a seed."""
    b = _Builder(route(seed), seed)
    sections, s, last = [], -60.0, "shops"
    while s < LENGTH + AHEAD:
        kind = b.pick([k for k in KINDS if k != last])
        end = s + b.random(75, 130)
        sections.append(Section(s, end, kind))
        s, last = end, kind
    _ground(b, sections)
    for section in sections:
        _crossing(b, section.end)
        empty = int(b.random() < 0.5) * 2 - 1 if section.kind == "park" else 0
        for side in (-1, 1):
            if side == empty:
                _park(b, section, side)
            else:
                _buildings(b, section, side, "houses" if section.kind == "park" else section.kind)
            _kerbside(b, section, side)
    return b.build(tuple(sections))


def _ground(b: _Builder, sections: Sequence[Section]) -> None:
    for begin in range(-96, LENGTH + 2 * AHEAD - PIECE, PIECE):
        kind = next((part.kind for part in sections if begin < part.end), "houses")
        wide = FRONT + (0.4 if kind in ("houses", "park") else 3)
        b.strip(begin, PIECE, -60, 60, mesh.GRASS, "terrain", _GRASS, 0)
        b.strip(begin, PIECE, -wide, wide, mesh.STONE, "pavement", _STONE, 1)
        b.strip(begin, PIECE, -KERB - 0.15, KERB + 0.15, mesh.STONE, "pavement", _KERB, 2)
        b.strip(begin, PIECE, -KERB, KERB, mesh.ASPHALT, "road", _ASPHALT, 3)
    for dash in range(-96, LENGTH + AHEAD, 6):
        if not any(abs(dash + 1.5 - part.end) < 8.5 for part in sections):
            b.strip(dash, 3, -0.08, 0.08, mesh.PAINT, "lane-marking", _PAINT, 6)
            for t in (-3.55, 3.55):
                b.strip(dash, 1.4, t - 0.06, t + 0.06, mesh.PAINT, "lane-marking", _PAINT, 6)


def _crossing(b: _Builder, s: float) -> None:
    """A side road at s, a zebra before it, perhaps traffic lights."""
    for t0, t1 in ((-60, -KERB + 0.1), (KERB - 0.1, 60)):
        b.strip(s - 5, 11, t0, t1, mesh.STONE, "pavement", _STONE, 3)
        b.strip(s - 3, 7, t0, t1, mesh.ASPHALT, "road", _ASPHALT, 4)
    for k in range(11):
        t = -5.25 + 1.05 * k
        b.strip(s - 7.2, 3, t - 0.28, t + 0.28, mesh.PAINT, "lane-marking", _PAINT, 6)
    b.strip(s - 8.7, 0.4, -3.4, -0.1, mesh.PAINT, "lane-marking", _PAINT, 6)
    if b.random() < 0.6:
        b.thing("signal", s - 7.6, -6.1)
        b.thing("signal", s - 7.6, 6.1)
    else:
        b.thing(SIGNS[1 + int(b.random() < 0.5)], s - 8.5, -6.1, label="sign")


@dataclass(frozen=True)
class _Plan:
    """Ranges that the buildings of a kind are drawn from; metres, and shares of a window's cell."""

    floors: tuple[float, float]
    wide: tuple[float, float]
    gap: float
    storey: tuple[float, float]
    period: tuple[float, float]
    share: tuple[float, float]
    tall: tuple[float, float]
    gabled: float
    top: float


_PLANS = {
    "houses": _Plan((2, 3.99), (7, 13), 0.45, (2.7, 3.1), (2.0, 3.2), (0.36, 0.52), (0.42, 0.54), 1.0, 0.5),
    "shops": _Plan((3, 5.99), (7, 14), 0.1, (3.1, 3.6), (1.7, 2.8), (0.38, 0.55), (0.5, 0.62), 0.6, 0.9),
    "offices": _Plan((4, 9.99), (13, 24), 0.35, (3.3, 3.8), (1.5, 3.4), (0.6, 0.88), (0.5, 0.7), 0.0, 0.5),
}


def _buildings(b: _Builder, section: Section, side: int, kind: str) -> None:
    s, end, plan = section.start + 6.5, section.end - 6.5, _PLANS[kind]
    while end - s > 6:
        width = min(b.random(*plan.wide), end - s)
        if end - s - width < 6:
            width = end - s
        back = b.random(1.5, 5) if kind == "houses" else 0.0
        _building(b, s, s + width, side, kind, FRONT + 0.1 + back)
        if back > 2 and b.random() < 0.7:
            _hedge(b, s + 0.4, s + width - 1.6, side, b.random(0.7, 1.4))
        if back > 3 and b.random() < 0.5:
            _tree(b, s + width / 2, side * (FRONT + 1.4), 0.55)
        s += width
        if b.random() < plan.gap:
            s += b.random(2.5, 6)


def _building(b: _Builder, s0: float, s1: float, side: int, kind: str, front: float) -> None:
    plan, width = _PLANS[kind], s1 - s0
    storey, seed = b.random(*plan.storey), int(b.random(0, 65536))
    height = int(b.random(*plan.floors)) * storey + plan.top
    period = width / max(1, round(width / b.random(*plan.period)))
    share, tall = b.random(*plan.share), b.random(*plan.tall)
    shade = b.random(0.9, 1.08)
    red, green, blue = (min(v * shade, 0.95) for v in b.pick(_FACADES[kind]))
    colour, t = linear(red, green, blue), side * front
    near, far = (s0, s1) if side > 0 else (s1, s0)
    facade = [(near, t, 0.0), (far, t, 0.0), (far, t, height), (near, t, height)]
    texture = (period, share, storey, tall, KINDS.index(kind), height, width)
    b.face(facade, mesh.FACADE, "building", colour, s1, seed, texture)
    deep = b.random(9, 14)
    rise = b.random(2, 3.6) if b.random() < plan.gabled else 0.0
    outer, middle = side * (front + deep), side * (front + deep / 2)
    left, right = (outer, t) if side > 0 else (t, outer)
    wall = [(s0, left, 0.0), (s0, right, 0.0), (s0, right, height), (s0, middle, height + rise), (s0, left, height)]
    b.face(wall, mesh.WALL, "building", colour * 0.92, s0 + 0.001, seed, (period, 0.3, storey, tall, 0, height, deep))
    if not rise:
        return
    eaves = t - side * 0.3
    low, ridge = height - 0.1, height + rise
    slope = [(near, eaves, low), (far, eaves, low), (far, middle, ridge), (near, middle, ridge)]
    b.face(slope, mesh.ROOF, "building", linear(*b.pick(_ROOFS)), s1 - 0.01, seed)
    if b.random() < 0.7:
        _chimney(b, s0 + b.random(0.15, 0.8) * width, middle, height + rise, side, s1 - 0.02)


def _chimney(b: _Builder, s: float, t: float, z: float, side: int, order: float) -> None:
    brick = linear(0.5, 0.3, 0.24)
    low, high, half = z - 0.7, z + 1.0, 0.45
    near, far = (s, s + 0.9) if side > 0 else (s + 0.9, s)
    inner = t - side * half
    b.face(
        [(near, inner, low), (far, inner, low), (far, inner, high), (near, inner, high)],
        mesh.BARK,
        "building",
        brick,
        order,
    )
    left, right = t + half, t - half
    b.face(
        [(s, left, low), (s, right, low), (s, right, high), (s, left, high)], mesh.BARK, "building", brick * 0.8, order
    )


def _hedge(b: _Builder, s0: float, s1: float, side: int, high: float) -> None:
    if s1 - s0 < 2:
        return
    inner, outer = side * (FRONT + 0.35), side * (FRONT + 1.1)
    near, far = (s0, s1) if side > 0 else (s1, s0)
    seed = int(b.random(0, 65536))
    texture = (0, 0, 0, 0, 0, high, 0)
    order = s1 - 0.03
    b.face(
        [(near, inner, 0), (far, inner, 0), (far, inner, high), (near, inner, high)],
        mesh.HEDGE,
        "vegetation",
        _HEDGE,
        order,
        seed,
        texture,
    )
    b.face(
        [(near, inner, high), (far, inner, high), (far, outer, high), (near, outer, high)],
        mesh.HEDGE,
        "vegetation",
        _HEDGE,
        order,
        seed,
        texture,
    )
    left, right = max(inner, outer), min(inner, outer)
    b.face(
        [(s0, left, 0), (s0, right, 0), (s0, right, high), (s0, left, high)],
        mesh.HEDGE,
        "vegetation",
        _HEDGE,
        s0,
        seed,
        texture,
    )


def _tree(b: _Builder, s: float, t: float, scale: float, kind: str | None = None) -> None:
    figure: str = kind or b.pick(("round", "round", "wide", "column"))
    red, green, blue = b.pick(_LEAVES)
    first = _NEEDLE if figure == "fir" else linear(red, green, blue, 0.72)
    b.thing(figure, s, t, scale, first * b.random(0.85, 1.15))


def _park(b: _Builder, section: Section, side: int) -> None:
    _hedge(b, section.start + 7, (section.start + section.end) / 2 - 2, side, b.random(0.6, 1.0))
    _hedge(b, (section.start + section.end) / 2 + 2, section.end - 7, side, b.random(0.6, 1.0))
    s = section.start + 8
    while s < section.end - 7:
        _tree(b, s, side * b.random(11, 24), b.random(0.8, 1.5), b.pick(("round", "wide", "fir", "column")))
        s += b.random(3, 7)


def _kerbside(b: _Builder, section: Section, side: int) -> None:
    """Trees, lamps and signs between kerb and pavement."""
    plants = {"houses": 0.55, "shops": 0.35, "offices": 0.6, "park": 0.9}[section.kind]
    avenue = b.pick(("round", "wide", "column")) if b.random() < 0.7 else None
    spacing, scale = b.random(8, 14), b.random(0.75, 1.15)
    planted = b.random() < plants + 0.15
    s = section.start + 9 + b.random(0, 5)
    while s < section.end - 10:
        if planted and b.random() < 0.85:
            _tree(b, s, side * 6.5, scale * b.random(0.85, 1.1), avenue)
        s += spacing
    s = section.start + (13 if side > 0 else 25)
    while s < section.end - 8:
        b.thing("lamp-right" if side > 0 else "lamp-left", s, side * 6.05)
        b.lamps.append((s, *b.route.at(s, side * 4.4), 7.1))
        s += 26
    for _ in range(int(b.random(1, 3.99)) if side < 0 else 1):
        where = b.random(section.start + 10, section.end - 12)
        b.thing(b.pick(SIGNS), where, side * 6.15, label="sign")
