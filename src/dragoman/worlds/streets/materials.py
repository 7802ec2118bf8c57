"""Surfaces close up: asphalt and paving, windows and doors, leaves; and the snow and water on them."""

from dataclasses import dataclass

import numpy as np

from dragoman.worlds.streets import mesh
from dragoman.worlds.streets.camera import Frame
from dragoman.worlds.streets.condition import Look
from dragoman.worlds.streets.noise import at, smooth, white

SNOW = np.array([0.84, 0.87, 0.92, 0.85], np.float32)
"""Reflectance."""

_ACCENTS = np.array([mesh.linear(*c) for c in (
    (0.7, 0.14, 0.12), (0.1, 0.3, 0.6), (0.1, 0.42, 0.28), (0.85, 0.65, 0.15), (0.16, 0.16, 0.18), (0.5, 0.2, 0.45),
    (0.85, 0.84, 0.8), (0.1, 0.45, 0.5),
)], np.float32)  # fmt: skip
"""Of doors and of signs over shops."""


@dataclass
class Pixels:
    """What is known of each pixel, flattened: [N] and [N, 4]."""

    surface: np.ndarray
    material: np.ndarray
    right: np.ndarray
    down: np.ndarray
    depth: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    albedo: np.ndarray
    glow: np.ndarray
    focal: float


def _spread(facts: list[np.ndarray], surface: np.ndarray) -> np.ndarray:
    """[F, N] float32 facts of the surface in each pixel, from F facts [M]."""
    return np.array(facts, np.float32).take(surface, 1, mode="clip")


def pave(p: Pixels, frame: Frame, look: Look, floor: np.ndarray, texture: float) -> np.ndarray | None:
    """Texture, snow and water on the ground, pixels `floor` [G]; returns how much of a mirror it is [G], if wet."""
    m = frame.surfaces
    facts = [m.origin[:, 0] - frame.camera.x, m.origin[:, 1] - frame.camera.y, *m.across.T[:2], *m.texture.T[:2]]
    ox, oy, ax, ay, begin, edge = _spread(facts, p.surface[floor] - 1)
    dx, dy = p.x[floor] - ox, p.y[floor] - oy
    s, t = dx * ax + dy * ay + begin, dy * ax - dx * ay + edge
    material, depth = p.material[floor], p.depth[floor]
    near = np.clip(p.focal * 0.12 / depth - 0.25, 0, 1)  # grain fades where it is finer than a pixel
    patches = at(smooth(), s * 7, t * 14)
    grain = at(white(), s * 9, t * 9)
    strength = np.array([0.35, 0.2, 0.25, 0.5], np.float32)[material]
    factor = 1 + strength * texture * (0.9 * (grain - 0.5) * near + 0.6 * (patches - 0.5))
    track = np.abs(np.abs(np.abs(t) - 1.75) - 0.75)  # metres from the nearest wheel track
    road = material == mesh.ASPHALT
    factor -= np.where(road & (track < 0.3), 0.1, 0)
    stone = material == mesh.STONE
    joint = ((s * 1.25) % 1 < 0.07) | ((t * 1.25) % 1 < 0.07)
    factor -= np.where(stone & joint, 0.22, 0) * near
    albedo = p.albedo[floor] * factor[:, None]
    wet = np.float32(look.wet)
    if wet:
        albedo *= 1 - 0.5 * wet
    if any(look.snow[:3]):
        shares = np.array([look.snow[0], look.snow[0] * 0.9, look.snow[1], look.snow[2]], np.float32)[material]
        aside = np.clip((np.abs(t) - 2.7) * 0.5, 0, 1)  # ploughed away from the lanes
        share = np.where(road, shares * np.where(track < 0.36, 0.4, 0.85 + 0.4 * aside), shares)
        drifts = 0.6 * at(smooth(), s * 9 + look.drift, t * 19) + 0.4 * at(smooth(), s * 31, t * 47)
        cover = np.clip((share - drifts) * 6 + 0.5, 0, 1) * (share > 0)
        bright = SNOW * (0.94 + 0.08 * (patches - 0.5))[:, None]
        albedo += cover[:, None] * (bright - albedo)
    p.albedo[floor] = albedo
    if not wet:
        return None
    puddle = np.clip((wet * 0.45 - at(smooth(), s * 9 + look.drift, t * 20)) * 12, 0, 1) * np.where(
        material == mesh.GRASS, 0.1, 1
    )
    grazing = 1 / (1 + 4.5 * p.down[floor])
    sheen = np.where(material == mesh.GRASS, 0.05, 0.62) * wet * grazing
    return np.maximum(sheen, puddle * (0.25 + 0.6 * grazing)).astype(np.float32)


def facades(p: Pixels, frame: Frame, look: Look, texture: float) -> None:
    """Windows, doors and shops on buildings."""
    where = np.flatnonzero((p.material == mesh.FACADE) | (p.material == mesh.WALL))
    if not len(where):
        return
    m, surface = frame.surfaces, p.surface[where] - 1
    facts = [m.origin[:, 0] - frame.camera.x, m.origin[:, 1] - frame.camera.y, *m.across.T[:2], *m.texture.T]
    ox, oy, ax, ay, period, share, storey, tall, kind, height, width = _spread(facts, surface)
    u, v = (p.x[where] - ox) * ax + (p.y[where] - oy) * ay, p.z[where]
    seed = m.seed.astype(np.int32)[surface]
    column, row = np.floor(u / period), np.floor(v / storey)
    fu, fv = u / period - column, v / storey - row
    chance = at(white(), column * 3 + seed, row * 7 + seed // 512)
    window = (np.abs(fu - 0.5) < share / 2) & (np.abs(fv - 0.58) < tall / 2) & (v < height - 0.4)
    wall = p.material[where] == mesh.WALL
    window &= ~wall | (chance < 0.35)
    base = (row <= 0) & ~wall
    shop, lobby = base & (kind == 1), base & (kind == 2)
    door = base & (kind == 0) & (column == np.floor(at(white(), seed * 0 + 17.0, seed) * (width / period)))
    window = np.where(shop, (fv < 0.74) & (fv > 0.1) & (np.abs(fu - 0.5) < 0.46), window)
    window = np.where(lobby, (fv < 0.86) & (np.abs(fu - 0.5) < 0.47), window)
    window &= ~door
    sharp = np.clip(p.focal * period * np.maximum(np.abs(p.right[where]), 0.12) / p.depth[where] * 0.5 - 0.5, 0, 1)
    sharp = np.maximum(sharp, wall)
    mean = np.where(shop | lobby, np.float32(0.65), share * tall)
    mean = np.where(wall, mean * 0.35, mean)
    glass = sharp * window + (1 - sharp) * mean
    albedo = p.albedo[where]
    bricks = at(white(), np.floor(u * 4 + 0.5 * (np.floor(v * 11) % 2)), np.floor(v * 11))
    close = np.clip(p.focal * 0.1 / p.depth[where] - 0.3, 0, 1)
    stain = at(smooth(), u * 9 + seed, v * 9)
    albedo *= (1 + texture * (0.4 * (bricks - 0.5) * close * (kind != 2) + 0.35 * (stain - 0.5)))[:, None]
    frame_of = ~window & (np.abs(fu - 0.5) < share / 2 + 0.05) & (np.abs(fv - 0.56) < tall / 2 + 0.05) & ~base & ~wall
    albedo[frame_of & (sharp > 0.5)] *= 1.35
    band = (v > height - 0.4) | (~base & (fv < 0.06) & (kind == 1))
    albedo[band & ~wall] *= 0.72
    accent = _ACCENTS[(seed + 3) % len(_ACCENTS)]
    sign = shop & (fv >= 0.76) & (fv < 0.97)
    albedo = np.where(sign[:, None], accent, albedo)
    albedo = np.where((door & (np.abs(fu - 0.5) < 0.22) & (v < 2.15))[:, None], accent * 0.8, albedo)
    np.clip(albedo, 0, 0.95, out=albedo)
    reflected = (look.horizon * 0.22 + look.zenith * 0.1).astype(np.float32)
    dark = np.array([0.035, 0.045, 0.055, 0.03], np.float32) * (0.7 + 0.8 * chance)[:, None]
    albedo += glass[:, None] * (dark - albedo)
    shine = glass[:, None] * reflected * (0.6 + 0.8 * chance)[:, None]
    if look.lit:
        lit = (at(white(), column * 5 + seed + 11, row * 3 + seed // 300) < look.lit) | (shop & (seed % 3 > 0))
        lit = np.where(sharp > 0, lit, np.float32(look.lit))
        tint = np.array([1.0, 0.74, 0.4, 0.5], np.float32) + (chance - 0.5)[:, None] * np.array(
            [0, 0.16, 0.4, 0], np.float32
        )
        power = np.float32(0.6 if look.lamps else 0.45) * (0.4 + 0.8 * chance) * np.where(kind == 2, 0.6, 1)
        shine += (glass * lit * power)[:, None] * tint
        if look.lamps:
            shine += (sign & (seed % 3 > 0))[:, None] * accent * 0.7
    p.albedo[where] = albedo
    p.glow[where] = shine


def foliage(p: Pixels, frame: Frame, look: Look) -> None:
    """Leaves: clumps and gaps, lighter above; hedges are brown in winter. Cars' glass mirrors the sky."""
    m = frame.surfaces
    where = np.flatnonzero((p.material >= mesh.CROWN) & (p.material <= mesh.HEDGE))
    surface = p.surface[where] - 1
    anchor, _ = frame.camera.see(m.origin, np.zeros(len(m.origin)))
    hedge = p.material[where] == mesh.HEDGE
    u = np.where(hedge, p.x[where] + p.y[where], p.right[where] * p.depth[where] - anchor.astype(np.float32)[surface])
    v, seed = p.z[where], m.seed[surface].astype(np.int32) % 509
    near = np.clip(p.focal * 0.3 / p.depth[where] - 0.2, 0, 1)
    clumps, leaves = at(smooth(), u * 22 + seed, v * 22 + seed * 3), at(white(), u * 5 + seed, v * 5 + seed)
    top = np.where(m.material == mesh.HEDGE, 1.2, 7 * m.texture[:, 0]).astype(np.float32)[surface]
    if look.sun is not None:
        lean = (
            np.float32(look.sun[0] * frame.camera.sin - look.sun[1] * frame.camera.cos) * u * np.where(hedge, 0, 0.14)
        )
    else:
        lean = np.float32(0)
    factor = 0.55 + 0.6 * np.clip(v / top, 0, 1) + 0.55 * (clumps - 0.5) + 0.5 * (leaves - 0.5) * near + lean
    p.albedo[where] *= np.clip(factor, 0.25, 1.7)[:, None]
    if not look.green:
        bare = where[hedge]
        p.albedo[bare] = p.albedo[bare] * np.array([1.25, 0.8, 0.9, 0.5], np.float32)
    glass = np.flatnonzero(p.material == mesh.GLASS)
    p.glow[glass] = (look.horizon * 0.16 + look.zenith * 0.08).astype(np.float32)


def settle(p: Pixels, frame: Frame, look: Look) -> None:
    """Snow on roofs, cars, hedges and firs."""
    m = frame.surfaces
    flat = m.normal[:, 2] > 0.35
    holds = (~m.card & flat & np.isin(m.material, (mesh.ROOF, mesh.BODY, mesh.HEDGE))).astype(np.float32)
    holds[m.material == mesh.NEEDLES] = 0.55
    holds[(m.material == mesh.LAMP) | (m.material == mesh.PLATE)] = 0.1
    some = np.flatnonzero(np.concatenate([[0], holds])[p.surface] > 0)
    share = holds[p.surface[some] - 1] * np.float32(look.snow[3])
    cover = np.clip(
        (share - at(smooth(), p.x[some] * 23 + p.right[some] * 9, p.y[some] * 17 + p.z[some] * 29)) * 6 + 0.5, 0, 1
    )
    p.albedo[some] += cover[:, None] * (SNOW - p.albedo[some])
