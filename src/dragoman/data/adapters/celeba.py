"""CelebA, aligned faces with 40 attributes, cropped to 178 x 178 (Liu et al., ICCV 2015; thesis section 6.4.1)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dragoman.data.adapters import found as f

LAYOUT = "img_align_celeba/*.jpg and list_attr_celeba.txt, optional list_eval_partition.txt and identity_CelebA.txt"
ORIGIN = "mmlab.ie.cuhk.edu.hk/projects/CelebA.html (non-commercial research)"
SPLITS = {"0": "train", "1": "val", "2": "test"}
SIDE = 178


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with the attributes as 0 or 1, the person's number as the attribute `person`, and the official split.

    Without list_eval_partition.txt every row is train, without identity_CelebA.txt there is no `person`.
    """
    rows = f.lines(src / "list_attr_celeba.txt")
    names = rows[1][1].split() if len(rows) > 1 else []  # below the number of images
    splits, persons = _column(src / "list_eval_partition.txt"), _column(src / "identity_CelebA.txt")
    for where, line in rows[2:]:
        file, *values = line.split()
        if len(values) != len(names) or not set(values) <= {"-1", "1"}:
            skip(f"{where}: {file} must have {len(names)} values of -1 or 1")
            continue
        attributes: dict[str, object] = {n: int(value == "1") for n, value in zip(names, values, strict=True)}
        split = "train" if splits is None else SPLITS.get(splits.get(file, ""))
        if split is None or (persons is not None and file not in persons):
            skip(f"{where}: {file} is not in {'list_eval_partition.txt' if split is None else 'identity_CelebA.txt'}")
            continue
        if persons is not None:
            attributes["person"] = persons[file]
        name = f"{split}/{Path(file).stem}.png"
        yield from f.found(skip, where, {name: partial(_crop, src / "img_align_celeba" / file)}, file_name=name,
                           split=split, attributes=attributes)  # fmt: skip


def _column(path: Path) -> dict[str, str] | None:
    """Image -> value of a file of two columns; a line of another form counts as missing."""
    if not path.is_file():
        return None
    cells = [line.split() for _, line in f.lines(path)]
    return {each[0]: each[1] for each in cells if len(each) == 2}


def _crop(path: Path) -> np.ndarray:
    image = f.pixels(path)
    top, left = ((side - SIDE) // 2 for side in image.shape[:2])
    if min(top, left) < 0:
        raise ValueError(f"{image.shape[1]} x {image.shape[0]} pixels are too few for a crop of {SIDE}")
    return image[top : top + SIDE, left : left + SIDE]
