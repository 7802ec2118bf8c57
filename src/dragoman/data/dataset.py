"""Images by number, with their domain codes: what a stream draws from and what metrics go through."""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor

from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.data.image import BadImage, find, from_uint8, read, to_uint8
from dragoman.data.manifest import UNSET, Manifest, Row, code, give
from dragoman.errors import UserError


class Dataset(Protocol):
    """A split of a data set."""

    task: Task
    labels: Tensor
    """[M, K] domain codes."""
    attributes: dict[str, Tensor]
    """Further labels [M] by name: content that translation must keep."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What to call an image when it is bad."""
        ...

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """An image [C, size, size] in [-1, 1]; augmented by `rng` for training, plain without.

        Raises:
            BadImage: it cannot be used.
        """
        ...

    def counterfactual(self, index: int, code: Tensor) -> Tensor | None:
        """Exactly the image [C, size, size] that a translation to a domain code [K] should give, if that is known."""
        ...

    def about(self, index: int) -> Row:
        """What is known of an image: its pose, its boxes."""
        ...


class DataConfig(Config):
    """Where images come from; `open(split)` reads them."""

    def open(self, split: str) -> Dataset:
        """The images of a split."""
        raise NotImplementedError


class Folder(DataConfig):
    """A folder of images: train/<domain>/*.jpg and test/<domain>/*.jpg, or a metadata.jsonl that says more."""

    root: Path = UNSET
    """The data set's folder."""
    size: int = Field(128, ge=16)
    """Height and width of a training image in pixels; every translator between domains takes 64, 80, 96 and so on."""
    load_size: int | None = Field(None, ge=16)
    """Shorter side after resizing, before a random crop of `size`; `size` itself if not given."""
    flip: bool = True
    """Mirror half of the training images."""
    channels: int = 3
    """3 for colour, 1 for grey."""
    domains: tuple[str, ...] | None = None
    """Use only these domains or attributes, in this order."""

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, channels: int) -> int:
        if channels not in (1, 3):
            raise ValueError(f"channels must be 3 (colour) or 1 (grey), got {channels}")
        return channels

    def open(self, split: str) -> "FolderDataset":
        """The images of a split.

        Raises:
            UserError: there are no images, or not enough domains.
        """
        return FolderDataset(self, split)


class FolderDataset:
    """A split of a folder. Decoded images are kept in memory, as bytes, while they fit."""

    MEMORY = 2**30

    def __init__(self, config: Folder, split: str):
        self.config = config
        manifest = Manifest.open(config.root)
        domains, exclusive = manifest.need_domains(only=config.domains)
        if config.domains is not None:
            if missing := set(config.domains) - set(domains):
                raise UserError(f"no domain {sorted(missing)[0]!r} in {config.root}; there is: {', '.join(domains)}")
            if exclusive and len(set(config.domains)) < 2:
                raise UserError(f"--data.domains names only {', '.join(config.domains) or 'nothing'}; "
                                f"translation needs two of: {', '.join(domains)}")  # fmt: skip
            domains = config.domains
        self.manifest, self.split = manifest, split
        self.task = Task(
            domains=domains, exclusive=exclusive, size=config.size, channels=config.channels, load_size=config.load_size
        )  # fmt: skip
        self.rows: list[Row] = [r for r in manifest.of(split) if not exclusive or r.domain in domains]
        self.labels = torch.tensor([code(row, domains, exclusive) for row in self.rows])
        content = sorted({name for row in self.rows for name in row.attributes} - set(domains))
        self.attributes = {
            name: torch.tensor([row.attributes[name] for row in self.rows])
            for name in content
            if all(name in row.attributes for row in self.rows)
        }
        self._aligned: dict[tuple[str | None, tuple[float, ...]], int] = {
            (row.group, tuple(label)): index
            for index, (row, label) in enumerate(zip(self.rows, self.labels.tolist(), strict=True))
            if row.group is not None
        }
        self._cache: dict[int, Tensor] = {}
        self._room = self.MEMORY

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, index: int) -> str:
        """The path."""
        return str(self.manifest.root / self.rows[index].file_name)

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """Resized so that the shorter side is load_size, cropped (at random with `rng`, else the centre), mirrored."""
        image = self._cache.get(index)
        if image is None:
            image = to_uint8(self._resized(index))
            if (room := self._room - image.numel()) > 0:
                self._cache[index], self._room = image, room
        size = self.config.size
        free = (image.shape[1] - size, image.shape[2] - size)
        top, left = (int(rng.integers(f + 1)) for f in free) if rng else (f // 2 for f in free)
        crop = image[:, top : top + size, left : left + size]
        if rng and self.config.flip and rng.random() < 0.5:
            crop = crop.flip(2)
        if crop.flatten(1).amin(1).equal(crop.flatten(1).amax(1)):
            raise BadImage(f"{self.name(index)}: a blank crop, nothing to learn from; left out")
        return crop.float().div_(127.5).sub_(1)

    def about(self, index: int) -> Row:
        """Its row."""
        return self.rows[index]

    def counterfactual(self, index: int, code: Tensor) -> Tensor | None:
        """The image of the same group that has the code."""
        other = self._aligned.get((self.rows[index].group, tuple(code.tolist())))
        return None if other is None else self.load(other)

    def _resized(self, index: int) -> Tensor:
        image = read(self.name(index), self.config.channels).tensor
        height, width = image.shape[1:]
        if min(height, width) < 8:
            raise BadImage(f"{self.name(index)}: {width} x {height} pixels are too few to learn from; remove it")
        scale = self.task.shorter_side / min(height, width)
        shape = [max(self.task.shorter_side, round(side * scale)) for side in (height, width)]
        return F.interpolate(image[None], shape, mode="bicubic", antialias=True, align_corners=False)[0].clamp(-1, 1)


class Images(Folder):
    """A folder of images of one kind, whatever its folders inside are called: for generators without labels."""

    domains: None = None
    """There is one, "images"."""

    def open(self, split: str) -> "ImagesDataset":
        """The images of a split: of root/train and root/test, or without root/train all but those of root/test.

        Raises:
            UserError: there are none.
        """
        return ImagesDataset(self, split)


class ImagesDataset(FolderDataset):
    """A split of a folder of images of one kind."""

    def __init__(self, config: Images, split: str):
        folder = config.root / split if (config.root / "train").is_dir() or split != "train" else config.root
        found = find(folder) if folder.is_dir() else []
        if folder == config.root:
            found = [path for path in found if path.relative_to(folder).parts[0] != "test"]
        if not found:
            raise UserError(f"no image files in {folder}; {give(config.root)} a folder with .jpg or .png files")
        self.config, self.split = config, split
        self.manifest = Manifest(config.root, [])
        self.task = Task(
            domains=("images",), size=config.size, channels=config.channels, load_size=config.load_size
        )  # fmt: skip
        self.rows = [Row(file_name=path.relative_to(config.root).as_posix(), split=split) for path in found]
        self.labels, self.attributes, self._aligned = torch.ones(len(found), 1), {}, {}
        self._cache, self._room = {}, self.MEMORY


class Arrays:
    """Images that are in memory already."""

    def __init__(self, task: Task, images: np.ndarray, labels: Tensor, attributes: dict[str, Tensor]):
        self.task, self.images, self.labels, self.attributes = task, images, labels, attributes

    def __len__(self) -> int:
        return len(self.images)

    def name(self, index: int) -> str:
        """The number."""
        return f"image {index}"

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """As it is: a world draws as many variants as it is asked for, so nothing is augmented."""
        return from_uint8(self.images[index])

    def about(self, index: int) -> Row:
        """Its number only."""
        return Row(file_name=self.name(index))

    def counterfactual(self, index: int, code: Tensor) -> Tensor | None:
        """Not known."""
        return None
