"""Draws streets.png of docs/worlds.md. Run: .venv/bin/python docs/images/streets_sheet.py"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dragoman.data.image import from_uint8
from dragoman.report.grids import grid
from dragoman.worlds.streets import PALETTE, Streets

CELL = 96
COLOURS = {"car": "#40a0ff", "person": "#ff3050", "cyclist": "#ffb000", "sign": "#ffff00"}


def boxed(image: np.ndarray, boxes: list[dict]) -> np.ndarray:
    """The picture with its boxes."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        left, top, right, bottom = box["box"]
        draw.rectangle((left, top, right - 1, bottom - 1), outline=COLOURS[box["class"]])
    return np.asarray(picture)


def labels(world: Streets, index: int) -> list[np.ndarray]:
    """A scene in the sun, its depth, near infrared, segmentation and boxes."""
    view = world.draw(world.to(world.draw_scene("train", index), (1, 0, 0, 0)))
    depth, nir = (view.modalities[name] for name in ("depth", "nir"))
    near = np.clip(255 - 255 * np.log(depth / 2) / np.log(50), 0, 255).astype(np.uint8)
    pictures = [view.image, near, nir, PALETTE[view.modalities["segmentation"]], boxed(view.image, view.boxes)]
    return [p if p.ndim == 3 else p[..., None].repeat(3, 2) for p in pictures]


world = Streets(size=CELL, conditions="robotcar11")
codes = np.eye(len(world.domains[0]), dtype=int).tolist()
lines = []
for index in (5, 7, 9, 13, 17, 40):
    scene = world.draw_scene("train", index)
    lines.append([from_uint8(world.draw(world.to(scene, code)).image) for code in codes])
shown = labels(Streets(size=CELL), 5) + labels(Streets(size=CELL, style="real"), 11)
lines.append([from_uint8(picture) for picture in shown])  # a clean and a camera's picture, each with its labels
grid(lines, world.domains[0], CELL).save(Path(__file__).with_name("streets.png"))
