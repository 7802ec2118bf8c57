"""Draws digits.png of docs/worlds.md, with MNIST if it can be had. Run: .venv/bin/python docs/images/digits_sheet.py"""

from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image

from dragoman.report.grids import grid
from dragoman.worlds.digits import Digits
from dragoman.worlds.mnist import MNISTMultiple, MNISTSingle


def recoloured(colours: str, indices: tuple[int, ...]) -> Image.Image:
    """Digits beside themselves in every colour."""
    data = Digits(colours=colours, source="auto").open("test")
    codes = torch.eye(len(data.task.domains))
    rows = [[data.load(i), *(data.counterfactual(i, code) for code in codes)] for i in indices]
    return grid(rows, ["input", *data.task.domains], 56)


def translated(config: MNISTSingle | MNISTMultiple, indices: tuple[int, ...], cell: int) -> Image.Image:
    """Images of each domain, and each translated with the other as exemplar; of MNIST-Single also the train split."""
    data = config.open("test")
    first = int(data.labels[:, 0].sum())
    names, rows = ["A", "B", "A -> B", "B -> A"], []
    for i in indices:
        a, b = i, first + i
        rows.append([data.load(a), data.load(b), data.truth(a, b), data.truth(b, a)])
    if isinstance(config, MNISTSingle) and config.letters == "none":
        train = config.open("train")
        digit = train.attributes["digit"]
        coloured = train.labels[:, 1].bool()
        names += [f"B train {d}" for d in range(10)]
        for k, row in enumerate(rows):
            row += [train.load(int((coloured & (digit == d)).nonzero()[k])) for d in range(10)]
    framed = [[F.pad(image, (1, 1, 1, 1), value=0.4) for image in row] for row in rows]  # white on a white page
    return grid(framed, names, cell)


def beside(*parts: Image.Image) -> Image.Image:
    """Left to right."""
    canvas = Image.new("RGB", (sum(p.width + 12 for p in parts) - 12, max(p.height for p in parts)), "white")
    left = 0
    for part in parts:
        canvas.paste(part, (left, 0))
        left += part.width + 12
    return canvas


LETTERS = [translated(MNISTSingle(letters=kind), (5, 7, 12), 60) for kind in ("a", "b", "both")]
parts = [
    beside(recoloured("eleven", (4, 5, 9)), LETTERS[2]),
    beside(recoloured("four", (0, 4, 11)), *LETTERS[:2]),
    translated(MNISTSingle(), (0, 2, 5, 6), 60),
    beside(*(translated(MNISTMultiple(), (i,), 114) for i in (0, 2))),
]
sheet = Image.new("RGB", (max(p.width for p in parts), sum(p.height + 8 for p in parts) - 8), "white")
top = 0
for part in parts:
    sheet.paste(part, (0, top))
    top += part.height + 8
sheet.save(Path(__file__).with_name("digits.png"))
