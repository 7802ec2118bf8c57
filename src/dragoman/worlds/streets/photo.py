"""From light to a picture: glow, rain, the camera's faults, and bytes."""

import numpy as np

from dragoman.worlds.streets.condition import Look

STYLES = ("synthetic", "real")
"""Clean as from a renderer; or as from a camera, with blur, noise and darker corners."""


def develop(
    light: np.ndarray, glow: np.ndarray, look: Look, size: int, real: bool, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The picture of some light.

    Args:
        light: [H, W, 4] linear.
        glow: [H, W, 4] what of it shines.
        look: The condition.
        size: Of the picture; H and W are multiples of it.
        real: As from a camera, instead of a renderer.
        random: For streaks and noise.

    Returns:
        Colour [size, size, 3] and near infrared [size, size], uint8.
    """
    import cv2

    fine = light.shape[0] // size
    _weather(light, look, random)
    image = _reduce(np.minimum(light, 3), fine)
    if look.beams:
        image += _halo(_reduce(glow, fine), size, look)
    if real:
        image = cv2.GaussianBlur(image, (0, 0), min(0.35 * size / 64, 0.8))
        image *= _vignette(size)
    image[..., :3] *= np.array(look.gain, np.float32)
    np.maximum(image, 0, out=image)
    image = np.sqrt(1.22 * image / np.sqrt(1 + image * image))  # a shoulder, then gamma 2
    if real:
        grain = (random.random(image.shape) + random.random(image.shape) - 1).astype(np.float32)
        image = image * 0.94 + 0.03 + (0.05 if look.lamps else 0.03) * grain
    else:
        grey = image[..., :3].mean(2, keepdims=True)
        image[..., :3] = grey + 1.12 * (image[..., :3] - grey)
    encoded = np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(encoded[..., :3]), np.ascontiguousarray(encoded[..., 3])


def _reduce(image: np.ndarray, fine: int) -> np.ndarray:
    """Means over squares of `fine` pixels."""
    if fine == 1:
        return image
    rows = image[::fine].copy()
    for k in range(1, fine):
        rows += image[k::fine]
    whole = rows[:, ::fine].copy()
    for k in range(1, fine):
        whole += rows[:, k::fine]
    return whole * np.float32(1 / fine**2)


def _weather(light: np.ndarray, look: Look, random: np.random.Generator) -> None:
    """Streaks of rain and flakes of snow between the camera and the street."""
    import cv2

    side = light.shape[0]
    if look.rain:
        drops = random.random((110, 4))
        x, y = drops[:, 0] * 1.1 - 0.05, drops[:, 1] * 1.2 - 0.1
        long, slant = 0.03 + 0.07 * drops[:, 2], 0.12 + 0.08 * (drops[:, 3] - 0.5)
        ends = np.stack([np.stack([x, y], 1), np.stack([x + long * slant, y + long], 1)], 1)
        lines = np.rint(ends * side * 16).astype(np.int32)
        mask = np.zeros((side, side), np.uint8)
        cv2.polylines(mask, list(lines[: int(110 * look.rain)]), False, 255, max(1, side // 160), cv2.LINE_AA, 4)
        white = np.maximum(look.horizon * 1.25, 0.12).astype(np.float32)
        light += (mask.astype(np.float32) / 255 * 0.38)[..., None] * (white - light)
    if look.flakes:
        spots = random.random((70, 3))
        mask = np.zeros((side, side), np.uint8)
        for x, y, big in spots[: int(70 * look.flakes)]:
            centre = (round(x * side * 16), round(y * side * 16))
            cv2.circle(mask, centre, round(side * (0.05 + 0.09 * big)), 255, -1, cv2.LINE_AA, 4)
        light += (mask.astype(np.float32) / 255 * 0.8)[..., None] * (look.horizon.astype(np.float32) * 1.25 - light)


def _halo(glow: np.ndarray, size: int, look: Look) -> np.ndarray:
    """Light scattered around lamps, more in wet air."""
    import cv2

    small = cv2.resize(glow, (64, 64), interpolation=cv2.INTER_AREA)
    wide = cv2.GaussianBlur(small, (0, 0), 4.0) * (0.55 + 0.9 * look.rain) + cv2.GaussianBlur(small, (0, 0), 1.2) * 0.45
    return cv2.resize(wide, (size, size), interpolation=cv2.INTER_LINEAR) * np.float32(look.beams)


def _vignette(size: int) -> np.ndarray:
    """[size, size, 1]: darker towards the corners."""
    c = ((np.arange(size) + 0.5) / size - 0.5).astype(np.float32)
    return (1 - 0.75 * (c[:, None] ** 2 + c[None] ** 2))[..., None]
