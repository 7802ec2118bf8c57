"""Letters that look written: outlines of fonts, bent, turned and drawn with pens of several widths."""

import string
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from dragoman.errors import UserError
from dragoman.worlds.drawing import opencv
from dragoman.worlds.world import generator

HANDS = {
    "DejaVuSans": (0.1, string.ascii_letters),
    "DejaVuSansMono": (0.1, string.ascii_letters),
    "cmss10": (0.5, string.ascii_letters),
    "cmmi10": (0.75, string.ascii_letters),
    "cmsy10": (0.5, string.ascii_uppercase),  # calligraphic; it has no small letters
}
"""Fonts that come with matplotlib: by how much the pen is widened, in pixels of 28, and the letters they have."""

COUNT = {"train": 400, "test": 100}
"""Drawn letters of each of the 26 classes."""

SIDE = 112
"""Pixels of an outline's canvas, four for each of a drawn letter."""


@cache
def draw_letters(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Ink [M, 28, 28] uint8 as in MNIST (255 is ink, a box of about 20 pixels in the middle) and letters [M] 0 to 25.

    Raises:
        UserError: matplotlib or OpenCV is missing.
    """
    outlines, classes = _outlines()
    count = COUNT[split]
    random = torch.from_numpy(generator(0, split, 26).random((26 * count, 40))).float()
    labels = torch.arange(26).repeat_interleave(count)
    ink = torch.empty(len(labels), 28, 28)
    for letter in range(26):
        mine, known = labels == letter, (classes == letter).nonzero()[:, 0]
        u = random[mine]
        shapes = outlines[known[(u[:, 0] * len(known)).long()]]
        distance = F.grid_sample(shapes[:, None], _bend(u[:, 2:]), padding_mode="border", align_corners=False)[:, 0]
        pen = 0.5 * u[:, 1] - 0.1
        ink[mine] = (distance + pen[:, None, None] + 0.5).clamp(0, 1)  # an edge one pixel wide
    return (255 * ink).round().byte().numpy(), labels.numpy()


def _bend(u: Tensor) -> Tensor:
    """Uniform numbers [n, 38] to sampling grids [n, 28, 28, 2]: turned, slanted, scaled and wavy."""
    n = len(u)
    angle, slant = 0.5 * (u[:, 0] - 0.5), 0.7 * (u[:, 1] - 0.4)
    wide, high = 1 / (0.8 + 0.25 * u[:, 2]), 1 / (0.9 + 0.15 * u[:, 3])
    c, s, zero = angle.cos(), angle.sin(), torch.zeros(n)
    turn = torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)
    shape = torch.stack([torch.stack([wide, slant * wide], 1), torch.stack([zero, high], 1)], 1)
    grid = F.affine_grid(torch.cat([shape @ turn, torch.zeros(n, 2, 1)], 2), [n, 1, 28, 28], align_corners=False)
    waves = F.interpolate(u[:, 6:].view(n, 2, 4, 4) - 0.5, (28, 28), mode="bicubic", align_corners=False)
    return grid + 0.22 * waves.permute(0, 2, 3, 1)


@cache
def _outlines() -> tuple[Tensor, Tensor]:
    """Signed distances [n, SIDE, SIDE] to the outlines of letters, in pixels of 28, positive inside; letters [n]."""
    opencv()
    try:
        from matplotlib import get_data_path
    except ImportError:
        raise UserError("drawn letters need matplotlib's fonts; run: pip install 'dragoman[report]'") from None
    from cv2 import DIST_L2, distanceTransform

    distances, classes = [], []
    for font, (wider, known) in HANDS.items():
        face = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf" / f"{font}.ttf"), 200)
        for letter in known:
            inside = _fitted(letter, face)
            signed = distanceTransform(inside, DIST_L2, 5) - distanceTransform(1 - inside, DIST_L2, 5)
            distances.append(torch.from_numpy(signed) * 28 / SIDE + wider)
            classes.append(string.ascii_lowercase.index(letter.lower()))
    return torch.stack(distances), torch.tensor(classes)


def _fitted(letter: str, face: ImageFont.FreeTypeFont) -> np.ndarray:
    """A letter [SIDE, SIDE] of 0 and 1, in a box of 18 of 28 pixels."""
    left, top, right, bottom = face.getbbox(letter)
    drawn = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(drawn).text((-left, -top), letter, font=face, fill=255)
    scale = 18 / 28 * SIDE / max(drawn.size)
    drawn = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))))
    canvas = Image.new("L", (SIDE, SIDE))
    canvas.paste(drawn, ((SIDE - drawn.width) // 2, (SIDE - drawn.height) // 2))
    return (np.asarray(canvas) > 127).astype(np.uint8)
