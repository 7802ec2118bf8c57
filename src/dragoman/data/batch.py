"""What flows from the data to a method: the task and the batch types."""

from dataclasses import dataclass
from typing import Any

import torch
from pydantic import SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator
from torch import Tensor

from dragoman.config import Config
from dragoman.data.modality import Modality, check_sets, unpack


class Task(Config):
    """What a translator translates between: its domains and the images it is trained on."""

    domains: tuple[str, ...]
    """Names of the domains, in the order of the domain code."""
    exclusive: bool = True
    """True: an image is in exactly one domain (one-hot codes). False: domains are attributes (multi-hot codes)."""
    size: int
    """Height and width of a training image in pixels."""
    channels: int = 3
    """Image channels."""
    load_size: int | None = None
    """Shorter side of the training images, in pixels, before the crop; `size` if not given."""
    modalities: tuple[Modality, ...] = ()
    """Of a modal task: what the domains are. An image is then all of them packed, and its code says which it has."""
    seen: tuple[tuple[str, ...], ...] = ()
    """Of a modal task: the sets of modalities that training images have, in the order of a batch."""

    @field_validator("domains")
    @classmethod
    def _distinct(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        if not domains or len(set(domains)) != len(domains):
            raise ValueError(f"domains must be distinct and at least one, got {domains}")
        return domains

    @model_validator(mode="after")
    def _modal(self) -> "Task":
        if self.modalities and (self.domains, self.channels, self.exclusive) != (
            tuple(m.name for m in self.modalities), sum(m.channels for m in self.modalities), False
        ):  # fmt: skip
            raise ValueError("domains and channels must be those of the modalities, and not exclusive")
        return self

    @model_serializer(mode="wrap")
    def _brief(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what only modal tasks have, so that the record of other models stays what it was."""
        fields: dict[str, Any] = write(self)
        return {name: value for name, value in fields.items() if value or name not in ("modalities", "seen")}

    @property
    def shorter_side(self) -> int:
        """Shorter side of the training images, in pixels, before the crop."""
        return max(self.load_size or self.size, self.size)

    def need_two(self) -> None:
        """Raise ValueError unless there are exactly two exclusive domains."""
        if not self.exclusive:
            raise ValueError(f"needs two domains, got attributes ({', '.join(self.domains)}); "
                             "put the images into two folders")  # fmt: skip
        if len(self.domains) != 2:
            raise ValueError(f"needs two domains, got {len(self.domains)} ({', '.join(self.domains)}); "
                             "name two with --data.domains A B")  # fmt: skip

    def need_modalities(self) -> None:
        """Raise ValueError unless it is modal and the seen sets lead from every modality to every other."""
        if not self.modalities:
            raise ValueError("needs aligned modalities, got images only; name depth or segmentation with --data.seen")
        check_sets(self.seen)
        if alone := set(self.domains) - {name for names in self.seen for name in names}:
            raise ValueError(f"{sorted(alone)[0]} is in no set with another modality, so nothing leads to it")

    def code(self, domain: str) -> Tensor:
        """The one-hot code [K] of an exclusive domain."""
        return torch.eye(len(self.domains))[self.domains.index(domain)]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Unpaired images with their domain codes."""

    image: Tensor
    """[N, C, H, W] in [-1, 1]."""
    label: Tensor
    """[N, K] domain codes, 0 or 1."""
    index: Tensor | None = None
    """[N] int64, each image's number in its data set; None where nobody numbered them."""

    def sides(self) -> tuple[Tensor, Tensor]:
        """The images of domain A and of domain B, of a batch drawn by domain from two."""
        a, b = self.image.chunk(2)
        return a, b

    def scenes(self, task: Task) -> list[dict[str, Tensor]]:
        """Of each seen set the pictures [n, C, H, W] by modality, of a batch drawn by domain from a modal task."""
        sets = zip(task.seen, self.image.chunk(len(task.seen)), strict=True)
        return [
            {name: part for name, part in unpack(rows, task.modalities).items() if name in names}
            for names, rows in sets
        ]

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device, its images channels_last."""
        return Batch(
            image=self.image.to(device, non_blocking=True, memory_format=torch.channels_last),
            label=self.label.to(device, non_blocking=True),
            index=None if self.index is None else self.index.to(device, non_blocking=True),
        )
