"""Filled shapes on a supersampled canvas, averaged down once, with a soft light for each material."""

import colorsys
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from dragoman.errors import UserError

Colour = Sequence[float]
Points = Sequence[Sequence[float]] | np.ndarray
SHIFT = 4
"""Binary places of sub-pixel coordinates: whole numbers, so that every machine fills the same pixels."""


def opencv() -> None:
    """Make sure that OpenCV is there.

    Raises:
        UserError: it is missing.
    """
    try:
        import cv2  # noqa: F401
    except ImportError:
        raise UserError("drawn worlds need OpenCV; run: pip install 'dragoman[worlds]'") from None


def hsv(hue: float, saturation: float, value: float) -> list[float]:
    """RGB in [0, 1]."""
    return list(colorsys.hsv_to_rgb(hue % 1, min(saturation, 1), min(value, 1)))


def mix(a: Colour, b: Colour, share: float) -> list[float]:
    """`share` of the colour b, the rest of a."""
    return [x + share * (y - x) for x, y in zip(a, b, strict=True)]


def times(colour: Colour, factor: float | Colour) -> list[float]:
    """A colour made darker or lighter, as a whole or per channel."""
    factors = (factor,) * 3 if isinstance(factor, float | int) else factor
    return [min(1.0, a * b) for a, b in zip(colour, factors, strict=True)]


@lru_cache(maxsize=256)
def _circle(start: float, stop: float, power: float) -> np.ndarray:
    angle = np.linspace(start, stop, 28)
    return np.stack([np.sign(t) * np.abs(t) ** power for t in (np.cos(angle), np.sin(angle))], 1)


def ellipse(x: float, y: float, width: float, height: float, *, start: float = 0, stop: float = 2 * np.pi,
            power: float = 1) -> np.ndarray:  # fmt: skip
    """Points [28, 2] of an arc with half axes `width` and `height`; a `power` below 1 makes it a rounded box."""
    return _circle(start, stop, power) * np.array((width, height)) + np.array((x, y))


@lru_cache(maxsize=8)
def _catmull_rom(steps: int) -> np.ndarray:
    """[steps, 4]: weights of the four points around a span of the curve."""
    t = np.arange(steps)[:, None] / steps
    return 0.5 * np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2])


def curve(points: Points, closed: bool = False, steps: int = 5) -> np.ndarray:
    """A smooth curve [*, 2] through points (Catmull-Rom), back to the first one if `closed`."""
    p = np.asarray(points, float)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    spans = np.stack([p[:-3], p[1:-2], p[2:-1], p[3:]], 1)
    dense = (_catmull_rom(steps) @ spans).reshape(-1, 2)
    return dense if closed else np.concatenate([dense, p[-2:-1]])


def moved(points: Points, x: float = 0, y: float = 0, mirror: bool = False) -> np.ndarray:
    """Points [P, 2], first turned left to right if `mirror`, shifted."""
    return np.asarray(points, float) * np.array((-1 if mirror else 1, 1)) + np.array((x, y))


def stroke(points: Points, width: float, taper: float = 0) -> np.ndarray:
    """The outline of a line [*, 2] through points, `width` wide in the middle and (1 - taper) width at its ends."""
    p = np.asarray(points, float)
    along = np.empty_like(p)
    along[1:-1] = p[2:] - p[:-2]
    along[0], along[-1] = p[1] - p[0], p[-1] - p[-2]
    along /= np.sqrt((along**2).sum(1, keepdims=True))
    t = np.linspace(-1, 1, len(p))
    half = along[:, ::-1] * (0.5 * width * (1 - taper * t * t))[:, None] * np.array((-1, 1))
    return np.concatenate([p + half, (p - half)[::-1]])


@lru_cache(maxsize=8)
def pixels(size: int) -> np.ndarray:
    """[size]: where the middle of each pixel lies, as a share of the image's side."""
    return (np.arange(size, dtype=np.float32) + 0.5) / size


class Canvas:
    """Shapes in painter's order. Coordinates are shares of the image's side, x to the right, y down.

    A pixel's colour is the mean of the shapes that it shows. A material ("skin", "hair", ...) is lit as a whole when
    the image is made: its light is a smooth picture, and a pixel takes it by how much of the material it shows. So a
    shape never changes a pixel that it does not touch.
    """

    def __init__(self, size: int):
        self.size = size
        self.factor = 4 if size <= 128 else 2
        self.side = size * self.factor
        self.shapes: list[np.ndarray] = []
        self.numbers: list[int] = []
        self.inks: dict[tuple[str, tuple[float, ...]], int] = {}

    def fill(self, points: np.ndarray, colour: Colour, material: str = "") -> None:
        """A polygon [P, 2] in RGB of [0, 1]."""
        self.shapes.append(points)
        self.numbers.append(self.inks.setdefault((material, tuple(colour)), len(self.inks)))

    def image(self, light: Mapping[str, tuple[np.ndarray, np.ndarray | float]]) -> np.ndarray:
        """[size, size, 3] uint8.

        Args:
            light: Per material gain [size, size] or [size, size, 3], by which its colour grows (negative: shrinks), and
                gloss, in grey levels that are added.
        """
        import cv2

        # (0, 0) is the corner of the image, half a pixel off the first pixel's centre
        scaled = np.rint((np.concatenate(self.shapes) * self.side - 0.5) * 2**SHIFT).astype(np.int32)
        numbers, start = np.zeros((self.side, self.side), np.uint8), 0
        for shape, number in zip(self.shapes, self.numbers, strict=True):
            stop = start + len(shape)
            cv2.fillPoly(numbers, [scaled[start:stop]], number, lineType=8, shift=SHIFT)
            start = stop

        def mean(values: list[int]) -> np.ndarray:
            table = np.zeros(256, np.uint8)
            table[: len(values)] = values
            return cv2.resize(cv2.LUT(numbers, table), (self.size, self.size), interpolation=cv2.INTER_AREA)

        inks = list(self.inks)
        picture = np.stack([mean([round(255 * colour[c]) for _, colour in inks]) for c in range(3)], 2).astype(
            np.float32
        )
        gain: np.ndarray | float = 1.0
        gloss: np.ndarray | float = 0.0
        for material, (factor, extra) in light.items():
            share = mean([255 * (made_of == material) for made_of, _ in inks])[..., None].astype(np.float32) / 255
            gain = gain + share * (factor if factor.ndim == 3 else factor[..., None])
            if isinstance(extra, np.ndarray):
                gloss = gloss + share * extra[..., None]
        return np.rint(picture * gain + gloss).clip(0, 255).astype(np.uint8)
