"""GTA5: rendered street scenes with the classes of Cityscapes (Richter et al., ECCV 2016)."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.data.adapters.cityscapes import CLASSES, NUMBERS
from dragoman.data.image import find

__all__ = ["CLASSES", "LAYOUT", "ORIGIN", "read"]

LAYOUT = "images/00001.png and labels/00001.png"
ORIGIN = "download.visinf.tu-darmstadt.de/data/from_games (research and education)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with the domain gta5 and segmentation by train ids, all train. Masks of another size are left out."""
    for path in find(src / "images"):
        name, mask = f"train/gta5/{path.name}", f"segmentation/train/{path.stem}.png"
        files = {name: path, mask: f.labels(f.need(src / "labels") / f"{path.stem}.png", NUMBERS)}
        yield from f.found(skip, path, files, file_name=name, domain="gta5", modalities={"segmentation": mask})
