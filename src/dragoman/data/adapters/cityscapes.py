"""Cityscapes: street scenes by day with 19 classes and depth from stereo (Cordts et al., CVPR 2016)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dragoman.data.adapters import found as f
from dragoman.errors import UserError

LAYOUT = "{leftImg8bit,gtFine}/{train,val}/<city>/*.png, optional disparity and camera beside them"
ORIGIN = "cityscapes-dataset.com (non-commercial research)"
CLASSES = ("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation",
           "terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")  # fmt: skip
_TRAINED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
NUMBERS = dict.fromkeys((*range(35), 255), f.UNLABELLED) | {old: new for new, old in enumerate(_TRAINED)}
"""Official id -> the 19 train ids; also of GTA5, whose licence plates are 34."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split (val is the test split, whose labels are not withheld), the domain cityscapes and segmentation.

    Where the folders disparity and camera are there: depth, the baseline times the focal length over the disparity.
    """
    for folder, split in (("train", "train"), ("val", "test")):
        for path in sorted((src / "leftImg8bit" / folder).glob("*/*_leftImg8bit.png")):
            view, city = path.name.removesuffix("_leftImg8bit.png"), f"{folder}/{path.parent.name}"
            name = f"{split}/cityscapes/{view}.png"
            modalities = {"segmentation": f"segmentation/{split}/{view}.png"}
            annotation = f.need(src / "gtFine" / folder) / path.parent.name / f"{view}_gtFine_labelIds.png"
            files: dict[str, f.Source] = {name: path, modalities["segmentation"]: f.labels(annotation, NUMBERS)}
            if (src / "disparity").is_dir() and (src / "camera").is_dir():
                modalities["depth"] = depth = f"depth/{split}/{view}.png"
                files[depth] = partial(_depth, src / "disparity" / city / f"{view}_disparity.png",
                                       src / "camera" / city / f"{view}_camera.json")  # fmt: skip
            yield from f.found(skip, path, files, file_name=name, split=split, domain="cityscapes",
                               modalities=modalities)  # fmt: skip


def _depth(disparity: Path, camera: Path) -> np.ndarray:
    """From 16-bit values p: 0 is unknown, else the disparity is (p - 1) / 256 pixels; no disparity is far away."""
    values = f.sixteen_bits(disparity).astype(np.float64)
    try:
        facts = f.read_json(camera)
        scale = float(facts["extrinsic"]["baseline"]) * float(facts["intrinsic"]["fx"])
    except (UserError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{camera}: {error}") from None
    with np.errstate(divide="ignore"):
        return f.metres(np.where(values > 0, scale * 256 / np.maximum(values - 1, 0), 0))
