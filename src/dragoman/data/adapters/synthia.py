"""SYNTHIA: rendered street scenes at several times of day (Ros et al., CVPR 2016; thesis section 5.6.1)."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dragoman.data.adapters import found as f
from dragoman.data.image import BadImage, find
from dragoman.errors import UserError

LAYOUT = "RGB, GT/LABELS and Depth of a package, or folders with such: SYNTHIA-SEQS-05-NIGHT, RAND_CITYSCAPES"
ORIGIN = "synthia-dataset.net (CC BY-NC-SA 3.0)"
CLASSES = ("sky", "building", "road", "sidewalk", "fence", "vegetation", "pole", "car", "traffic sign", "pedestrian",
           "bicycle", "motorcycle", "parking slot", "road work", "traffic light", "terrain", "rider", "truck", "bus",
           "train", "wall", "lane marking")  # fmt: skip
NUMBERS = {0: f.UNLABELLED} | {number + 1: number for number in range(len(CLASSES))}
"""Of RAND_CITYSCAPES; 0 is void."""
SEQUENCE_NUMBERS = {old: NUMBERS[old] for old in (*range(12), 15)} | {12: CLASSES.index("lane marking")}
"""Of the video sequences, which have fewer classes and another number for lane markings."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with segmentation and depth, all train; the domain is night, dawn ... of a sequence, else synthia.

    Of the cameras of a sequence the front left one is taken.
    """
    for package in [src] if (src / "RGB").is_dir() else [p for p in f.folders(src) if (p / "RGB").is_dir()]:
        title = package.resolve().name
        sequence = re.search(r"SEQS-\d+-(\w+)", title, re.IGNORECASE)
        domain = sequence[1].lower() if sequence else "synthia"
        camera = "Stereo_Left/Omni_F" if sequence else ""
        depths = package / "Depth/Depth"
        for path in find(f.need(package / "RGB" / camera)):
            stem = f"train/{domain}/{title}-{path.stem}"
            modalities = {"depth": f"depth/{stem}.png", "segmentation": f"segmentation/{stem}.png"}
            depth = (depths if depths.is_dir() else package / "Depth") / camera / path.name
            files: dict[str, f.Source] = {
                f"{stem}{path.suffix}": path,
                modalities["depth"]: partial(_depth, depth),
                modalities["segmentation"]: partial(
                    _classes, package / "GT/LABELS" / camera / path.name, SEQUENCE_NUMBERS if sequence else NUMBERS
                ),
            }
            yield from f.found(skip, path, files, file_name=f"{stem}{path.suffix}", domain=domain,
                               modalities=modalities)  # fmt: skip


def _depth(path: Path) -> np.ndarray:
    return f.metres(_first_channel(path) / 100)  # centimetres


def _classes(path: Path, numbers: dict[int, int]) -> np.ndarray:
    return f.relabel(_first_channel(path), numbers)


def _first_channel(path: Path) -> np.ndarray:
    """The first channel [H, W] of a 16-bit colour image, which Pillow would read as 8 bits."""
    try:
        import cv2
    except ImportError:
        raise UserError("SYNTHIA's 16-bit images need opencv; run: pip install 'dragoman[worlds]'") from None
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    if values is None:
        raise BadImage(f"no image {path}, or a damaged one")
    return values if values.ndim == 2 else values[..., 2]  # blue, green, red
