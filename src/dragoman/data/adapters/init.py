"""INIT: street scenes in four kinds of weather with boxes (Shen et al., CVPR 2019; cross-granularity section 4.1)."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from dragoman.data.adapters import found as f
from dragoman.data.image import find

LAYOUT = "{train,test}/{sunny,night,cloudy,rainy}/**/*.png, boxes as Pascal VOC <image>.xml beside each image"
ORIGIN = "zhiqiangshen.com/projects/INIT (non-commercial research)"
WEATHER = ("sunny", "night", "cloudy", "rainy")


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split, the weather as domain, and boxes where there is an xml file."""
    for split in ("train", "test"):
        for folder in f.folders(src / split):
            if folder.name not in WEATHER:
                skip(f"{folder}: not one of {', '.join(WEATHER)}")
                continue
            for path in find(folder):
                name = f"{split}/{folder.name}/{path.relative_to(folder).as_posix()}"
                note = path.with_suffix(".xml")
                try:
                    boxes = _boxes(note) if note.is_file() else []
                except (ElementTree.ParseError, ValueError) as error:
                    skip(f"{note}: {error}")
                    continue
                yield from f.found(skip, note, {name: path}, file_name=name, split=split, domain=folder.name,
                                   boxes=boxes)  # fmt: skip


def _boxes(path: Path) -> list[dict[str, object]]:
    boxes: list[dict[str, object]] = []
    for thing in ElementTree.parse(path).getroot().iter("object"):
        texts = [thing.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        name = thing.findtext("name")
        if name is None or None in texts:
            raise ValueError("an object without a name or a bndbox with xmin, ymin, xmax and ymax")
        boxes.append({"class": name, "box": [float(text or "") for text in texts]})
    return boxes
