"""Freiburg Forest: colour, near infrared, depth and 5 classes (Valada et al., ISER 2016; thesis section 4.6.1)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from dragoman.data.adapters import found as f
from dragoman.data.image import find

LAYOUT = "{train,test}/{rgb,nir_gray,depth_gray,GT_color}/<view>_*.{jpg,tif,png}"
ORIGIN = "deepscene.cs.uni-freiburg.de (non-commercial research)"
CLASSES = ("trail", "grass", "vegetation", "sky", "obstacle")
COLOURS = {(170, 170, 170): 0, (0, 255, 0): 1, (102, 102, 51): 2, (0, 60, 0): 2, (0, 120, 255): 3, (0, 0, 0): 4}
"""Trees count as vegetation. Every other colour is void."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split, nir, segmentation and depth_gray: grey levels without a unit, so it is not called depth.

    The pictures of a view are brought to the size of its colour image by their nearest pixels.
    """
    for split in ("train", "test"):
        if not (src / split).is_dir():
            continue
        views = {kind: _views(src / split / kind) for kind in ("rgb", "nir_gray", "depth_gray", "GT_color")}
        for view, path in views["rgb"].items():
            if absent := [kind for kind, files in views.items() if view not in files]:
                skip(f"{path}: no {absent[0]} of {view}")
                continue
            name, file = f"{split}/{view}{path.suffix}", f"{split}/{view}.png"
            modalities = {kind: f"{kind}/{file}" for kind in ("nir", "depth_gray", "segmentation")}
            files: dict[str, f.Source] = {
                name: path,
                modalities["nir"]: partial(_grey, views["nir_gray"][view], path),
                modalities["depth_gray"]: partial(_grey, views["depth_gray"][view], path),
                modalities["segmentation"]: partial(_classes, views["GT_color"][view], path),
            }
            yield from f.found(skip, path, files, file_name=name, split=split, modalities=modalities)


def _views(folder: Path) -> dict[str, Path]:
    """View -> file: a name starts with the view, its end differs from folder to folder."""
    return {path.stem.split("_")[0]: path for path in find(f.need(folder))}


def _grey(path: Path, like: Path) -> np.ndarray:
    values = f.pixels(path)
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim != 2 or values.dtype != np.uint8:
        raise ValueError(f"{path} must be 8-bit grey, it is {values.dtype} of shape {values.shape}")
    return _fit(values, like)


def _classes(path: Path, like: Path) -> np.ndarray:
    with Image.open(path) as image:
        colours = np.asarray(image.convert("RGB"))
    numbers = np.full(colours.shape[:2], f.UNLABELLED, np.uint8)
    for colour, number in COLOURS.items():
        numbers[(colours == colour).all(2)] = number
    return _fit(numbers, like)


def _fit(values: np.ndarray, like: Path) -> np.ndarray:
    with Image.open(like) as header:
        return np.asarray(Image.fromarray(values).resize(header.size, Image.Resampling.NEAREST))
