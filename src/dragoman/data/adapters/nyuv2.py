"""NYU Depth v2 with 13 classes, exported to PNG (Silberman et al., ECCV 2012). Its labelled .mat is not read."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.data.image import find

LAYOUT = "{train,test}/{rgb,depth,labels_13}/*.png as ESANet's prepare_dataset exports the labelled .mat"
ORIGIN = "cs.nyu.edu/~silberman/datasets/nyu_depth_v2.html, exported by github.com/TUI-NICR/ESANet (research use)"
CLASSES = ("bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table", "tv",
           "wall", "window")  # fmt: skip
"""Also of SceneNet RGB-D and SUN RGB-D."""
NUMBERS = {0: f.UNLABELLED} | {number + 1: number for number in range(len(CLASSES))}
"""Official number -> ours; 0 is void."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split, depth (from 16-bit millimetres) and segmentation."""
    for split in ("train", "test"):
        for path in find(src / split / "rgb"):
            name, file = f"{split}/{path.name}", f"{split}/{path.stem}.png"
            modalities = {"depth": f"depth/{file}", "segmentation": f"segmentation/{file}"}
            files: dict[str, f.Source] = {
                name: path,
                modalities["depth"]: f.millimetres(src / split / "depth" / f"{path.stem}.png"),
                modalities["segmentation"]: f.labels(src / split / "labels_13" / f"{path.stem}.png", NUMBERS),
            }
            yield from f.found(skip, path, files, file_name=name, split=split, modalities=modalities)
