"""Plain folders: each is a domain."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f

LAYOUT = "<domain>/*.jpg, or train/<domain>/*.jpg and test/<domain>/*.jpg"
ORIGIN = "any folder of yours, under its own licence"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split and domain; without split folders all are train."""
    splits = [name for name in ("train", "val", "test") if (src / name).is_dir()]
    for split in splits or [""]:
        for domain in f.folders(src / split):
            yield from f.images(domain, split or "train", domain.name, skip)
