"""Flat convex polygons in the world, as arrays: what a street and its traffic are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

CLASSES = ("sky", "road", "lane-marking", "pavement", "terrain", "building", "vegetation", "pole", "traffic-light",
           "sign", "person", "cyclist", "car")  # fmt: skip
"""Names of the numbers in a segmentation."""

PALETTE = np.array([
    (112, 168, 216), (112, 80, 112), (240, 240, 240), (224, 96, 208), (152, 216, 128), (96, 96, 104), (64, 136, 40),
    (176, 168, 160), (248, 168, 32), (224, 208, 0), (216, 24, 56), (128, 0, 32), (16, 32, 160),
], np.uint8)  # fmt: skip
"""[classes, 3] a colour for each, to look at a segmentation."""

# What a surface is made of, in blocks: what lies on the ground comes first.
ASPHALT, PAINT, STONE, GRASS, FACADE, WALL, ROOF, BARK, CROWN, NEEDLES, HEDGE, METAL, PLATE, BODY, GLASS, RUBBER = (
    range(16)
)
HEADLAMP, TAILLAMP, LAMP, SIGNAL, CLOTH, SKIN, DISTANT, SKY, CONTACT = range(16, 25)

CORNERS = 8
"""Of every polygon; the last is repeated where there are fewer."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """P polygons. Those with `card` stand upright, face the camera, and are offset to its right."""

    points: np.ndarray
    """[P, 8, 3] metres, z up."""
    right: np.ndarray
    """[P, 8] metres to the camera's right."""
    card: np.ndarray
    """[P] bool."""
    normal: np.ndarray
    """[P, 3], outwards; upwards for cards."""
    origin: np.ndarray
    """[P, 3] where the texture begins."""
    across: np.ndarray
    """[P, 3] direction of the texture's first coordinate; unused for cards."""
    up: np.ndarray
    """[P, 3] direction of its second."""
    texture: np.ndarray
    """[P, 7] what the material needs to know: see `facade` in the layout."""
    colour: np.ndarray
    """[P, 4] reflectance of red, green, blue and near infrared, linear."""
    material: np.ndarray
    """[P]."""
    label: np.ndarray
    """[P] class numbers."""
    thing: np.ndarray
    """[P] number of the object from 1 on, 0 for what is not counted."""
    seed: np.ndarray
    """[P] of whatever varies from object to object."""
    order: np.ndarray
    """[P] metres along the route; what is further is painted first."""
    detail: np.ndarray
    """[P] bool: left out at a distance, casts no shadow."""

    def take(self, index: np.ndarray) -> "Mesh":
        """Some of the polygons."""
        return Mesh(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @staticmethod
    def join(parts: Sequence["Mesh"]) -> "Mesh":
        """The polygons of all."""
        return Mesh(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Mesh)})


def linear(red: float, green: float, blue: float, near: float | None = None) -> np.ndarray:
    """[4] reflectances of a colour as it is seen, 0 to 1; near infrared as given, else a little above red."""
    visible = np.array([red, green, blue]) ** 2
    return np.append(visible, near if near is not None else 0.15 + 0.6 * visible[0])


def corners(points: Sequence[Sequence[float]]) -> np.ndarray:
    """[8, 3] of three to eight points."""
    return np.array([*points, *[points[-1]] * (CORNERS - len(points))], np.float64)


def normals(points: np.ndarray) -> np.ndarray:
    """[P, 3] unit normals of [P, 8, 3], towards whoever sees the first three corners counter-clockwise."""
    a, b = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    n = np.stack([a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], 1)
    return n / np.maximum(np.sqrt((n * n).sum(1, keepdims=True)), 1e-9)
