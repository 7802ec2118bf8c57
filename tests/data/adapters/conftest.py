"""A tiny data set in an official layout, written, imported and looked at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dragoman.data.adapters import import_family
from dragoman.data.check import check
from dragoman.data.dataset import Folder, FolderDataset
from dragoman.data.manifest import Manifest


class Tree:
    """`src` holds the official layout, `out` what is made of it."""

    def __init__(self, root: Path):
        self.src, self.out = root / "official", root / "out"
        self.src.mkdir()
        self.rng = np.random.default_rng(0)

    def write(self, name: str, content: str | bytes = "", root: Path | None = None) -> Path:
        path = (root or self.src) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def image(self, name: str, values: Any = None, palette: bool = False) -> np.ndarray:
        """Write an image: of these values, else of noise, 12 x 10 in colour."""
        array = self.rng.integers(0, 256, (10, 12, 3), np.uint8) if values is None else np.asarray(values)
        image = Image.fromarray(array)
        if palette:
            image.putpalette(list(range(256)) * 3)
        path = self.write(name)
        image.save(path)
        return array

    def run(self, family: str) -> tuple[list[dict[str, Any]], list[str]]:
        """Import; the rows as they are in metadata.jsonl, and what was left out. All files must be there and fit."""
        manifest, skipped = import_family(family, self.src, self.out)
        assert Manifest.open(self.out).rows == manifest.rows
        findings = check(self.out)
        assert not findings.corrupt and not findings.columns
        assert not list(self.out.parent.glob(".*.tmp"))
        return [row.model_dump(exclude_defaults=True, by_alias=True) for row in manifest.rows], skipped

    def pixels(self, name: str) -> np.ndarray:
        return np.asarray(Image.open(self.out / name))

    def loads(self, split: str = "train") -> FolderDataset:
        """The data set as training reads it, every image read once."""
        data = Folder(root=self.out, size=16).open(split)
        for index in range(len(data)):
            assert data.load(index).shape == (3, 16, 16)
        return data


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def refused() -> Callable[[list[str], str], None]:
    """Asserts that exactly one line names all of the given words."""

    def one(skipped: list[str], *words: str) -> None:
        assert len([line for line in skipped if all(word in line for word in words)]) == 1, (words, skipped)

    return one
