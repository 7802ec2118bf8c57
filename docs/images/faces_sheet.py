"""Draws faces.png of docs/worlds.md. Run: .venv/bin/python docs/images/faces_sheet.py"""

from pathlib import Path

from dragoman.data.image import from_uint8
from dragoman.metrics.mask import changed_region
from dragoman.report.grids import grid
from dragoman.worlds.faces import ATTRIBUTES, Faces

world = Faces(wanted=ATTRIBUTES, size=96)
lines = []
for index in (3, 1, 18, 27, 33, 9):
    scene = world.scene("test", index)
    own = world.code(scene)
    codes = [tuple(v ^ (n == k) for n, v in enumerate(own)) for k in range(-1, len(own))]
    lines.append([from_uint8(world.draw(world.to(scene, code)).image) for code in codes])
masks = [changed_region(lines[-1][0][None], image[None])[0].float() * 2 - 1 for image in lines[-1]]
lines.append([mask.expand(3, -1, -1) for mask in masks])  # what each edit changes in the last person
others = [from_uint8(world.draw(world.scene("train", index)).image) for index in range(20)]
lines += [others[:10], others[10:]]
grid(lines, ["", *(f"+- {name.replace('_', ' ')}" for name in ATTRIBUTES)], 96).save(
    Path(__file__).with_name("faces.png")
)
