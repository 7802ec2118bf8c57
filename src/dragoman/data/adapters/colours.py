"""The colour name data set: objects of eleven colours (Yu et al., 2018; thesis section 6.4.1)."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f

ORIGIN = "the authors of 'Beyond eleven color names for image understanding' (research use)"
COLOURS = ("black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow")
LAYOUT = f"a folder per colour, <colour>/*.jpg, each one of: {', '.join(COLOURS)}"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with the colour as domain, all train: no split is published."""
    for folder in f.folders(src):
        colour = folder.name.lower().replace("gray", "grey")
        if colour in COLOURS:
            yield from f.images(folder, "train", colour, skip)
        else:
            skip(f"{folder}: not one of the eleven colour names")
