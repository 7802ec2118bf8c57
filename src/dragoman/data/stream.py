"""Endless batches from a data set: balanced over domains, sharded over ranks, and seekable to any batch."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from dragoman.data.batch import Batch
from dragoman.data.dataset import Dataset
from dragoman.data.image import BadImage
from dragoman.data.modality import sets_of
from dragoman.errors import UserError

ATTEMPTS = 20
"""Draws for one place in a batch before giving up."""

Item = tuple[Tensor, Tensor, int, list[str]]


@dataclass
class Draws(TorchDataset[Item | UserError]):
    """Draw number n of a data set, the same for ever: its image, augmentation and all depend on (seed, n) alone.

    An exclusive domain is drawn first, uniformly, then one of its images; both with replacement. With `by_domain`, the
    size of a batch, the domain is that of the draw's place in its batch. Of a modal task the same goes for the sets of
    modalities that images have.
    """

    dataset: Dataset
    seed: tuple[int, ...]
    by_domain: int | None = None
    groups: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        task = self.dataset.task
        labels = self.dataset.labels
        columns = labels.unbind(1) if task.exclusive else [torch.ones(len(self.dataset))]
        if task.modalities:
            columns = [(labels == torch.tensor(codes)).all(1) for codes in sets_of(labels)]
        self.groups = [column.nonzero()[:, 0] for column in columns]
        self._key = np.random.SeedSequence(self.seed).generate_state(2, np.uint64)

    def __getitem__(self, number: int) -> Item | UserError:
        """The draw, or the error: raised in a worker, it would arrive as the text of a traceback."""
        rng = np.random.Generator(np.random.Philox(key=self._key, counter=[0, 0, 0, number]))
        bad: list[str] = []
        for _ in range(ATTEMPTS):
            group = self.groups[self._domain(number, rng)]
            index = int(group[rng.integers(len(group))])
            try:
                return self.dataset.load(index, rng), self.dataset.labels[index], index, bad
            except BadImage as error:
                bad.append(str(error))
        return UserError(f"{ATTEMPTS} draws in a row gave no usable image, the last one: {bad[-1]}")

    def _domain(self, number: int, rng: np.random.Generator) -> int:
        if self.by_domain is None:
            return int(rng.integers(len(self.groups)))
        return number % self.by_domain * len(self.groups) // self.by_domain


class _Numbers(Sampler[list[int]]):
    """The draws of each batch from batch `first` on, for one rank."""

    def __init__(self, first: int, size: int, rank: int, world: int):
        self.first, self.size, self.rank, self.world = first, size, rank, world

    def __iter__(self) -> Iterator[list[int]]:
        batch = self.first
        while True:
            start = (batch * self.world + self.rank) * self.size
            yield list(range(start, start + self.size))
            batch += 1


@dataclass
class Stream:
    """Batches of a data set for ever.

    Bad images are left out, replaced by another draw, and collected by name in `bad`.
    """

    dataset: Dataset
    batch_size: int
    seed: tuple[int, ...]
    rank: int = 0
    world: int = 1
    workers: int = 0
    by_domain: bool = False
    """Whether a batch holds equally many images of each domain, in the domains' order, instead of a random mix; of a
    modal task equally many of each set of modalities, in the order of `sets_of`."""
    bad: dict[str, None] = field(default_factory=dict)
    """What was wrong with the images that were left out, each once."""

    def start(self, first: int = 0) -> Iterator[Batch]:
        """The batches from number `first` on.

        Raises:
            UserError: the domains cannot share a batch equally.
        """
        task = self.dataset.task
        count, what = (len(sets_of(self.dataset.labels)), "sets") if task.modalities else (len(task.domains), "domains")
        if self.by_domain and self.batch_size % count:
            raise UserError(f"--train.batch-size {self.batch_size} cannot be shared equally by {count} {what}; "
                            f"use a multiple of {count}")  # fmt: skip
        loader = DataLoader(
            Draws(self.dataset, self.seed, self.batch_size if self.by_domain else None),
            batch_sampler=_Numbers(first, self.batch_size, self.rank, self.world),
            num_workers=self.workers,
            collate_fn=_collate,
            pin_memory=torch.cuda.is_available(),
        )
        for drawn in loader:
            if isinstance(drawn, UserError):
                raise drawn
            batch, bad = drawn
            self.bad.update(dict.fromkeys(bad))
            yield batch


def _collate(items: list[Item | UserError]) -> tuple[Batch, list[str]] | UserError:
    for item in items:
        if isinstance(item, UserError):
            return item
    images, labels, index, bad = zip(*items, strict=True)
    batch = Batch(image=torch.stack(images), label=torch.stack(labels), index=torch.tensor(index))
    return batch, [text for texts in bad for text in texts]
