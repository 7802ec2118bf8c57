"""AFHQ and CelebA-HQ as StarGAN v2 publishes them: folders are domains (Choi et al., CVPR 2020)."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f

LAYOUT = "train/<domain>/*.jpg and val/<domain>/*.jpg (or test/<domain>/*.jpg), as cat, dog, wild or female, male"
ORIGIN = "github.com/clovaai/stargan-v2 (AFHQ: CC BY-NC 4.0; CelebA-HQ: non-commercial research)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split and domain; val is the test split where there is no test folder."""
    test = "test" if (src / "test").is_dir() else "val"
    for folder, split in {"train": "train", "val": "val", test: "test"}.items():
        for domain in f.folders(src / folder):
            yield from f.images(domain, split, domain.name, skip)
