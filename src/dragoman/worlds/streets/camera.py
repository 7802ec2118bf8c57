"""What a camera sees of polygons: which surface lies in each pixel, and where."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dragoman.worlds.streets import mesh
from dragoman.worlds.streets.mesh import CLASSES, Mesh
from dragoman.worlds.streets.noise import white

FAR = 100.0
"""Depth of the sky in metres; everything else is nearer."""

HEIGHT = 1.5
"""Of the camera above the road, metres."""

FOCAL, HORIZON = 0.785, 0.56
"""Focal length (a field of view of 65 degrees) and row of the horizon, in image heights."""

NEAR, BACKDROP = 0.4, 98.0
"""Where polygons are cut off, and where the skyline stands, metres."""

SHARP = 40.0
"""Metres beyond which details are left out."""


@dataclass(frozen=True)
class Camera:
    """A pose and an image size; images are drawn at `fine` times that size and averaged."""

    x: float
    y: float
    cos: float
    sin: float
    size: int
    fine: int

    @property
    def pixels(self) -> int:
        """Height and width of what is drawn."""
        return self.size * self.fine

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """Right [W] and down [H] per metre of depth, of the drawn pixels' centres, float32."""
        middle = np.arange(self.pixels) + 0.5
        focal = FOCAL * self.pixels
        return (((middle - 0.5 * self.pixels) / focal).astype(np.float32),
                ((middle - HORIZON * self.pixels) / focal).astype(np.float32))  # fmt: skip

    def see(self, points: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres to the right of the camera, and ahead of it, of [..., 3]."""
        dx, dy = points[..., 0] - self.x, points[..., 1] - self.y
        return dx * self.sin - dy * self.cos + right, dx * self.cos + dy * self.sin

    def image(self, right: np.ndarray, down: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        """[..., 2] int32 sixteenths of drawn pixels, of points in front of the camera."""
        focal = FOCAL * self.pixels
        x = 0.5 * self.pixels + focal * right / ahead - 0.5
        y = HORIZON * self.pixels + focal * down / ahead - 0.5
        limit = 64.0 * self.pixels
        both = np.stack([x, y], -1)
        return np.rint(np.clip(both, -limit, limit) * 16).astype(np.int32)


@dataclass(frozen=True)
class Frame:
    """What is seen: row k of the surfaces is painted where a buffer says k + 1, and 0 is the sky."""

    camera: Camera
    surfaces: Mesh
    """[M] from the furthest to the nearest."""
    solid: np.ndarray
    """[H, W] int32: the surface in each pixel as it is when trees are bare."""
    leaves: np.ndarray
    """[H, W] int32: the nearest crown of a deciduous tree that nothing hides, else 0."""
    plane: np.ndarray
    """[M, 3]: the inverse depth is linear in the ray (right, down, 1)."""
    span: np.ndarray
    """[M, 2] least and greatest inverse depth."""
    outlines: np.ndarray
    """[M, 8, 3] right, down, ahead in metres."""
    world: Mesh
    """All polygons, also those out of sight, which may cast shadows."""

    def seen(self) -> np.ndarray:
        """[H, W] int32: the surface in each pixel with trees in leaf, as in every label."""
        return np.maximum(self.solid, self.leaves)

    def depth(self, surface: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Depth in metres [H, W] float32 of the surfaces [H, W] along the rays; FAR in the sky."""
        sky = np.array([[0, 0, 0, 1 / FAR, 1 / FAR]])
        table = np.concatenate([sky, np.concatenate([self.plane, self.span], 1)]).astype(np.float32)
        a, b, c, low, high = (column.take(surface, mode="clip") for column in np.ascontiguousarray(table.T))
        inverse = a * right + b * down[:, None] + c
        return 1 / np.clip(inverse, low, high)


def frame(camera: Camera, world: Mesh) -> Frame:
    """Paint the polygons from the furthest to the nearest."""
    right, ahead = camera.see(world.points, world.right)
    nearest, furthest = least(ahead), -least(-ahead)
    centre = world.points[:, 0]
    facing = (world.normal[:, 0] * (camera.x - centre[:, 0]) + world.normal[:, 1] * (camera.y - centre[:, 1])
              + world.normal[:, 2] * (HEIGHT - centre[:, 2]))  # fmt: skip
    wide = 0.55 / FOCAL * np.maximum(ahead, NEAR) + 0.01
    inside = (least(-right - wide) < 0) & (least(right - wide) < 0) & (furthest > NEAR) & (furthest < BACKDROP)
    keep = inside & (world.card | (facing > 1e-3)) & (~world.detail | (nearest < SHARP))
    under = world.material == mesh.CONTACT
    chosen = np.flatnonzero(keep & ~under)
    chosen = chosen[np.argsort(-world.order[chosen], kind="stable")]
    surfaces = world.take(chosen)
    outlines = np.stack([right[chosen], HEIGHT - surfaces.points[..., 2], ahead[chosen]], -1)
    solid, leaves = np.zeros((2, camera.pixels, camera.pixels), np.int32)
    crowns = surfaces.material == mesh.CROWN
    paint([solid, leaves], camera, outlines, np.arange(1, len(chosen) + 1), crowns.astype(int))
    leaves[leaves < solid] = 0
    plane, span = _planes(camera, surfaces, outlines)
    return Frame(camera, surfaces, solid, leaves, plane, span, outlines, world)


def least(corners: np.ndarray) -> np.ndarray:
    """Minima [M, ...] over the corners of [M, 8, ...]; numpy is slow where the axis is as short as this one."""
    half = np.minimum(corners[:, :4], corners[:, 4:])
    half = np.minimum(half[:, :2], half[:, 2:])
    return np.minimum(half[:, 0], half[:, 1])


def paint(buffers: Sequence[np.ndarray], camera: Camera, outlines: np.ndarray, values: np.ndarray,
          which: np.ndarray) -> None:  # fmt: skip
    """Fill the outlines [M, 8, 3] (right, down, ahead), in their order, with values [M] in the buffers `which` [M]."""
    from cv2 import fillConvexPoly

    ahead = outlines[..., 2]
    pixels = camera.image(outlines[..., 0], outlines[..., 1], np.maximum(ahead, NEAR))
    cut, front = least(ahead) < NEAR, least(-ahead) < -NEAR
    inside = ((least(-pixels) <= 0) & (least(pixels) < 16 * camera.pixels)).all(1)
    polygons = list(pixels)
    for k in np.flatnonzero(cut & front).tolist():
        polygons[k] = camera.image(*_cut(outlines[k]).T)
    shown = np.flatnonzero((inside | cut) & front)
    for k, value, number in zip(shown.tolist(), values[shown].tolist(), which[shown].tolist(), strict=True):
        fillConvexPoly(buffers[number], polygons[k], value, 8, 4)


def _cut(points: np.ndarray) -> np.ndarray:
    """The part of a convex polygon [n, 3] (right, down, ahead) at least NEAR ahead."""
    kept = []
    for p, q in zip(points, np.roll(points, -1, 0), strict=True):
        if p[2] >= NEAR:
            kept.append(p)
        if (p[2] >= NEAR) != (q[2] >= NEAR):
            kept.append(p + (q - p) * ((NEAR - p[2]) / (q[2] - p[2])))
    return np.array(kept)


def _planes(camera: Camera, surfaces: Mesh, outlines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse depth of each surface: coefficients [M, 3] of (right, down, 1), and its range [M, 2]."""
    n = surfaces.normal
    right, ahead = n[:, 0] * camera.sin - n[:, 1] * camera.cos, n[:, 0] * camera.cos + n[:, 1] * camera.sin
    normal = np.stack([right, -n[:, 2], ahead], 1)
    normal[surfaces.card] = (0, 0, 1)
    point = outlines[:, 0]
    distance = normal[:, 0] * point[:, 0] + normal[:, 1] * point[:, 1] + normal[:, 2] * point[:, 2]
    far = np.maximum(outlines[..., 2], NEAR)
    span = np.stack([1 / far.max(1), 1 / far.min(1)], 1)
    flat = surfaces.material <= mesh.GRASS  # the ground is one plane, wherever its pieces' edges fall
    span[flat] = (1 / (FAR - 1), 1 / NEAR)
    return normal / distance[:, None], span


@lru_cache(maxsize=8)
def _skyline(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Heights in metres and kinds of what stands on the horizon, by direction in steps of 2 degrees."""
    height = white()[seed % 500, :180].astype(np.float64)
    built = white()[(seed + 7) % 500, 100:280] < 0.5
    return np.where(built, 4 + 9 * height**2, 3 + 3.5 * height), built


def backdrop(camera: Camera, seed: int) -> Mesh:
    """Distant houses and trees all along the horizon, fixed by the direction in which they are."""
    heights, built = _skyline(seed)
    angle = math.atan2(camera.sin, camera.cos)
    first = math.floor(math.degrees(angle) / 2) - 19
    steps = np.arange(first, first + 39)
    left, right = (np.tan(np.clip(angle - np.radians(2.0 * (steps + k)), -1.2, 1.2)) * BACKDROP for k in (1, 0))
    left, right = np.round(left * 256) / 256, np.round(right * 256) / 256
    count, high, kind = len(steps), heights[steps % 180], built[steps % 180]
    points = np.zeros((count, mesh.CORNERS, 3))
    ahead = BACKDROP - 0.001
    points[..., 0], points[..., 1] = camera.x + ahead * camera.cos, camera.y + ahead * camera.sin
    points[:, 2:, 2] = high[:, None]
    points[:, :2, 2] = -0.3
    offset = np.empty((count, mesh.CORNERS))
    offset[:, 0], offset[:, 1], offset[:, 2], offset[:, 3:] = left, right + 0.2, right + 0.2, left[:, None]
    house, wood = mesh.linear(0.5, 0.46, 0.44), mesh.linear(0.22, 0.32, 0.18, 0.5)
    zeros = np.zeros((count, 3))
    return Mesh(
        points=points, right=offset, card=np.ones(count, bool), normal=np.tile((0.0, 0.0, 1.0), (count, 1)),
        origin=points[:, 0], across=zeros, up=zeros, texture=np.zeros((count, 7)),
        colour=np.where(kind[:, None], house, wood) * (0.8 + 0.4 * heights[(steps * 7) % 180, None] / 13),
        material=np.full(count, mesh.DISTANT, np.uint8),
        label=np.where(kind, CLASSES.index("building"), CLASSES.index("vegetation")).astype(np.uint8),
        thing=np.zeros(count, np.int64), seed=steps % 180, order=np.full(count, 5e5), detail=np.zeros(count, bool),
    )  # fmt: skip
