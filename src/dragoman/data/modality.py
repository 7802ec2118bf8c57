"""Modalities: what aligned pictures of a scene show, as tensors that share one packed image."""

import colorsys
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from tyro.constructors import PrimitiveConstructorSpec

from dragoman.config import Config

Kind = Literal["image", "depth", "segmentation"]
Colour = tuple[int, int, int]

OnCommandLine = PrimitiveConstructorSpec[tuple[str, ...]](
    nargs=1,
    metavar="NAME+NAME",
    instance_from_str=lambda words: tuple(words[0].split("+")),
    is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda names: ["+".join(names)],
)
Sets = tuple[Annotated[tuple[str, ...], OnCommandLine], ...]
"""Sets of modalities that are seen together; on the command line rgb+depth rgb+segmentation."""

COLOUR = "rgb"
"""Name of the colour image."""
UNLABELLED = 255
"""Class number, in files and maps of numbers, of a pixel without a label."""


class Modality(Config):
    """One kind of picture of a scene.

    As a tensor [N, channels, H, W] an image is in [-1, 1]; a depth is linear from -1 at 0 m to 1 at `furthest`, and
    -1 where it is unknown; a segmentation is one-hot, 0 or 1, and all 0 where a pixel has no label.
    """

    name: str
    kind: Kind = "image"
    channels: int = 0
    """Of an image 1 or 3, 3 if not given; of a depth 1; of a segmentation the number of its classes."""
    classes: tuple[str, ...] = ()
    """Of a segmentation: names of its numbers."""
    palette: tuple[Colour, ...] = ()
    """Of a segmentation: a colour in 0..255 for each class; evenly spread hues if not given."""
    furthest: float = Field(0.0, ge=0)
    """Of a depth: metres that are shown as 1; what is further is that."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        kind, classes = values.get("kind", "image"), tuple(values.get("classes", ()))
        derived = {"image": 3, "depth": 1, "segmentation": len(classes)}.get(kind, 0)
        filled = values | {"channels": values.get("channels") or derived}
        if kind == "segmentation" and not values.get("palette"):
            filled["palette"] = spread(len(classes))
        return filled

    @model_validator(mode="after")
    def _of_its_kind(self) -> "Modality":
        if not re.fullmatch(r"\w[\w-]*", self.name):
            raise ValueError(f"a modality's name has letters, digits, _ and - only, got {self.name!r}")
        if hasattr(nn.ModuleDict, self.name):  # networks are kept under these names
            raise ValueError(f"a modality cannot be called {self.name!r}; rename it")
        allowed = {"image": (1, 3), "depth": (1,), "segmentation": (len(self.classes),)}[self.kind]
        if self.channels not in allowed:
            raise ValueError(f"{self.name}: channels must be {' or '.join(map(str, allowed))}, got {self.channels}")
        if self.kind == "segmentation" and not 1 < len(self.classes) < UNLABELLED:
            raise ValueError(f"{self.name}: needs 2 to {UNLABELLED - 1} classes, got {len(self.classes)}")
        if self.kind != "segmentation" and (self.classes or self.palette):
            raise ValueError(f"{self.name}: classes and palette are of segmentations only")
        if len(self.palette) != len(self.classes):
            raise ValueError(f"{self.name}: {len(self.classes)} classes need as many colours, got {len(self.palette)}")
        if (self.furthest > 0) != (self.kind == "depth"):
            raise ValueError(f"{self.name}: furthest must be above 0 metres for depth and not be given for others")
        return self

    @property
    def colours(self) -> Tensor:
        """The palette [classes, 3] in [-1, 1]."""
        return torch.tensor(self.palette) / 127.5 - 1


def spread(count: int) -> tuple[Colour, ...]:
    """Colours that are told apart easily: hues by the golden ratio, light and dark in turn."""
    tones = ((0.65, 0.95), (0.85, 0.6), (0.35, 0.85))
    return tuple(
        tuple(round(255 * v) for v in colorsys.hsv_to_rgb(k * 0.618034 % 1, *tones[k % 3]))  # type: ignore[misc]
        for k in range(count)
    )


def pack(parts: Mapping[str, Tensor], modalities: Sequence[Modality]) -> Tensor:
    """Modalities by name, each [N, C, H, W], as one tensor [N, sum C, H, W]; those that are absent are 0.

    Raises:
        ValueError: there is none, or one has another number of channels or is unknown.
    """
    if not parts or (unknown := parts.keys() - {m.name for m in modalities}):
        given = f"unknown {sorted(unknown)[0]!r}" if parts else "none"
        raise ValueError(f"pack needs modalities of {', '.join(m.name for m in modalities)}, got {given}")
    for m in modalities:
        if m.name in parts and parts[m.name].shape[1] != m.channels:
            raise ValueError(f"{m.name} must have {m.channels} channels, got {parts[m.name].shape[1]}")
    like = next(iter(parts.values()))
    shape = like.shape[2:]
    blocks = [parts[m.name] if m.name in parts else like.new_zeros(len(like), m.channels, *shape) for m in modalities]
    return torch.cat(blocks, 1)


def unpack(x: Tensor, modalities: Sequence[Modality]) -> dict[str, Tensor]:
    """The parts [N, C, H, W] of a packed tensor [N, sum C, H, W], by name."""
    parts = x.split([m.channels for m in modalities], 1)
    return {m.name: part for m, part in zip(modalities, parts, strict=True)}


def known(modality: Modality, x: Tensor) -> Tensor:
    """[N, 1, H, W] whether a pixel of [N, C, H, W] has a value: a depth, or a label. All pixels of an image have."""
    if modality.kind == "depth":
        return x > -1
    if modality.kind == "segmentation":
        return x.sum(1, keepdim=True) > 0
    return torch.ones_like(x[:, :1], dtype=torch.bool)


def sets_of(labels: Tensor) -> list[tuple[int, ...]]:
    """The distinct rows of codes [M, K], in the order of their first appearance."""
    return list(dict.fromkeys(tuple(int(value) for value in row) for row in labels.tolist()))


def ordered(names: Iterable[str]) -> tuple[str, ...]:
    """Modalities in the order in which they are packed: colour first, the others by name."""
    return tuple(sorted(set(names), key=lambda name: (name != COLOUR, name)))


def check_sets(sets: Sequence[Sequence[str]]) -> None:
    """Raise ValueError unless each set has two modalities, and each can be reached from every other through sets."""
    for names in sets:
        if len(set(names)) < max(2, len(names)):
            raise ValueError(f"a set needs two modalities or more, each once, got {'+'.join(names)}")
    groups: list[set[str]] = []
    for names in sets:
        touched = [group for group in groups if group & set(names)]
        groups = [group for group in groups if group not in touched] + [set(names).union(*touched)]
    if len(groups) != 1:
        shown = " and ".join("+".join(ordered(group)) for group in groups) or "none"
        raise ValueError(f"sets must be connected through modalities that they share, got {shown}")
