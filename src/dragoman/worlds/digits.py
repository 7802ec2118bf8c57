"""Real handwritten digits (the 1,797 that scikit-learn ships) in colours: the domain is the colour."""

import colorsys
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.dataset import Arrays, DataConfig
from dragoman.data.manifest import Manifest, Row
from dragoman.errors import UserError

COLOURS = {"blue": 225, "green": 125, "red": 0, "yellow": 50}
"""Hue in the middle of each domain, in degrees."""

BACKGROUND = 0.96
"""Grey level of the background, 0 to 1."""


class Digits(DataConfig):
    """Handwritten digits in four colour domains; a digit of the train split is never in the test split."""

    size: int = Field(32, ge=16)
    """Height and width in pixels; a multiple of 16."""
    variants: int = Field(4, ge=1)
    """Shades each digit of the train split is drawn in; every digit is of one domain only."""
    seed: int = Field(0, ge=0)
    """Of domains and shades."""

    def open(self, split: str) -> Arrays:
        """The images of "train" (four fifths of the digits) or "test", with the digit as attribute.

        Raises:
            UserError: scikit-learn is missing, or the split is unknown.
        """
        if split not in ("train", "test"):
            raise UserError(f"the digits have no split {split!r}; there is: train, test")
        images, digits, domains = _draw(self.size, self.variants if split == "train" else 1, self.seed, split)
        task = Task(domains=tuple(COLOURS), size=self.size)
        return Arrays(task, images, torch.eye(len(COLOURS))[domains], {"digit": digits})


@lru_cache(maxsize=4)
def _draw(size: int, variants: int, seed: int, split: str) -> tuple[np.ndarray, Tensor, Tensor]:
    """Images [M, size, size, 3] uint8, digits [M] and domains [M]."""
    ink, digits = _handwriting()
    mine = (torch.arange(len(ink)) % 5 == 4) == (split == "test")
    ink, digits = _enlarge(ink[mine], size), digits[mine]
    rng = np.random.default_rng([seed, split == "test"])
    domains = rng.permutation(np.arange(len(ink)) % len(COLOURS))
    images = np.stack(
        [_paint(ink[i % len(ink)].numpy(), domains[i % len(ink)], rng) for i in range(variants * len(ink))]
    )
    return images, digits.repeat(variants), torch.from_numpy(domains).repeat(variants)


def _handwriting() -> tuple[Tensor, Tensor]:
    """Ink [M, 8, 8] in [0, 1] and digits [M]."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError("the digits need scikit-learn; run: pip install 'dragoman[worlds]'") from None
    images, digits = load_digits(return_X_y=True)
    return torch.from_numpy(images).float().view(-1, 8, 8) / 16, torch.from_numpy(digits).long()


def _enlarge(ink: Tensor, size: int) -> Tensor:
    """[M, 8, 8] to [M, size, size]: smooth strokes with sharp edges, an eighth of the size free around them."""
    inner = size * 3 // 4
    smooth = F.interpolate(ink[:, None], (inner, inner), mode="bicubic", align_corners=False)[:, 0]
    sharp = ((smooth - 0.5) * inner / 8 + 0.5).clamp(0, 1)  # an edge one pixel wide
    low = (size - inner) // 2
    return F.pad(sharp, (low, size - inner - low, low, size - inner - low))


def _paint(ink: np.ndarray, domain: int, rng: np.random.Generator) -> np.ndarray:
    """[size, size] ink to [size, size, 3] uint8 in a random shade of the domain's colour."""
    hue = (list(COLOURS.values())[domain] + rng.uniform(-15, 15)) / 360 % 1
    colour = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.55, 1), rng.uniform(0.5, 0.95)))
    return np.round(255 * (BACKGROUND * (1 - ink[..., None]) + colour * ink[..., None])).astype(np.uint8)


def make(out: Path, config: Digits) -> Manifest:
    """Write the digits as a data set folder: split/domain/number.png and metadata.jsonl."""
    rows = []
    for split in ("train", "test"):
        data = config.open(split)
        for index in range(len(data)):
            domain = data.task.domains[int(data.labels[index].argmax())]
            row = Row(file_name=f"{split}/{domain}/{index:05d}.png", split=split, domain=domain,
                      attributes={"digit": int(data.attributes["digit"][index])})  # fmt: skip
            rows.append(row)
            path = out / row.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.images[index]).save(path)
    manifest = Manifest(out, rows)
    manifest.write()
    return manifest
