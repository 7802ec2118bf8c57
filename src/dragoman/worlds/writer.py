"""A world as an ordinary data set folder."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from dragoman.data.dataset import DataConfig, Dataset
from dragoman.data.image import to_pil
from dragoman.data.manifest import Manifest, Row
from dragoman.data.maps import PER_METRE, indexed
from dragoman.data.pairing import PAIRS, Reach, weak_pairs, write_pairs
from dragoman.worlds.world import SPLITS, Rendered, View, World

EXTRAS = {"boxes": ("instances",), "modalities": ("depth", "nir", "segmentation", "instances")}
"""Set -> the pictures that are written beside each image."""


def write(config: DataConfig, out: Path, advance: Callable[[int], None] = lambda _: None) -> Manifest:
    """Draw both splits into `out`, on all cores: split/domain/number.png, further pictures, metadata.jsonl.

    Raises:
        OSError: something could not be written.
    """
    rows: list[Row] = []
    for split in SPLITS:
        files = _Files(config, config.open(split), split, out)
        for result in DataLoader(files, batch_size=None, num_workers=os.cpu_count() or 1):
            if isinstance(result, OSError):
                raise result
            rows.append(result)
            advance(1)
    manifest = Manifest(out, rows)
    manifest.write()
    if not isinstance(config, World):
        return manifest
    if "segmentation" in EXTRAS.get(config.set, ()):
        (out / "classes.json").write_text(json.dumps({"segmentation": config.classes}))
    if config.set == "weak-pairs":
        # the nearest image in another condition: of the same place, from a pose that differs by the noise
        write_pairs(out / PAIRS, weak_pairs(rows, Reach()))
    return manifest


@dataclass
class _Files(TorchDataset[Row | OSError]):
    """Item number n writes the files of image n and is its row."""

    config: DataConfig
    data: Dataset
    split: str
    out: Path

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Row | OSError:
        try:
            return self._write(index)
        except OSError as error:  # raised in a worker, it would arrive as the text of a traceback
            return error

    def _write(self, index: int) -> Row:
        data, task = self.data, self.data.task
        labels = data.labels[index]
        domain = task.domains[int(labels.argmax())] if task.exclusive else None
        attributes = {name: int(values[index]) for name, values in data.attributes.items()}
        if domain is None:
            attributes |= {name: int(value) for name, value in zip(task.domains, labels, strict=True)}
        name = "/".join([self.split, *([domain] if domain else []), f"{index:05d}.png"])
        facts = {"file_name": name, "split": self.split, "domain": domain, "attributes": attributes}
        if not isinstance(data, Rendered):
            _save(self.out / name, to_pil(data.load(index)))
            return Row.model_validate(facts)
        view, world = data.view(index), data.world
        _save(self.out / name, Image.fromarray(view.image))
        if world.set == "pairs":
            facts["group"] = f"{self.split}-{world.pair(index)[0]:05d}"
        return Row.model_validate(facts | self._extras(view, world, index))

    def _extras(self, view: View, world: World, index: int) -> dict[str, object]:
        """Pose, boxes and further pictures."""
        paths = {}
        for modality in EXTRAS.get(world.set, ()):
            if modality in view.modalities:
                paths[modality] = f"{modality}/{self.split}/{index:05d}.png"
                _save(self.out / paths[modality], _encode(modality, view.modalities[modality], world))
        return {"pose": view.pose, "modalities": paths, "boxes": view.boxes if world.set in EXTRAS else []}


def _encode(modality: str, picture: np.ndarray, world: World) -> Image.Image:
    """Class numbers with their colours, other bytes as they are; metres as 16 bits, 256 to the metre."""
    if modality == "segmentation":
        return indexed(picture, world.palette)
    if picture.dtype == np.uint8:
        return Image.fromarray(picture)
    return Image.fromarray(np.minimum(np.round(picture * PER_METRE), 65535).astype(np.uint16))


def _save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, compress_level=1)
