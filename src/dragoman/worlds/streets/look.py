"""How a street looks: the light of a condition on what a camera sees."""

import numpy as np

from dragoman.worlds.streets import mesh
from dragoman.worlds.streets.camera import FOCAL, HEIGHT, NEAR, Camera, Frame, paint
from dragoman.worlds.streets.condition import Look
from dragoman.worlds.streets.materials import SNOW, Pixels, facades, foliage, pave, settle
from dragoman.worlds.streets.noise import at, smooth, white

SODIUM = np.array([1.0, 0.72, 0.4, 0.9], np.float32)
"""Light of street lamps."""

HEADLIGHT = np.array([0.95, 0.97, 1.0, 0.8], np.float32)
"""Light of cars."""

_BUILT = (mesh.FACADE, mesh.WALL, mesh.ROOF)
_LOW = (mesh.HEDGE, mesh.BODY, mesh.CLOTH, mesh.SKIN)
_SMALL = (mesh.BARK, mesh.CROWN, mesh.NEEDLES, mesh.METAL, *_LOW)
"""Materials that cast a shadow: of buildings, and of the rest, of which some are low enough to stand in theirs."""


def radiance(frame: Frame, look: Look, lamps: np.ndarray, texture: float) -> tuple[np.ndarray, np.ndarray]:
    """Light that reaches the camera from each drawn pixel, linear, and what of it shines by itself.

    Args:
        frame: What is seen.
        look: The condition.
        lamps: [L, 3] where street lamps hang.
        texture: How rough surfaces are, 0 to 1.

    Returns:
        Two float32 [H, W, 4]: red, green, blue, near infrared.
    """
    side = frame.camera.pixels
    p = _pixels(frame, look)
    ambient, direct = _exposure(frame, look)
    floor = np.flatnonzero(p.material <= mesh.GRASS)
    mirror = pave(p, frame, look, floor, texture)
    facades(p, frame, look, texture)
    foliage(p, frame, look)
    if look.snow[3]:
        settle(p, frame, look)
    shadows, shaded = _shadows(frame, look)
    shadow = shadows.ravel()[floor]
    direct[1:][shaded] = 0
    day = ambient[:, None] * look.day.astype(np.float32)
    sun = direct[:, None] * (np.zeros(4) if look.sunlight is None else look.sunlight).astype(np.float32)
    light = (day + sun).take(p.surface, 0, mode="clip")
    light[floor[shadow == 2]] = day[p.surface[floor[shadow == 2]]]
    light[floor[shadow == 1]] = day[p.surface[floor[shadow == 1]]] * np.float32(0.35)
    if look.lamps:
        light += _lamplight(p, look, lamps)
    light *= p.albedo
    light += p.glow
    if mirror is not None:
        image = _mirrored(frame, look, ambient, direct).reshape(-1, 4)[floor]
        light[floor] += mirror[:, None] * (image - light[floor])
    through = np.exp(-look.fog * p.depth)[:, None]
    haze = look.horizon.astype(np.float32)
    light -= haze
    light *= through
    light += haze
    sky = np.flatnonzero(p.material == mesh.SKY)
    light[sky] = _sky(frame, look, p.right[sky], p.down[sky])
    p.glow *= through
    light, glow = light.reshape(side, side, 4), p.glow.reshape(side, side, 4)
    if not look.green:
        _branches(frame, look, light)
    return light, glow


def _pixels(frame: Frame, look: Look) -> Pixels:
    camera, m = frame.camera, frame.surfaces
    right, down = camera.rays()
    surface = frame.seen() if look.green else frame.solid
    depth = frame.depth(surface, right, down).ravel()
    surface = surface.ravel()
    side = camera.pixels
    right, down = np.tile(right, side), np.repeat(down, side)
    aside = right * depth
    x = depth * np.float32(camera.cos) + aside * np.float32(camera.sin)
    y = depth * np.float32(camera.sin) - aside * np.float32(camera.cos)
    material = np.concatenate([[mesh.SKY], m.material]).astype(np.uint8)
    colour = np.concatenate([np.zeros((1, 4)), m.colour]).astype(np.float32)
    glow = np.concatenate([np.zeros((1, 4)), _shining(frame, look)]).astype(np.float32)
    return Pixels(surface, material[surface], right, down, depth, x, y, np.float32(HEIGHT) - depth * down,
                   colour.take(surface, 0, mode="clip"), glow.take(surface, 0, mode="clip"), FOCAL * side)  # fmt: skip


def _shining(frame: Frame, look: Look) -> np.ndarray:
    """[M, 4] light that surfaces give off."""
    m = frame.surfaces
    glow = np.zeros((len(m.material), 4))
    signal = m.material == mesh.SIGNAL
    red, green = m.colour[:, 0] > 2 * m.colour[:, 1], m.colour[:, 1] > 2 * m.colour[:, 0]
    glow[signal] = m.colour[signal] * np.where(np.where(m.seed % 2 == 0, red, green), 1.5, -0.7)[signal, None]
    if look.beams:
        glow[m.material == mesh.HEADLAMP] = HEADLIGHT * 3.2 * look.beams
        glow[m.material == mesh.TAILLAMP] = np.array([1.3, 0.06, 0.04, 0.6]) * look.beams
    if look.lamps:
        glow[m.material == mesh.LAMP] = SODIUM * 3.5
    lights = np.flatnonzero(glow.any(1))
    corners = _pixels_of(frame.camera, frame.outlines[lights]) / 16
    extent = corners.max(1) - corners.min(1)
    # painting widens a small light by up to a pixel: it is dimmed as much, so that every resolution gets the same light
    glow[lights] *= (extent / (extent + 0.8)).prod(1)[:, None]
    return glow


def _exposure(frame: Frame, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """[1 + M] shares of the sky's and of the sun's light that surfaces get."""
    m = frame.surfaces
    ambient = np.where(m.card, 0.8, 0.72 + 0.28 * m.normal[:, 2])
    direct = np.zeros(len(ambient))
    if look.sun is not None:
        n = m.normal
        direct = np.maximum(n[:, 0] * look.sun[0] + n[:, 1] * look.sun[1] + n[:, 2] * look.sun[2], 0)
        # what faces the camera is round: it shows more of its lit side when the sun is behind the camera
        behind = -(look.sun[0] * frame.camera.cos + look.sun[1] * frame.camera.sin)
        direct[m.card] = 0.5 + 0.3 * behind
    return np.append(1, ambient).astype(np.float32), np.append(1, direct).astype(np.float32)


def _shadows(frame: Frame, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """[H, W] uint8, for the ground: 1 under an object, 2 in a shadow, else 0; and which surfaces [M] are in a shadow.

    Low things are in the shadow of a building as a whole, when the ground is on which they stand.
    """
    camera, world, m = frame.camera, frame.world, frame.surfaces
    mask = np.zeros((camera.pixels, camera.pixels), np.uint8)
    shaded = np.zeros(len(m.material), bool)
    square = (world.points[:, 0, 0] - camera.x) ** 2 + (world.points[:, 0, 1] - camera.y) ** 2
    near = ~world.detail & (square < 60**2)
    if look.sun is not None:
        _cast(mask, frame, look.sun, near & np.isin(world.material, _BUILT))
        right, ahead = camera.see(m.origin, np.zeros(len(m.origin)))
        foot = camera.image(right, np.full(len(right), HEIGHT), np.maximum(ahead, NEAR)) // 16
        inside = ((foot >= 0) & (foot < camera.pixels)).all(1) & np.isin(m.material, _LOW)
        shaded[inside] = mask[foot[inside, 1], foot[inside, 0]] == 2
        kinds = [kind for kind in _SMALL if look.green or kind != mesh.CROWN]
        _cast(mask, frame, look.sun, near & np.isin(world.material, kinds))
    _lay(mask, frame, world.points[near & (world.material == mesh.CONTACT), :, :2], 1)
    return mask, shaded


def _cast(mask: np.ndarray, frame: Frame, sun: np.ndarray, which: np.ndarray) -> None:
    """Paint the shadows of some polygons [P] on the ground. A card casts that of a card which faces the sun."""
    points, right = frame.world.points[which], frame.world.right[which]
    flat = np.sqrt(sun[0] ** 2 + sun[1] ** 2)
    long = points[..., 2] / sun[2]
    x = points[..., 0] - sun[0] * long + right * sun[1] / flat
    y = points[..., 1] - sun[1] * long - right * sun[0] / flat
    _lay(mask, frame, np.stack([x, y], -1), 2)


def _lay(mask: np.ndarray, frame: Frame, points: np.ndarray, value: int) -> None:
    """Paint polygons [K, 8, 2] on the ground."""
    right, ahead = frame.camera.see(points, np.zeros(points.shape[:2]))
    outlines = np.stack([right, np.full_like(right, HEIGHT), ahead], -1)
    count = len(outlines)
    paint([mask], frame.camera, outlines, np.full(count, value), np.zeros(count, int))


def _lamplight(p: Pixels, look: Look, lamps: np.ndarray) -> np.ndarray:
    """[N, 4] light of street lamps and of the camera's own car."""
    pools = np.zeros_like(p.depth)
    for x, y, z in lamps.astype(np.float32):
        square = (p.x - x) ** 2 + (p.y - y) ** 2 + (p.z - z) ** 2
        pools += np.minimum((70 / (square + 20)) ** 2, 1.6)
    cone = np.exp(-((p.right / 0.34) ** 2)) * np.clip(p.down * 14 + 0.9, 0.12, 1) / (1 + (p.depth / 11) ** 2)
    return (0.5 * look.lamps * pools)[:, None] * SODIUM + (0.6 * cone)[:, None] * HEADLIGHT


def _mirrored(frame: Frame, look: Look, ambient: np.ndarray, direct: np.ndarray) -> np.ndarray:
    """[H, W, 4] what a wet street reflects: the scene upside down, without its textures, drawn out downwards."""
    import cv2

    m, camera = frame.surfaces, frame.camera
    standing = np.flatnonzero(m.material > mesh.GRASS)
    outlines = frame.outlines[standing].copy()
    outlines[..., 1] = 2 * HEIGHT - outlines[..., 1]
    buffer = np.zeros((camera.pixels, camera.pixels), np.int32)
    paint([buffer], camera, outlines, standing + 1, np.zeros(len(standing), int))
    light = ambient[1:, None] * look.day
    if look.sunlight is not None:
        light = light + direct[1:, None] * look.sunlight
    colour = m.colour * np.where(np.isin(m.material, (mesh.FACADE,)), 0.7, 1)[:, None] * light + 1.6 * _shining(
        frame, look
    )
    if look.lit:
        windows = np.array([1.0, 0.74, 0.4, 0.5]) * 0.25 * look.lit
        colour[m.material == mesh.FACADE] += windows
    if look.lamps:
        colour += m.colour * 0.08 * SODIUM
    if not look.green:
        colour[m.material == mesh.CROWN] = 0.4 * look.horizon + 0.1 * light[m.material == mesh.CROWN]
    far = np.exp(-look.fog * frame.outlines[:, 0, 2:])
    colour = colour * far + look.horizon * (1 - far)
    _, down = camera.rays()
    fade = _climb(down)[:, None]
    sky = look.horizon + (look.zenith - look.horizon) * fade
    table = np.concatenate([np.zeros((1, 4)), colour]).astype(np.float32)
    image = table[buffer]
    empty = buffer == 0
    image[empty] = np.broadcast_to(sky.astype(np.float32)[:, None], image.shape)[empty]
    long = max(3, camera.pixels // 20) | 1
    return cv2.blur(cv2.blur(image, (1, long)), (3, long))


def _climb(up: np.ndarray) -> np.ndarray:
    """From the horizon (0) towards the zenith (1)."""
    rise = np.maximum(up, 0)
    return rise / (rise + 0.35)


def _sky(frame: Frame, look: Look, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """[K, 4] sky along rays: gradient, clouds, the sun and its halo."""
    camera, up = frame.camera, -down
    colour = (look.horizon + (look.zenith - look.horizon) * _climb(up)[:, None]).astype(np.float32)
    east = np.float32(camera.cos) + right * np.float32(camera.sin)
    north = np.float32(camera.sin) - right * np.float32(camera.cos)
    if look.clouds and look.cloud is not None:
        reach = 26 / (np.maximum(up, 0) + 0.18)
        value = at(smooth(), east * reach + look.drift, north * reach + look.drift)
        detail = at(smooth(), east * reach * 3 + 99, north * reach * 3)
        thick = np.clip((look.clouds - 0.8 * value - 0.2 * detail) * 5, 0, 1)
        shade = 1 - look.relief * (0.75 * value + 0.25 * detail if look.clouds >= 1 else 1 - detail)
        colour += thick[:, None] * (look.cloud.astype(np.float32) * shade[:, None] - colour)
    if look.sun is not None and look.sunlight is not None:
        length = np.sqrt(1 + right * right + down * down)
        cosine = np.clip((east * look.sun[0] + north * look.sun[1] + up * look.sun[2]) / length, 0, 1).astype(
            np.float32
        )
        halo = cosine**8
        disc = np.clip((cosine - 0.9985) * 2500, 0, 1)
        colour += (0.22 * halo + 0.5 * halo**8 + 3 * disc)[:, None] * look.sunlight.astype(np.float32)
    return colour


def _pixels_of(camera: Camera, points: np.ndarray) -> np.ndarray:
    """[..., 2] of points [..., 3] (right, down, ahead)."""
    return camera.image(points[..., 0], points[..., 1], np.maximum(points[..., 2], NEAR))


def _branches(frame: Frame, look: Look, colour: np.ndarray) -> None:
    """Draw bare trees where crowns would be: limbs from the trunk to each clump, twigs to its rim."""
    import cv2

    camera, m = frame.camera, frame.surfaces
    twigs = np.zeros((camera.pixels, camera.pixels), np.uint8)
    chosen = np.unique(frame.leaves)[1:] - 1  # without the 0 of no crown
    rim, scale = frame.outlines[chosen], m.texture[chosen, :1]
    middle = rim.mean(1, keepdims=True)
    aside, ahead = camera.see(m.origin[chosen], np.zeros(len(chosen)))
    fork = np.stack([aside, HEIGHT - 2.6 * scale[:, 0], ahead], 1)[:, None]
    wobble = white()[(m.seed[chosen] + chosen) % 512, :24].reshape(-1, 3, 8, 1)
    reach = (rim - middle) * (0.75 + 0.3 * wobble[:, 0])
    turned = np.stack([reach[..., 1], -reach[..., 0], 0 * reach[..., 2]], -1) * (0.5 + 0.5 * wobble[:, 2])
    half = reach * (0.3 + 0.3 * wobble[:, 1])
    starts = middle + np.concatenate([0 * reach, half, 0.5 * half], 1)
    ends = middle + np.concatenate([reach, half + 0.4 * reach + 0.35 * turned, half + 0.45 * reach - 0.3 * turned], 1)
    bent = (fork + 2 * middle) / 3 + np.array([0, 0.15, 0]) * scale[:, None]
    limbs, fine = (
        _pixels_of(camera, np.concatenate([fork, bent, middle], 1)),
        _pixels_of(camera, np.stack([starts, ends], 2)),
    )
    thick = camera.pixels * FOCAL * 0.11 * scale[:, 0] / ahead
    for lines, value, widths in ((fine, 190, thick * 0.35), (limbs, 255, thick)):
        width = np.maximum(1, np.rint(widths)).astype(int)
        for w in np.unique(width).tolist():
            many = lines[width == w]
            cv2.polylines(twigs, list(many.reshape(-1, *many.shape[-2:])), False, value, w, cv2.LINE_AA, 4)
    cover = twigs.astype(np.float32) / 255
    cover = np.where(frame.leaves > 0, np.maximum(cover, 0.1), 0)
    light = look.day * 0.8 + (0 if look.sunlight is None else look.sunlight * 0.45)
    bark = np.array([0.1, 0.075, 0.055, 0.14]) * light + 0.45 * look.snow[3] * SNOW * look.day
    if look.lamps:
        bark = bark + 0.012 * SODIUM
    far = np.exp(-look.fog * frame.outlines[:, 0, 2])
    hazy = np.concatenate([[1.0], far])[frame.leaves][..., None]
    colour += cover[..., None] * ((bark * hazy + look.horizon * (1 - hazy)) - colour)
