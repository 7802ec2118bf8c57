"""Aligned pictures of scenes in several modalities, not all of them of every scene: a folder with metadata.jsonl."""

import contextlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import Field, field_validator
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig
from dragoman.data.image import BadImage, decoding, to_uint8
from dragoman.data.manifest import METADATA, UNSET, Manifest, Row, give
from dragoman.data.maps import encode, read_map, resized
from dragoman.data.modality import (
    COLOUR,
    UNLABELLED,
    Colour,
    Kind,
    Modality,
    Sets,
    check_sets,
    ordered,
    pack,
)
from dragoman.errors import UserError, one_line, suggest

KINDS: dict[str, Kind] = {"depth": "depth", "segmentation": "segmentation"}
"""Kinds by name; every other modality is an image."""
NOT_SHOWN = "instances"
"""A modality whose values mean nothing without the boxes of its row."""
CLASSES = "classes.json"
LOOKED_AT = 50
"""Files of a modality, at most, that are opened to learn what it is."""
RUNS = 10
"""Of neighbouring rows in each set, where rows fit several."""
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F")
"""Modes of files whose modality has one channel."""

Maps = dict[str, Tensor]
"""Pictures of a scene by name: images [C, H, W] uint8, depths [1, H, W] in metres, class numbers [1, H, W] uint8."""


class ModalDataset(ABC):
    """Scenes in several modalities, packed. Pictures are kept in memory, as they are read, while they fit."""

    MEMORY = 2**30

    task: Task
    labels: Tensor
    """[M, K] which modalities a scene shows."""
    attributes: dict[str, Tensor]

    def __init__(self, task: Task, labels: Tensor, flip: bool = False):
        self.task, self.labels, self.attributes, self.flip = task, labels, {}, flip
        self._cache: dict[int, Maps] = {}
        self._room = self.MEMORY

    def __len__(self) -> int:
        return len(self.labels)

    @abstractmethod
    def name(self, index: int) -> str:
        """What to call a scene when it is bad."""

    @abstractmethod
    def maps(self, index: int) -> Maps:
        """The pictures that a scene shows, of one size, the shorter side as in training.

        Raises:
            BadImage: one cannot be used.
        """

    def shown(self, index: int) -> tuple[Modality, ...]:
        """The modalities of a scene."""
        return tuple(m for m, on in zip(self.task.modalities, self.labels[index].tolist(), strict=True) if on)

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """A scene [sum C, size, size], packed: the same crop of every picture (at random with `rng`, else the centre).

        Raises:
            BadImage: a picture cannot be used, or nothing can be learnt from its crop.
        """
        maps = self._cache.get(index)
        if maps is None:
            maps = self.maps(index)
            used = sum(values.numel() * values.element_size() for values in maps.values())
            if (room := self._room - used) > 0:
                self._cache[index], self._room = maps, room
        size, first = self.task.size, next(iter(maps.values()))
        free = (first.shape[1] - size, first.shape[2] - size)
        top, left = (int(rng.integers(f + 1)) for f in free) if rng else (f // 2 for f in free)
        mirror = rng is not None and self.flip and rng.random() < 0.5
        parts = {}
        for modality in self.shown(index):
            crop = maps[modality.name][:, top : top + size, left : left + size]
            if _says_nothing(modality, crop):
                raise BadImage(f"{self.name(index)}: nothing to learn from in its {modality.name}; left out")
            parts[modality.name] = encode(modality, crop.flip(2) if mirror else crop)[None]
        return pack(parts, self.task.modalities)[0]

    def counterfactual(self, index: int, code: Tensor) -> Tensor | None:
        """Not known: what a scene looks like in another modality is its own other picture."""
        return None

    def about(self, index: int) -> Row:
        """Its name only."""
        return Row(file_name=self.name(index))


def _says_nothing(modality: Modality, crop: Tensor) -> bool:
    """A blank image, a depth that is known nowhere, a segmentation without a label."""
    if modality.kind == "image":
        return crop.flatten(1).amin(1).equal(crop.flatten(1).amax(1))
    return not bool((crop > 0).any() if modality.kind == "depth" else (crop < modality.channels).any())


class ModalFolder(DataConfig):
    """A folder of scenes in several modalities, with metadata.jsonl: `dragoman data make` and `data import` write one.

    The picture of a row is its modality rgb, unless its path is also that of a named modality. Rows may differ in what
    they have.
    """

    root: Path = UNSET
    """The data set's folder."""
    size: int = Field(128, ge=16)
    """Height and width of a training image in pixels; a multiple of the network's stride."""
    load_size: int | None = Field(None, ge=16)
    """Shorter side after resizing, before a random crop of `size`; `size` itself if not given."""
    flip: bool = True
    """Mirror half of the training scenes."""
    modalities: tuple[str, ...] | None = None
    """Use only these; all if not given, without instances."""
    seen: Sets | None = None
    """Sets of modalities to train on, over disjoint scenes, for example rgb+depth rgb+segmentation: a train row with
    more gives those of one set only. What the rows have if not given."""
    furthest: float | None = Field(None, gt=0)
    """Metres; what is further is shown as that far. The largest depth of the train split if not given."""

    @field_validator("seen")
    @classmethod
    def _connected(cls, seen: Sets | None) -> Sets | None:
        if seen is not None:
            check_sets(seen)
        return seen

    def open(self, split: str) -> "ModalFolderDataset":
        """The scenes of a split.

        Raises:
            UserError: there are none, or their modalities cannot be learnt from.
        """
        return ModalFolderDataset(self, split)


Files = dict[str, Path]
"""The pictures of a row by modality."""


class ModalFolderDataset(ModalDataset):
    """A split of a modal folder. Rows with one modality alone are left out."""

    def __init__(self, config: ModalFolder, split: str):
        if not (config.root / METADATA).is_file():
            what = f"{config.root} has no {METADATA}" if config.root.is_dir() else f"no folder {config.root}"
            raise UserError(f"{what}; {give(config.root)} a folder with a {METADATA} that names the modalities of each "
                            "scene, as dragoman data import writes it")  # fmt: skip
        manifest = Manifest.open(config.root)
        files = [_files(row, config) for row in manifest.of(split)]
        learnt = "train" if "train" in manifest.splits() else split  # its rows say what there is
        train = files if split == learnt else [_files(row, config) for row in manifest.of(learnt)]
        dealt = _dealt(train, config.seen)
        sets = list(dict.fromkeys(names for names in dealt if names))
        _need(config, sets, train, learnt)
        names = ordered(name for names in sets for name in names)
        shown = dealt if split == learnt else [ordered(row.keys() & set(names)) for row in files]
        self.files = [{name: row[name] for name in of} for row, of in zip(files, shown, strict=True) if len(of) > 1]
        if not self.files:
            raise UserError(f"no {split} row of {config.root} has two of the modalities {', '.join(names)}; "
                            "leave --data.seen out or add such rows")  # fmt: skip
        modalities = tuple(_modality(name, config, [row[name] for row in train if name in row]) for name in names)
        task = Task(
            domains=names, exclusive=False, size=config.size, channels=sum(m.channels for m in modalities),
            load_size=config.load_size, modalities=modalities, seen=tuple(sets),
        )  # fmt: skip
        labels = torch.tensor([[float(name in row) for name in names] for row in self.files])
        super().__init__(task, labels, config.flip)

    def name(self, index: int) -> str:
        """The path of its first picture."""
        return str(next(iter(self.files[index].values())))

    def maps(self, index: int) -> Maps:
        """Read and resized: an image by a filter, others by their nearest pixels."""
        found = {m.name: read_map(self.files[index][m.name], m) for m in self.shown(index)}
        height, width = next(iter(found.values())).shape[1:]
        for name, values in found.items():
            if values.shape[1:] != (height, width):
                raise BadImage(f"{self.files[index][name]}: {values.shape[2]} x {values.shape[1]} pixels, but "
                               f"{self.name(index)} has {width} x {height}; give a scene one size")  # fmt: skip
        if min(height, width) < 8:
            raise BadImage(f"{self.name(index)}: {width} x {height} pixels are too few to learn from; remove it")
        side = self.task.shorter_side
        shape = [max(side, round(length * side / min(height, width))) for length in (height, width)]
        smaller = {m: resized(m.kind, found[m.name][None], shape)[0] for m in self.shown(index)}
        return {m.name: to_uint8(values) if m.kind == "image" else values for m, values in smaller.items()}


def _files(row: Row, config: ModalFolder) -> Files:
    """The pictures of a row by modality, in the order of packing."""
    named = {name: file for name, file in row.modalities.items() if name != NOT_SHOWN}
    if row.file_name not in row.modalities.values():
        if COLOUR in named:
            raise UserError(f"{config.root / METADATA}: {row.file_name} has another picture called {COLOUR}; give it "
                            "another name")  # fmt: skip
        named[COLOUR] = row.file_name
    wanted = ordered(named if config.modalities is None else named.keys() & set(config.modalities))
    return {name: config.root / named[name] for name in wanted}


def _dealt(rows: Sequence[Files], seen: Sets | None) -> list[tuple[str, ...]]:
    """The modalities that each train row gives: all that it has, or those of one of the sets; none if it fits none.

    Rows that fit several sets are dealt out in runs of neighbours: frames of one video are mostly in one set, as in
    thesis 4.6.1, and every part of the data is in every set.
    """
    if seen is None:
        return [tuple(row) if len(row) > 1 else () for row in rows]
    fitting = [tuple(ordered(names) for names in seen if set(names) <= row.keys()) for row in rows]
    totals, counts = Counter(fitting), Counter[tuple[tuple[str, ...], ...]]()
    dealt = []
    for sets in fitting:
        runs = min(RUNS * len(sets), totals[sets])
        dealt.append(sets[counts[sets] * runs // totals[sets] % len(sets)] if sets else ())
        counts[sets] += 1
    return dealt


def _need(config: ModalFolder, sets: Sequence[Sequence[str]], rows: Sequence[Files], split: str) -> None:
    """Raise UserError unless there are rows of every set that is wanted, and the sets are connected."""
    have = ordered(name for row in rows for name in row)
    for name in (*(config.modalities or ()), *(name for names in config.seen or () for name in names)):
        if name not in have:
            asked = "modalities" if name in (config.modalities or ()) else "seen"
            raise UserError(f"no {split} row of {config.root} has {name!r}, which --data.{asked} names; "
                            f"{suggest(name, [*have])}")  # fmt: skip
    for names in config.seen or ():
        if ordered(names) not in sets:
            raise UserError(f"no {split} row of {config.root} is left for the set {'+'.join(names)}; add rows with "
                            "these modalities or leave the set out of --data.seen")  # fmt: skip
    if not sets:
        raise UserError(f"no {split} row of {config.root} has two modalities; name further pictures in the column "
                        f"modalities of {METADATA}")  # fmt: skip
    try:
        check_sets(sets)
    except ValueError as error:
        raise UserError(f"{config.root}: {error}; add rows that join them or choose with --data.seen") from None


def _modality(name: str, config: ModalFolder, paths: Sequence[Path]) -> Modality:
    """What the first readable pictures of a modality, and classes.json, say about it."""
    kind = KINDS.get(name, "image")
    some = [paths[place * len(paths) // LOOKED_AT] for place in range(LOOKED_AT)] if len(paths) > LOOKED_AT else paths
    if kind == "depth":
        return Modality(name=name, kind=kind, furthest=config.furthest or _furthest(name, some))
    if kind == "segmentation":
        classes = _classes(name, config.root)
        return Modality(name=name, kind=kind, classes=classes, palette=_palette(some, len(classes)))
    if name == COLOUR:
        return Modality(name=name)
    with_mode = (mode for path in some if (mode := _mode(path)))
    return Modality(name=name, channels=1 if next(with_mode, "RGB") in GREY else 3)


def _mode(path: Path) -> str:
    """Of the pixels of an image file; "" if it cannot be read."""
    try:
        with decoding(str(path)), Image.open(path) as header:
            return header.mode
    except BadImage:
        return ""


def _furthest(name: str, paths: Sequence[Path]) -> float:
    """Metres; the largest depth of some files."""
    largest, wrong = 0.0, ""
    for path in paths:
        try:
            largest = max(largest, read_map(path, Modality(name=name, kind="depth", furthest=1)).max().item())
        except BadImage as error:
            wrong = str(error)
    if not largest and wrong:
        raise UserError(wrong)
    if not largest:
        raise UserError(f"no {name} is known in {paths[0]} and {len(paths) - 1} others; 0 means unknown, and 256 is a "
                        "metre")  # fmt: skip
    return largest


def _classes(name: str, root: Path) -> tuple[str, ...]:
    """Names of the classes of a segmentation, from classes.json."""
    file = root / CLASSES
    try:
        found = json.loads(file.read_bytes())[name]
        if not all(isinstance(each, str) for each in found) or len({*found}) < 2 or len(found) >= UNLABELLED:
            raise ValueError(f"2 to {UNLABELLED - 1} names are needed")
        return tuple(found)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}; it names the classes: "
                        f'{{"{name}": ["sky", "road"]}}') from None  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{file} must be {{"{name}": [names of the classes]}}: {one_line(error)}') from None


def _palette(paths: Sequence[Path], count: int) -> tuple[Colour, ...]:
    """The colours of the first indexed file, if there is one."""
    for path in paths:
        with contextlib.suppress(BadImage), decoding(str(path)), Image.open(path) as header:
            values = header.getpalette("RGB") if header.mode == "P" else None
            if values and len(values) >= 3 * count:
                return tuple((values[k], values[k + 1], values[k + 2]) for k in range(0, 3 * count, 3))
    return ()
