"""Shapes of the things in a street, and how they are put into the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dragoman.worlds.streets import mesh
from dragoman.worlds.streets.mesh import CLASSES, Mesh, corners, linear

CARS = ("sedan", "hatchback", "van")
PEOPLE = ("walker-0", "walker-1", "walker-2", "stander")
CYCLISTS = ("rider", "rider-aside")
TREES = ("round", "wide", "column", "fir")
SIGNS = ("circle", "triangle", "square", "board")

_BLACK, _DARK = linear(0.1, 0.1, 0.11, 0.06), linear(0.2, 0.2, 0.22, 0.12)
_WINDOW, _TYRE = linear(0.16, 0.2, 0.24, 0.08), linear(0.13, 0.13, 0.14, 0.07)
_GREEN = linear(0.05, 0.42, 0.25)
_WHITE, _RED, _BLUE = linear(0.92, 0.92, 0.9), linear(0.8, 0.08, 0.1), linear(0.08, 0.25, 0.7)
_STEEL, _SKIN, _BARK = linear(0.42, 0.43, 0.45), linear(0.85, 0.66, 0.54, 0.6), linear(0.36, 0.28, 0.22, 0.35)
_YELLOW, _ROAD_BIKE = linear(0.95, 0.8, 0.2), linear(0.25, 0.26, 0.3)

FIRST, SECOND = 0, 1
"""A part in the object's first or second colour."""


@dataclass(frozen=True)
class Thing:
    """An object in the world."""

    figure: str
    x: float
    y: float
    cos: float
    sin: float
    scale: float
    first: np.ndarray
    second: np.ndarray
    order: float
    seed: int
    label: str | None = None
    """Class name when it is counted as an instance."""


class _Parts:
    """Collects the polygons of one figure, standing at the origin, looking along x."""

    def __init__(self) -> None:
        self.rows: list[tuple[np.ndarray, np.ndarray, bool, int, str, int, np.ndarray, bool]] = []

    def face(self, points: Sequence[Sequence[float]], material: int, label: str, colour: np.ndarray | int,
             detail: bool = False) -> None:  # fmt: skip
        """A polygon in space, counter-clockwise from outside."""
        slot = colour if isinstance(colour, int) else -1
        own = colour if isinstance(colour, np.ndarray) else np.zeros(4)
        self.rows.append((corners(points), np.zeros(mesh.CORNERS), False, material, label, slot, own, detail))

    def card(self, points: Sequence[tuple[float, float]], material: int, label: str, colour: np.ndarray | int,
             detail: bool = False) -> None:  # fmt: skip
        """A polygon (right, up) that faces the camera."""
        slot = colour if isinstance(colour, int) else -1
        own = colour if isinstance(colour, np.ndarray) else np.zeros(4)
        flat = corners([(r, 0, z) for r, z in points])
        right = flat[:, 0].copy()
        flat[:, 0] = 0
        self.rows.append((flat, right, True, material, label, slot, own, detail))

    def disc(self, right: float, up: float, wide: float, high: float, material: int, label: str,
             colour: np.ndarray | int, detail: bool = False) -> None:  # fmt: skip
        """An octagon that faces the camera."""
        points = [(right + wide * a, up + high * b) for a, b in _OCTAGON]
        self.card(points, material, label, colour, detail)

    def box(self, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: int, label: str,
            colour: np.ndarray | int, top: tuple[float, float, float] = (0, 0, 0)) -> None:  # fmt: skip
        """Sides and top of a box, its top drawn in by (front, back, sides)."""
        front, back, side = top
        low = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        high = [(x[0] + back, y[0] + side), (x[1] - front, y[0] + side),
                (x[1] - front, y[1] - side), (x[0] + back, y[1] - side)]  # fmt: skip
        for i in range(4):
            j = (i + 1) % 4
            side_face = [(*low[i], z[0]), (*low[j], z[0]), (*high[j], z[1]), (*high[i], z[1])]
            self.face(side_face, material, label, colour)
        self.face([(*p, z[1]) for p in high], material, label, colour)


_OCTAGON = [(0.92, 0.38), (0.38, 0.92), (-0.38, 0.92), (-0.92, 0.38),
            (-0.92, -0.38), (-0.38, -0.92), (0.38, -0.92), (0.92, -0.38)]  # fmt: skip


def _car(parts: _Parts, length: float, width: float, waist: float, roof: float, cabin: tuple[float, float],
         slant: tuple[float, float, float]) -> None:  # fmt: skip
    """Body, glass, wheels, lamps; the cabin lies between cabin[0] and cabin[1], narrowing by (front, back, sides)."""
    half, x0, x1 = width / 2, -length / 2, length / 2
    front, back, side = slant
    shadow = [
        (x0 - 0.1, -half - 0.12, 0),
        (x1 + 0.1, -half - 0.12, 0),
        (x1 + 0.1, half + 0.12, 0),
        (x0 - 0.1, half + 0.12, 0),
    ]
    parts.face(shadow, mesh.CONTACT, "road", _BLACK)
    parts.box((x0 + 0.15, x1 - 0.15), (-half + 0.12, half - 0.12), (0.12, 0.4), mesh.RUBBER, "car", _BLACK)
    parts.box((x0, x1), (-half, half), (0.3, waist), mesh.BODY, "car", FIRST, (0.12, 0.06, 0.05))
    parts.box(cabin, (-half + 0.06, half - 0.06), (waist, roof), mesh.BODY, "car", FIRST, slant)
    rise = roof - waist
    a, b = 0.12, 0.86  # the glass between these shares of the cabin's height

    def level(t: float) -> tuple[float, float, float, float]:
        return cabin[0] + back * t, cabin[1] - front * t, half - 0.06 - side * t, waist + rise * t

    (back_a, front_a, out_a, low), (back_b, front_b, out_b, high) = level(a), level(b)
    inset = 0.1
    parts.face([(back_a, out_a - inset, low), (back_a, -out_a + inset, low), (back_b, -out_b + inset, high),
                (back_b, out_b - inset, high)], mesh.GLASS, "car", _WINDOW)  # fmt: skip
    parts.face([(front_a, -out_a + inset, low), (front_a, out_a - inset, low), (front_b, out_b - inset, high),
                (front_b, -out_b + inset, high)], mesh.GLASS, "car", _WINDOW)  # fmt: skip
    middle = (cabin[0] + cabin[1]) / 2
    for sign in (-1, 1):
        for p, q, pt, qt in ((back_a + 0.2, middle - 0.05, back_b + 0.12, middle - 0.05),
                             (middle + 0.05, front_a - 0.2, middle + 0.05, front_b - 0.12)):  # fmt: skip
            glass = [(p, sign * out_a, low), (q, sign * out_a, low), (qt, sign * out_b, high), (pt, sign * out_b, high)]
            parts.face(glass if sign < 0 else glass[::-1], mesh.GLASS, "car", _WINDOW)
        for centre in (x0 + 0.2 * length, x1 - 0.19 * length):
            for radius, colour, fine in ((0.33, _TYRE, False), (0.19, _STEEL, True)):
                wheel = [(centre + radius * c, sign * (half + 0.01), 0.33 + radius * s) for c, s in _OCTAGON]
                parts.face(wheel if sign < 0 else wheel[::-1], mesh.RUBBER, "car", colour, fine)
    for sign, x in ((-1, x0), (1, x1)):
        at = x + sign * 0.01
        for y in (-half + 0.1, half - 0.32):
            tyre = [
                (at - sign * 0.2, y, 0),
                (at - sign * 0.2, y + 0.22, 0),
                (at - sign * 0.2, y + 0.22, 0.4),
                (at - sign * 0.2, y, 0.4),
            ]
            parts.face(tyre if sign > 0 else tyre[::-1], mesh.RUBBER, "car", _TYRE)
        bumper = [(at, -half + 0.05, 0.32), (at, half - 0.05, 0.32), (at, half - 0.05, 0.46), (at, -half + 0.05, 0.46)]
        parts.face(bumper if sign > 0 else bumper[::-1], mesh.RUBBER, "car", _DARK, True)
        plate = [
            (at + sign * 0.01, -0.26, 0.47),
            (at + sign * 0.01, 0.26, 0.47),
            (at + sign * 0.01, 0.26, 0.58),
            (at + sign * 0.01, -0.26, 0.58),
        ]
        parts.face(plate if sign > 0 else plate[::-1], mesh.PLATE, "car", _WHITE if sign > 0 else _YELLOW, True)
        for y in (-half + 0.08, half - 0.42):
            z = waist - 0.28
            lamp = [(at, y, z), (at, y + 0.34, z), (at, y + 0.34, z + 0.17), (at, y, z + 0.17)]
            kind, colour = (
                (mesh.HEADLAMP, linear(0.9, 0.9, 0.86)) if sign > 0 else (mesh.TAILLAMP, linear(0.62, 0.05, 0.06))
            )
            parts.face(lamp if sign > 0 else lamp[::-1], kind, "car", colour)


def _walker(parts: _Parts, stride: float, label: str = "person") -> None:
    """1 high from the ground to the top of the head; `stride` between the feet."""
    shadow = [(0.16 * a, 0.16 * b, 0) for a, b in _OCTAGON]
    parts.face(shadow, mesh.CONTACT, "road", _BLACK)
    for sign in (-1, 1):
        foot = sign * (0.035 + stride / 2)
        parts.card([(foot - 0.03, 0), (foot + 0.035, 0), (sign * 0.03 + 0.045, 0.5), (sign * 0.03 - 0.045, 0.5)],
                   mesh.CLOTH, label, SECOND)  # fmt: skip
        hand = sign * (0.13 + stride / 3)
        parts.card([(hand - 0.02, 0.46), (hand + 0.02, 0.46), (sign * 0.11 + 0.028, 0.8), (sign * 0.11 - 0.028, 0.8)],
                   mesh.CLOTH, label, FIRST)  # fmt: skip
        parts.disc(hand, 0.45, 0.024, 0.024, mesh.SKIN, label, _SKIN, True)
    parts.card([(-0.085, 0.46), (0.085, 0.46), (0.115, 0.78), (0.08, 0.83), (-0.08, 0.83), (-0.115, 0.78)],
               mesh.CLOTH, label, FIRST)  # fmt: skip
    parts.card([(-0.02, 0.82), (0.02, 0.82), (0.02, 0.88), (-0.02, 0.88)], mesh.SKIN, label, _SKIN, True)
    parts.disc(0, 0.925, 0.055, 0.075, mesh.SKIN, label, _SKIN)
    parts.card(
        [(-0.056, 0.94), (0.056, 0.94), (0.04, 0.995), (-0.04, 0.995)], mesh.CLOTH, label, linear(0.2, 0.14, 0.1)
    )


def _rider(parts: _Parts) -> None:
    """Seen from behind or the front."""
    label = "cyclist"
    parts.face([(0.6 * a, 0.2 * b, 0) for a, b in _OCTAGON], mesh.CONTACT, "road", _BLACK)
    parts.disc(0, 0.34, 0.045, 0.34, mesh.RUBBER, label, _TYRE)
    parts.card([(-0.3, 0.98), (0.3, 0.98), (0.3, 1.03), (-0.3, 1.03)], mesh.METAL, label, _ROAD_BIKE)
    for sign, foot in ((-1, 0.2), (1, 0.42)):
        knee, hip, grip, elbow = sign * 0.12, sign * 0.13, sign * 0.29, sign * 0.22
        leg = [(knee - 0.05, foot), (knee + 0.05, foot), (hip + 0.08, 0.98), (hip - 0.08, 0.98)]
        arm = [(grip - 0.04, 1.0), (grip + 0.04, 1.0), (elbow + 0.06, 1.45), (elbow - 0.06, 1.45)]
        parts.card(leg, mesh.CLOTH, label, SECOND)
        parts.card(arm, mesh.CLOTH, label, FIRST)
    parts.card(
        [(-0.17, 0.9), (0.17, 0.9), (0.23, 1.42), (0.15, 1.5), (-0.15, 1.5), (-0.23, 1.42)], mesh.CLOTH, label, FIRST
    )
    parts.disc(0, 1.63, 0.1, 0.14, mesh.SKIN, label, _SKIN)
    parts.disc(0, 1.7, 0.125, 0.09, mesh.CLOTH, label, _RED)
    parts.card([(-0.05, 0.62), (0.05, 0.62), (0.05, 0.7), (-0.05, 0.7)], mesh.TAILLAMP, label, linear(0.6, 0.05, 0.05))


def _rider_aside(parts: _Parts) -> None:
    """Crossing, seen from the side."""
    label = "cyclist"
    parts.face([(0.3 * a, 0.8 * b, 0) for a, b in _OCTAGON], mesh.CONTACT, "road", _BLACK)
    for centre in (-0.55, 0.55):
        for i in range(8):  # a ring, as one sees through a wheel
            (a, b), (c, d) = _OCTAGON[i], _OCTAGON[(i + 1) % 8]
            parts.card([(centre + 0.34 * a, 0.34 + 0.34 * b), (centre + 0.34 * c, 0.34 + 0.34 * d),
                        (centre + 0.27 * c, 0.34 + 0.27 * d), (centre + 0.27 * a, 0.34 + 0.27 * b)],
                       mesh.RUBBER, label, _TYRE)  # fmt: skip
    for p, q in (((-0.55, 0.34), (-0.18, 0.85)), ((-0.18, 0.85), (0.42, 0.8)), ((-0.05, 0.34), (0.42, 0.8)),
                 ((-0.05, 0.34), (-0.18, 0.85)), ((0.42, 0.8), (0.55, 0.34)), ((0.4, 0.8), (0.38, 1.05))):  # fmt: skip
        parts.card(_bar(p, q, 0.03), mesh.METAL, label, _ROAD_BIKE)
    for p, q, wide, slot in (
        ((-0.16, 0.92), (0.14, 0.62), 0.08, SECOND), ((0.14, 0.62), (0.0, 0.24), 0.06, SECOND),
        ((-0.16, 0.9), (0.16, 1.42), 0.13, FIRST), ((0.14, 1.36), (0.4, 1.06), 0.05, FIRST),
    ):  # fmt: skip
        parts.card(_bar(p, q, wide), mesh.CLOTH, label, slot)
    parts.disc(0.24, 1.6, 0.1, 0.14, mesh.SKIN, label, _SKIN)
    parts.disc(0.22, 1.68, 0.13, 0.08, mesh.CLOTH, label, _RED)


def _bar(p: tuple[float, float], q: tuple[float, float], wide: float) -> list[tuple[float, float]]:
    """A straight piece from p to q, `wide` to either side."""
    dx, dy = q[0] - p[0], q[1] - p[1]
    k = wide / (dx * dx + dy * dy) ** 0.5
    return [
        (p[0] - dy * k, p[1] + dx * k),
        (p[0] + dy * k, p[1] - dx * k),
        (q[0] + dy * k, q[1] - dx * k),
        (q[0] - dy * k, q[1] + dx * k),
    ]


def _tree(parts: _Parts, kind: str) -> None:
    """About 7 high, its crown in the first colour."""
    parts.card([(-0.17, 0), (0.17, 0), (0.11, 3.2), (-0.11, 3.2)], mesh.BARK, "vegetation", _BARK)
    if kind == "fir":
        for low, high, wide in ((1.0, 4.2, 1.9), (2.6, 5.6, 1.45), (4.2, 7.4, 0.95)):
            parts.card([(-wide, low), (wide, low), (0.08, high), (-0.08, high)], mesh.NEEDLES, "vegetation", FIRST)
        return
    if kind != "column":
        for sign in (-1, 1):
            parts.card(_bar((0, 2.5), (sign * 1.0, 4.2), 0.06), mesh.BARK, "vegetation", _BARK)
    parts.card([(-0.11, 3.1), (0.11, 3.1), (0.04, 5), (-0.04, 5)], mesh.BARK, "vegetation", _BARK)
    for right, up, wide, high in {
        "round": (
            (0, 4.9, 1.6, 1.7),
            (-1.2, 4.3, 1.1, 0.9),
            (1.2, 4.4, 1.1, 1.0),
            (-0.8, 5.9, 1.0, 0.8),
            (0.8, 5.9, 1.0, 0.9),
            (0.1, 6.5, 0.9, 0.8),
            (-1.6, 5.0, 0.7, 0.7),
            (1.65, 5.2, 0.7, 0.7),
        ),
        "wide": (
            (-1.5, 4.6, 1.2, 1.0),
            (1.6, 4.7, 1.2, 1.0),
            (0, 5.1, 1.6, 1.2),
            (0.1, 4.3, 1.6, 0.8),
            (-0.9, 5.7, 1.0, 0.7),
            (0.9, 5.8, 1.0, 0.8),
            (-2.4, 4.7, 0.7, 0.6),
            (2.5, 4.9, 0.7, 0.6),
        ),
        "column": ((0, 3.2, 0.8, 1.3), (0.1, 4.8, 0.95, 1.4), (-0.1, 6.4, 0.8, 1.4), (0.05, 7.8, 0.5, 1.1)),
    }[kind]:
        parts.disc(right, up, wide, high, mesh.CROWN, "vegetation", FIRST)


def _lamp(parts: _Parts, side: int) -> None:
    """A street lamp whose arm reaches to the right (1) or the left (-1)."""
    parts.card([(-0.09, 0), (0.09, 0), (0.06, 7), (-0.06, 7)], mesh.METAL, "pole", _STEEL)
    parts.card([(0, 6.9), (side * 1.6, 7.15), (side * 1.6, 7.25), (0, 7.02)], mesh.METAL, "pole", _STEEL)
    parts.card(
        [(side * 1.2, 7.08), (side * 2.0, 7.1), (side * 2.0, 7.22), (side * 1.2, 7.26)],
        mesh.LAMP,
        "pole",
        linear(0.7, 0.7, 0.66),
    )


def _sign(parts: _Parts, kind: str) -> None:
    """A traffic sign, or a board with a place's name, on a pole."""
    parts.card([(-0.04, 0), (0.04, 0), (0.04, 2.4), (-0.04, 2.4)], mesh.METAL, "pole", _STEEL)

    def plate(points: list[tuple[float, float]], colour: np.ndarray) -> None:
        parts.card(points, mesh.PLATE, "sign", colour)

    if kind == "circle":
        for size, colour in ((0.4, _RED), (0.29, _WHITE)):
            plate([(size * a, 2.5 + size * b) for a, b in _OCTAGON], colour)
        plate([(-0.16, 2.46), (0.16, 2.46), (0.16, 2.56), (-0.16, 2.56)], _BLACK)
    elif kind == "triangle":
        plate([(-0.5, 2.15), (0.5, 2.15), (0, 3.0)], _RED)
        plate([(-0.3, 2.26), (0.3, 2.26), (0, 2.78)], _WHITE)
        plate([(-0.05, 2.3), (0.05, 2.3), (0.05, 2.55), (-0.05, 2.55)], _BLACK)
    elif kind == "square":
        plate([(-0.38, 2.1), (0.38, 2.1), (0.38, 2.86), (-0.38, 2.86)], _BLUE)
        plate([(-0.22, 2.2), (0.22, 2.2), (0, 2.74)], _WHITE)
    else:
        plate([(-0.75, 2.2), (0.75, 2.2), (0.75, 2.95), (-0.75, 2.95)], _GREEN)
        plate([(-0.62, 2.62), (0.5, 2.62), (0.5, 2.76), (-0.62, 2.76)], _WHITE)
        plate([(-0.62, 2.36), (0.2, 2.36), (0.2, 2.5), (-0.62, 2.5)], _WHITE)


def _signal(parts: _Parts) -> None:
    """A traffic light; which lamp is on follows from the seed."""
    parts.card([(-0.07, 0), (0.07, 0), (0.07, 3.4), (-0.07, 3.4)], mesh.METAL, "pole", _STEEL)
    parts.card([(-0.2, 2.5), (0.2, 2.5), (0.2, 3.5), (-0.2, 3.5)], mesh.METAL, "traffic-light", _BLACK)
    for up, colour in ((3.32, linear(0.9, 0.1, 0.08)), (3.0, linear(0.9, 0.6, 0.1)), (2.68, linear(0.1, 0.8, 0.35))):
        parts.disc(0, up, 0.125, 0.125, mesh.SIGNAL, "traffic-light", colour)


@dataclass(frozen=True)
class _Library:
    """All figures side by side, and where each begins."""

    points: np.ndarray
    right: np.ndarray
    card: np.ndarray
    normal: np.ndarray
    material: np.ndarray
    label: np.ndarray
    slot: np.ndarray
    colour: np.ndarray
    detail: np.ndarray
    range: dict[str, np.ndarray]


@lru_cache(maxsize=1)
def _library() -> _Library:
    figures: dict[str, _Parts] = {}

    def new(name: str) -> _Parts:
        return figures.setdefault(name, _Parts())

    _car(new("sedan"), 4.5, 1.8, 0.9, 1.44, (-1.75, 1.2), (0.75, 0.55, 0.14))
    _car(new("hatchback"), 3.9, 1.74, 0.94, 1.52, (-1.85, 1.1), (0.7, 0.25, 0.12))
    _car(new("van"), 5.2, 1.95, 1.1, 2.2, (-2.55, 2.0), (0.65, 0.05, 0.08))
    for name, stride in zip(PEOPLE, (0.06, 0.16, 0.24, 0.02), strict=True):
        _walker(new(name), stride)
    _rider(new("rider"))
    _rider_aside(new("rider-aside"))
    for name in TREES:
        _tree(new(name), name)
    for name in SIGNS:
        _sign(new(name), name)
    _lamp(new("lamp-right"), 1)
    _lamp(new("lamp-left"), -1)
    _signal(new("signal"))
    rows = [row for parts in figures.values() for row in parts.rows]
    points, right, card, material, label, slot, colour, detail = (list(column) for column in zip(*rows, strict=True))
    ends = np.cumsum([0] + [len(parts.rows) for parts in figures.values()])
    shape, cards = np.array(points), np.array(card)
    normal = mesh.normals(shape)
    normal[cards] = (0, 0, 1)
    return _Library(
        shape, np.array(right), cards, normal, np.array(material, np.uint8),
        np.array([CLASSES.index(name) for name in label], np.uint8), np.array(slot), np.array(colour),
        np.array(detail), {name: np.arange(ends[i], ends[i + 1]) for i, name in enumerate(figures)},
    )  # fmt: skip


def place(things: Sequence[Thing], first_number: int = 1) -> Mesh:
    """The polygons of things; those with a label are numbered from `first_number` on, in their order."""
    lib = _library()
    ranges = [lib.range[t.figure] for t in things]
    part = np.concatenate(ranges)
    of = np.repeat(np.arange(len(things)), [len(r) for r in ranges])
    columns = np.array([(t.x, t.y, t.cos, t.sin, t.scale, t.order, t.seed) for t in things])[of]
    x, y, cos, sin, scale, order, seed = columns.T
    local = lib.points[part] * scale[:, None, None]
    c, s = cos[:, None], sin[:, None]
    points = np.empty_like(local)
    points[..., 0] = local[..., 0] * c - local[..., 1] * s + x[:, None]
    points[..., 1] = local[..., 0] * s + local[..., 1] * c + y[:, None]
    points[..., 2] = local[..., 2]
    n = lib.normal[part]
    normal = np.stack([n[:, 0] * cos - n[:, 1] * sin, n[:, 0] * sin + n[:, 1] * cos, n[:, 2]], 1)
    slot = lib.slot[part]
    colour = np.where((slot == FIRST)[:, None], np.array([t.first for t in things])[of], lib.colour[part])
    colour = np.where((slot == SECOND)[:, None], np.array([t.second for t in things])[of], colour)
    counted = np.cumsum([t.label is not None for t in things]) + first_number - 1
    number = np.where([t.label is not None for t in things], counted, 0)[of]
    label = lib.label[part]
    if (number > 0).any():  # of a sign only the plate is the instance, not its pole
        number = np.where(label == CLASSES.index("pole"), 0, number)
    count = len(part)
    zeros = np.zeros((count, 3))
    return Mesh(
        points=points, right=lib.right[part] * scale[:, None], card=lib.card[part], normal=normal,
        origin=np.stack([x, y, 0 * x], 1), across=zeros, up=np.tile((0.0, 0.0, 1.0), (count, 1)),
        texture=np.tile(scale[:, None], (1, 7)), colour=colour, material=lib.material[part], label=label,
        thing=number, seed=seed.astype(np.int64), order=order, detail=lib.detail[part],
    )  # fmt: skip
