"""Photos and paintings as CycleGAN publishes them (Zhu et al., ICCV 2017; thesis section 6.4.1), or any set like it."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.errors import UserError

LAYOUT = "monet2photo/{trainA,trainB,testA,testB}/*.jpg, and beside it cezanne2photo, ukiyoe2photo, vangogh2photo"
ORIGIN = "the script download_cyclegan_dataset of github.com/junyanz/pytorch-CycleGAN-and-pix2pix (research use)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split and domain: monet2photo has monet as A and photo as B; a photo in two packages is taken once.

    Raises:
        UserError: a package is not named as x2y, so that its domains have no name.
    """
    taken: set[str] = set()
    for package in [src] if (src / "trainA").is_dir() else f.folders(src):
        if not (package / "trainA").is_dir():
            skip(f"{package}: no trainA in it")
            continue
        names = package.resolve().name.split("2")
        if len(names) != 2:
            raise UserError(f"{package} must be named A2B, as monet2photo: its name gives the domains; rename it")
        for side, domain in zip("AB", names, strict=True):
            for split in ("train", "test"):
                for each in f.images(package / f"{split}{side}", split, domain, skip):
                    if each.row.file_name not in taken:
                        taken.add(each.row.file_name)
                        yield each
