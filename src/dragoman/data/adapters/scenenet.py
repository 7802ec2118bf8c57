"""SceneNet RGB-D: rendered rooms with depth and 13 classes (McCormac et al., ICCV 2017; thesis section 4.6.1)."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.data.adapters.nyuv2 import CLASSES, NUMBERS
from dragoman.data.image import find

__all__ = ["CLASSES", "LAYOUT", "ORIGIN", "read"]

LAYOUT = "{train,val}/<set>/<trajectory>/{photo/*.jpg,depth/*.png}, and class13/*.png from the official conversion"
ORIGIN = "robotvault.bitbucket.io/scenenet-rgbd.html (licence on its page)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split (val is the test split), depth and, where a trajectory has class13, segmentation.

    Depth is the length of the ray from the camera, 16-bit millimetres in the original. The 13 classes are those that
    the official convert_instance2class writes for the instance picture of the same number.
    """
    for folder, split in (("train", "train"), ("val", "test")):
        for trajectory in (t for s in f.folders(src / folder) for t in f.folders(s)):
            for path in find(trajectory / "photo"):
                if not path.stem.isdecimal():
                    skip(f"{path}: its name must be the number of a frame")
                    continue
                stem = f"{split}/{trajectory.parent.name}-{trajectory.name}-{path.stem}"
                name, modalities = f"{stem}.jpg", {"depth": f"depth/{stem}.png"}
                files: dict[str, f.Source] = {
                    name: path,
                    modalities["depth"]: f.millimetres(trajectory / "depth" / f"{path.stem}.png"),
                }
                if (trajectory / "class13").is_dir():
                    modalities["segmentation"] = mask = f"segmentation/{stem}.png"
                    files[mask] = f.labels(trajectory / "class13" / f"{path.stem}.png", NUMBERS)
                yield from f.found(skip, path, files, file_name=name, split=split, modalities=modalities)
