"""BDD100K in the four domains of the cross-granularity paper's Table 1 (Yu et al., 2018)."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.errors import UserError

LAYOUT = "images/100k/{train,val}/*.jpg and labels/bdd100k_labels_images_{train,val}.json"
ORIGIN = "bdd-data.berkeley.edu (BDD100K licence: research and education)"
DOMAINS = {
    ("clear", "night"): "night",
    ("clear", "daytime"): "sunny",
    # Table 1 counts 4,262; at all times of day the train images have 4,886 partly cloudy and 8,784 overcast ones.
    ("partly cloudy", "daytime"): "cloudy",
    ("rainy", "daytime"): "rainy",
}
"""Table 1 of the cross-granularity paper; an image of other weather or another time belongs to none."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split (val is the test split), domain and boxes.

    Raises:
        UserError: a file of labels is missing or not of that form.
    """
    for folder, split in (("train", "train"), ("val", "test")):
        if not (src / "images/100k" / folder).is_dir():
            continue
        path = src / f"labels/bdd100k_labels_images_{folder}.json"
        frames = f.read_json(path)
        if not isinstance(frames, list):
            raise UserError(f"{path} must be a list of images; fetch it again")
        for number, frame in enumerate(frames, 1):
            where = f"{path} image {number}"
            try:
                name, seen = frame["name"], frame["attributes"]
                domain = DOMAINS.get((seen["weather"], seen["timeofday"]))
                boxes = [
                    {"class": label["category"], "box": [label["box2d"][side] for side in ("x1", "y1", "x2", "y2")]}
                    for label in frame.get("labels") or ()
                    if "box2d" in label
                ]
            except (AttributeError, KeyError, TypeError) as error:
                skip(f"{where}: no {error.args[0]}" if isinstance(error, KeyError) else f"{where}: {error}")
                continue
            if domain:
                file = f"{split}/{domain}/{name}"
                yield from f.found(skip, f"{where} ({name})", {file: src / "images/100k" / folder / str(name)},
                                   file_name=file, split=split, domain=domain, boxes=boxes)  # fmt: skip
