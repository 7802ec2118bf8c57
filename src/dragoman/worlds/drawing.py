"""Flat shapes on a supersampled canvas, with one soft light over all of them."""

import colorsys
from collections.abc import Sequence

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


def ellipse(x: float, y: float, width: float, height: float, *, start: float = 0, stop: float = 2 * np.pi,
            power: float = 1, turn: float = 0) -> np.ndarray:  # fmt: skip
    """Points [28, 2] of an arc with half axes `width` and `height`; a `power` below 1 makes it a rounded box."""
    angle = np.linspace(start, stop, 28)
    along, across = (np.sign(t) * np.abs(t) ** power for t in (np.cos(angle), np.sin(angle)))
    along, across = width * along, height * across
    c, s = np.cos(turn), np.sin(turn)
    return np.stack([x + c * along - s * across, y + s * along + c * across], 1)


class Canvas:
    """Shapes in painter's order, by number: colours are looked up once, at the end."""

    def __init__(self, size: int):
        self.size = size
        self.factor = max(1, min(4, 512 // size))
        self.side = size * self.factor
        self.numbers = np.zeros((self.side, self.side), np.uint8)
        self.colours: dict[tuple[float, ...], int] = {}

    def _number(self, colour: Colour, shade: float) -> int:
        return self.colours.setdefault((*colour, shade), len(self.colours))

    def _pixels(self, points: Points) -> np.ndarray:
        """Sub-pixel coordinates; (0, 0) is the corner of the image, half a pixel off the first pixel's centre."""
        return np.rint((np.asarray(points) * self.side - 0.5) * 2**SHIFT).astype(np.int32)

    def fill(self, points: Points, colour: Colour, shade: float = 0) -> None:
        """A polygon [P, 2] in RGB of [0, 1]; `shade` in [0, 1] is how much of the light it shows."""
        import cv2

        cv2.fillPoly(self.numbers, [self._pixels(points)], self._number(colour, shade), lineType=8, shift=SHIFT)

    def line(self, points: Points, width: float, colour: Colour, closed: bool = False) -> None:
        """A line through points [P, 2], `width` wide, at least one pixel of the canvas."""
        import cv2

        thickness = max(1, round(width * self.side))
        cv2.polylines(
            self.numbers, [self._pixels(points)], closed, self._number(colour, 0.3), thickness, lineType=8, shift=SHIFT
        )

    def image(self, light: tuple[float, float], reach: float) -> np.ndarray:
        """[size, size, 3] uint8, brightest where the light is, a quarter darker at its reach."""
        table = np.array(list(self.colours), np.float32)
        place = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        across, down = (((place - at) / reach) ** 2 for at in light)
        dark = 0.25 * (down[:, None] + across)
        picture = table[self.numbers, :3] * (1 - table[self.numbers, 3] * dark)[..., None]
        blocks = picture.reshape(self.size, self.factor, self.size, self.factor, 3)
        return np.rint(blocks.mean((1, 3)) * 255).clip(0, 255).astype(np.uint8)
