"""Readers of published data sets: from the official folder layout to a data set folder with metadata.jsonl.

A family is a module with `LAYOUT` (the folders expected), `ORIGIN` (where the data can be had), `CLASSES` (the names of
its segmentation, if it has one) and `read(src, skip)`, which yields the rows with their files and names in a line
whatever is malformed. Nothing is guessed.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from types import ModuleType

from PIL import Image

from dragoman.data.adapters import (
    afhq,
    artworks,
    bdd100k,
    camvid,
    celeba,
    cityscapes,
    colours,
    folders,
    freiburg,
    gta5,
    init,
    lsun,
    mnist,
    morph,
    nyuv2,
    robotcar,
    scenenet,
    sunrgbd,
    synthia,
)
from dragoman.data.adapters.found import Found, Skip
from dragoman.data.image import BadImage, write, write_whole
from dragoman.data.manifest import Manifest
from dragoman.errors import UserError, one_line, suggest

FAMILIES: dict[str, ModuleType] = {
    "afhq": afhq,
    "artworks": artworks,
    "bdd100k": bdd100k,
    "camvid": camvid,
    "celeba": celeba,
    "celeba-hq": afhq,
    "cityscapes": cityscapes,
    "colours": colours,
    "folders": folders,
    "freiburg": freiburg,
    "gta5": gta5,
    "init": init,
    "lsun": lsun,
    "mnist": mnist,
    "morph": morph,
    "nyuv2": nyuv2,
    "robotcar": robotcar,
    "scenenet": scenenet,
    "sunrgbd": sunrgbd,
    "synthia": synthia,
}
"""Name of a family -> its reader."""


def import_family(family: str, src: Path, out: Path) -> tuple[Manifest, list[str]]:
    """Write a published data set as a data set folder, whole or not at all.

    Official files are hard-linked, copied where that is impossible; what has to be converted is written as PNG.
    `classes.json` names the classes of the segmentation.

    Args:
        family: Of FAMILIES.
        src: The folder in the official layout.
        out: The folder to write.

    Returns:
        The manifest, and a line for every row that was left out because something is wrong with it.

    Raises:
        UserError: there is no such family or no such data in `src`, or `out` exists or cannot be written.
    """
    if family not in FAMILIES:
        raise UserError(f"unknown family {family!r}; {suggest(family, list(FAMILIES))}")
    module = FAMILIES[family]
    expected = f"expected {module.LAYOUT}; the data: {module.ORIGIN}"
    if not src.is_dir():
        raise UserError(f"no folder {src}; {expected}")
    if out.exists():
        raise UserError(f"{out} exists; give a folder that does not")
    if out.resolve().is_relative_to(src.resolve()):
        raise UserError(f"{out} is inside {src}; give a folder outside it")
    beside = out.with_name(f".{out.name}.tmp")
    skipped: list[str] = []
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = []
            founds = list(_distinct(module.read(src, skipped.append), skipped.append))
            for found, problem in zip(founds, pool.map(lambda each: _place(each, beside), founds), strict=True):
                if problem:
                    skipped.append(f"{found.where}: {problem}")
                else:
                    rows.append(found.row)
        if not rows:
            first = f" ({len(skipped)} left out, the first: {skipped[0]})" if skipped else ""
            raise UserError(f"no {family} images in {src}{first}; {expected}")
        if any("segmentation" in row.modalities for row in rows):
            write_whole(beside / "classes.json", json.dumps({"segmentation": list(module.CLASSES)}).encode())
        Manifest(beside, rows).write()
        beside.rename(out)
    except OSError as error:
        raise UserError(f"cannot write {out} from {src}: {one_line(error)}; choose another folder") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # nothing is left there if all went well
    return Manifest(out, rows), skipped


def _distinct(founds: Iterable[Found], skip: Skip) -> Iterator[Found]:
    """Rows whose files stay inside the folder and are no other row's."""
    taken: set[str] = set()
    for found in founds:
        paths = [PurePosixPath(name) for name in found.files]
        if any(path.is_absolute() or ".." in path.parts for path in paths):
            skip(f"{found.where}: {found.row.file_name!r} leaves the folder")
        elif again := taken.intersection(found.files):
            skip(f"{found.where}: {min(again)} is there already")
        else:
            taken.update(found.files)
            yield found


def _place(found: Found, root: Path) -> str:
    """Write the files of a row; what is wrong with one of them, and then none is written."""
    made: dict[str, Image.Image | Path] = {}
    sizes = {}
    try:
        for name, source in found.files.items():
            made[name] = picture = source if isinstance(source, Path) else Image.fromarray(source())
            sizes[name] = _size(picture) if isinstance(picture, Path) else picture.size
    except BadImage as error:
        return str(error)
    except UserError:  # something that is not the row's fault, as a library that is missing
        raise
    except (OSError, ValueError) as error:
        return one_line(error)
    for name, size in sizes.items():
        if size != sizes[found.row.file_name]:
            width, height = sizes[found.row.file_name]
            return f"{name} would have {size[0]} x {size[1]} pixels, the image has {width} x {height}"
    for name, picture in made.items():
        if isinstance(picture, Path):
            _link(picture, root / name)
        else:
            write(picture, root / name)
    return ""


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path) as header:
            return header.size
    except FileNotFoundError:
        raise BadImage(f"no file {path}") from None
    except Exception as error:  # Pillow's decoders raise almost anything on damaged bytes
        raise BadImage(f"{path}: not an image ({one_line(error)}); replace or remove it") from None


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
