"""SUN RGB-D: rooms with depth and 13 classes (Song et al., CVPR 2015; thesis section 4.6.1)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dragoman.data.adapters import found as f
from dragoman.data.adapters.nyuv2 import CLASSES

__all__ = ["CLASSES", "LAYOUT", "NUMBERS", "ORIGIN", "read"]

LAYOUT = (
    "SUNRGBD/<sensor>/.../{image/*.jpg,depth_bfx/*.png}, sunrgbd_testing_images.txt, sunrgbd_training_images.txt "
    "and labels37/img-000001.png (the labels of the test images first, as published)"
)
ORIGIN = "rgbd.cs.princeton.edu; lists and labels: github.com/ankurhanda/sunrgbd-meta-data (research use)"
_GROUPS = {
    "bed": (4,), "books": (23,), "ceiling": (22,), "chair": (5,), "floor": (2, 20),
    "furniture": (3, 10, 12, 15, 17, 24, 32), "picture": (11,), "sofa": (6,), "table": (7, 14), "tv": (25,),
    "wall": (1, 8), "window": (9, 13, 16),
    "objects": (18, 19, 21, 26, 27, 28, 29, 30, 31, 33, 34, 35, 36, 37),
}  # fmt: skip
NUMBERS = {0: f.UNLABELLED} | {old: CLASSES.index(name) for name, olds in _GROUPS.items() for old in olds}
"""Of the 37 classes (0: none) -> of the 13, as NYU Depth v2 maps its 40 classes, whose first 37 these are."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with the official split, depth and segmentation. Files are named by the number of their labels."""
    number = 0
    for part, split in (("testing", "test"), ("training", "train")):
        for where, line in f.lines(src / f"sunrgbd_{part}_images.txt"):
            number += 1
            path = src / line.strip()
            depths = sorted((path.parent.parent / "depth_bfx").glob("*.png"))
            if len(depths) != 1:
                skip(f"{where}: {len(depths)} files in {path.parent.parent / 'depth_bfx'}, expected one")
                continue
            file = f"{split}/img-{number:06d}"
            name = f"{file}{path.suffix}"
            modalities = {"depth": f"depth/{file}.png", "segmentation": f"segmentation/{file}.png"}
            files: dict[str, f.Source] = {
                name: path,
                modalities["depth"]: partial(_depth, depths[0]),
                modalities["segmentation"]: f.labels(src / f"labels37/img-{number:06d}.png", NUMBERS),
            }
            yield from f.found(skip, where, files, file_name=name, split=split, modalities=modalities)


def _depth(path: Path) -> np.ndarray:
    """Millimetres rotated left by three bits; beyond 8 m they are 8 m (read3dPoints of the official toolbox)."""
    values = f.sixteen_bits(path).astype(np.uint16)
    return f.metres(np.minimum((values >> 3 | values << 13) / 1000, 8))
