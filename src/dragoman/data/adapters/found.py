"""What the readers of published data sets share: rows with their files, numbered lines, class numbers, metres."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import ValidationError

from dragoman.data.image import BadImage, find
from dragoman.data.manifest import Row
from dragoman.errors import UserError, one_line

UNLABELLED = 255
"""The class number of a pixel without a label."""

Skip = Callable[[str], None]
"""Takes a line that names a malformed row, which is then left out."""
Source = Path | Callable[[], np.ndarray]
"""A file to link, or a function that makes the picture: uint8 [H, W] or [H, W, 3], or uint16 [H, W]."""


@dataclass(frozen=True)
class Found:
    """A row and the files that it names."""

    row: Row
    files: Mapping[str, Source]
    """Path below the new folder -> where its content comes from."""
    where: str
    """What to call the row when something is wrong with it."""


def found(skip: Skip, where: object, files: Mapping[str, Source], **facts: Any) -> Iterator[Found]:
    """The row of these facts, or none and a line why."""
    try:
        row = Row.model_validate(facts)
    except ValidationError as error:
        skip(f"{where}: {one_line(error)}")
        return
    numbers = [*(row.pose or ()), *(side for box in row.boxes for side in box.box)]
    if all(map(math.isfinite, numbers)):
        yield Found(row, files, str(where))
    else:
        skip(f"{where}: a pose or box is not finite")


def images(folder: Path, split: str, domain: str, skip: Skip) -> Iterator[Found]:
    """Every image below a folder, as a row of one domain."""
    for path in find(folder):
        name = f"{split}/{domain}/{path.relative_to(folder).as_posix()}"
        yield from found(skip, path, {name: path}, file_name=name, split=split, domain=domain)


def folders(src: Path) -> list[Path]:
    """The folders directly in a folder, sorted; hidden ones are left out, and there is none in what is no folder."""
    return sorted(p for p in src.iterdir() if p.is_dir() and p.name[0] != ".") if src.is_dir() else []


def need(path: Path) -> Path:
    """The path.

    Raises:
        UserError: there is nothing.
    """
    if not path.exists():
        raise UserError(f"no {path}, which belongs to the data set; fetch or unpack it")
    return path


def lines(path: Path) -> list[tuple[str, str]]:
    """(where, text) of the lines of a text file that are not empty.

    Raises:
        UserError: it cannot be read.
    """
    try:
        text = need(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}; fetch it again") from None
    return [(f"{path} line {n}", line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]


def table(path: Path, columns: tuple[str, ...], skip: Skip) -> Iterator[tuple[str, list[str]]]:
    """(where, cells of these columns) of each row of a csv file with a header; rows of another length are skipped.

    Raises:
        UserError: it cannot be read, or a column is missing.
    """
    (_, header), *rows = lines(path) or [("", "")]
    names = [name.strip() for name in next(csv.reader([header]), [])]
    if missing := [name for name in columns if name not in names]:
        raise UserError(f"{path} has no column {missing[0]!r}; fetch the official file")
    places = [names.index(name) for name in columns]
    for where, line in rows:
        cells = next(csv.reader([line]))
        if len(cells) != len(names):
            skip(f"{where}: {len(cells)} cells, the header has {len(names)}")
        else:
            yield where, [cells[place].strip() for place in places]


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return json.loads(need(path).read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}; fetch it again") from None


def pixels(path: Path) -> np.ndarray:
    """The stored values [H, W] or [H, W, C] of an image file: of a palette the numbers, of 16 bits all.

    Raises:
        BadImage: it cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image)
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise BadImage(f"{path}: damaged image ({one_line(error)}); replace or remove it") from None


def relabel(numbers: np.ndarray, classes: Mapping[int, int]) -> np.ndarray:
    """Official class numbers [H, W] as those of the manifest, uint8 with 255 for unlabelled.

    Raises:
        ValueError: a number that the data set does not have.
    """
    if numbers.ndim != 2:
        raise ValueError(f"class numbers must be one channel, got shape {numbers.shape}")
    known = np.full(max(*classes, int(numbers.max(initial=0))) + 1, -1)
    known[list(classes)] = list(classes.values())
    new = known[numbers]
    if (new < 0).any():
        raise ValueError(f"{numbers[new < 0][0]} is no class number of the data set")
    return new.astype(np.uint8)


def labels(path: Path, classes: Mapping[int, int]) -> Source:
    """`relabel` of a file, when it is needed."""
    return lambda: relabel(pixels(path), classes)


def metres(depth: np.ndarray) -> np.ndarray:
    """Metres [H, W], 0 or less where unknown, as uint16 with 256 to the metre; what is farther than 255.99 is that."""
    return np.clip(np.round(np.asarray(depth, np.float64) * 256), 0, 65535).astype(np.uint16)


def sixteen_bits(path: Path) -> np.ndarray:
    """The values [H, W] of a 16-bit grey image.

    Raises:
        BadImage: it cannot be read.
        ValueError: it is of another kind.
    """
    values = pixels(path)
    if values.ndim != 2 or values.dtype.itemsize < 2:
        raise ValueError(f"{path} must be 16-bit grey, it is {values.dtype} of shape {values.shape}")
    return values


def millimetres(path: Path) -> Source:
    """16-bit millimetres, 0 where unknown, as `metres`."""
    return lambda: metres(sixteen_bits(path) / 1000)
