"""The streets as aligned modalities that are never all seen together."""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor
from tyro.conf import arg

from dragoman.data.batch import Task
from dragoman.data.maps import PER_METRE
from dragoman.data.modal import Maps, ModalDataset
from dragoman.data.modality import COLOUR, Modality, Sets, check_sets, ordered
from dragoman.errors import UserError, suggest
from dragoman.worlds.streets.streets import Streets
from dragoman.worlds.world import SPLITS, BuiltIn, Rendered

FURTHEST = 100.0
"""Metres: the depth of the sky."""

MODALITIES = {
    m.name: m
    for m in (
        Modality(name=COLOUR),
        Modality(name="depth", kind="depth", furthest=FURTHEST),
        Modality(name="nir", channels=1),
        Modality(name="segmentation", kind="segmentation", classes=Streets.classes, palette=Streets.palette),
    )
}
"""What can be seen of a street."""


class StreetsModalities(BuiltIn):
    """A street drive in colour, depth, near infrared and segmentation; training scenes show one set of these each."""

    size: int = Field(64, ge=16, le=512)
    """Height and width in pixels; a multiple of the network's stride."""
    images: Annotated[int, arg(aliases=("--n",))] = Field(10_000, ge=1)
    """Scenes of the train split, in equal shares of each set."""
    test_images: int = Field(1_000, ge=1)
    """Scenes of the test split, other ones, with all modalities."""
    seed: int = Field(0, ge=0)
    """Of everything in the scenes."""
    conditions: Literal["weather4", "robotcar11", "day_night"] = "weather4"
    """What the scenes are drawn from: see the world streets."""
    seen: Sets = (("rgb", "depth"), ("rgb", "segmentation"))
    """Sets of modalities to train on: of rgb, depth, nir and segmentation."""

    @field_validator("seen")
    @classmethod
    def _known(cls, seen: Sets) -> Sets:
        for name in (name for names in seen for name in names):
            if name not in MODALITIES:
                raise ValueError(f"streets have no modality {name!r}; {suggest(name, list(MODALITIES))}")
        check_sets(seen)
        return seen

    @property
    def task(self) -> Task:
        """Between the modalities that are seen."""
        modalities = tuple(MODALITIES[name] for name in ordered(name for names in self.seen for name in names))
        return Task(
            domains=tuple(m.name for m in modalities), exclusive=False, size=self.size,
            channels=sum(m.channels for m in modalities), modalities=modalities,
            seen=tuple(dict.fromkeys(ordered(names) for names in self.seen)),
        )  # fmt: skip

    def open(self, split: str) -> "StreetsModalitiesDataset":
        """The scenes of a split, drawn when they are asked for.

        Raises:
            UserError: the split is unknown, or there are fewer images than sets.
        """
        return StreetsModalitiesDataset(self, split)


class StreetsModalitiesDataset(ModalDataset):
    """A split of the streets' modalities. Scene n of the train split shows set n modulo the number of sets."""

    def __init__(self, config: StreetsModalities, split: str):
        task, settings = config.task, config.model_dump(exclude={"seen"})
        self.world: Rendered = Streets(set="modalities", **settings).open(split)
        if split == SPLITS[0] and config.images < len(task.seen):
            raise UserError(f"--data.images {config.images} leaves a set of --data.seen without a scene; "
                            f"use at least {len(task.seen)}")  # fmt: skip
        sets = task.seen if split == SPLITS[0] else (task.domains,)
        rows = [[float(name in names) for name in task.domains] for names in sets]
        super().__init__(task, torch.tensor([rows[n % len(rows)] for n in range(len(self.world))]))

    def name(self, index: int) -> str:
        """The number."""
        return f"scene {index}"

    def maps(self, index: int) -> Maps:
        """Drawn; depths rounded as they are in files."""
        view = self.world.view(index)
        pictures: dict[str, Any] = view.modalities | {COLOUR: view.image}
        return {m.name: _map(m, torch.from_numpy(pictures[m.name])) for m in self.shown(index)}


def _map(modality: Modality, values: Tensor) -> Tensor:
    """[C, H, W]."""
    if modality.kind == "depth":
        values = (values * PER_METRE).round() / PER_METRE
    return values.permute(2, 0, 1).contiguous() if values.ndim == 3 else values[None]
