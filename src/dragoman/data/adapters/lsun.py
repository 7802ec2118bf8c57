"""LSUN, exported to image files (Yu et al., 2015): a folder is a class."""

from collections.abc import Iterator
from pathlib import Path

from dragoman.data.adapters import found as f
from dragoman.errors import UserError

LAYOUT = "<class>_train/**/*.webp and <class>_val/**/*.webp (or jpg), as the official data.py exports them from lmdb"
ORIGIN = "github.com/fyu/lsun (research use)"


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with split and domain (the class); val is the test split, a folder without a suffix is train.

    Raises:
        UserError: a class is still an lmdb.
    """
    for folder in f.folders(src):
        if (folder / "data.mdb").is_file():
            raise UserError(f"{folder} is an lmdb; export it first with LSUN's data.py: export {folder.name} "
                            f"--out_dir {folder.name.removesuffix('_lmdb')}")  # fmt: skip
        name, split = folder.name, "train"
        for suffix, its_split in (("_train", "train"), ("_val", "test")):
            if name.endswith(suffix):
                name, split = name.removesuffix(suffix), its_split
        yield from f.images(folder, split, name, skip)
