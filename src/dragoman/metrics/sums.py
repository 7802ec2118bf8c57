"""What metrics add up over batches, accumulators and ranks."""

from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor

from dragoman.engine.runtime import Runtime


class Sums:
    """Named sums, float64 on the CPU whatever comes in; a metric's accumulator adds `update` and `compute`.

    Nothing but sums is kept, so any split of the samples into batches, accumulators or ranks gives the same result.
    """

    def __init__(self, **shapes: tuple[int, ...]):
        """A sum of each shape, at zero."""
        self.shapes = shapes
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.sums = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in self.shapes.items()}

    def add(self, **values: Tensor | float) -> None:
        """Add to the sums by name."""
        for name, value in values.items():
            self.sums[name] += value.detach().cpu().double() if isinstance(value, Tensor) else value

    def merge(self, other: Self) -> None:
        """Add what another accumulator has seen.

        Raises:
            ValueError: it is of another kind or size.
        """
        if type(other) is not type(self) or other.shapes != self.shapes:
            raise ValueError(f"cannot merge {type(other).__name__} {other.shapes} into {self.shapes}")
        self.add(**other.sums)

    def merge_ranks(self, runtime: Runtime) -> None:
        """Add what the accumulators of the other ranks have seen, once, after the last update."""
        if runtime.world == 1:
            return
        flat = torch.cat([value.flatten() for value in self.sums.values()]).to(runtime.device)
        dist.all_reduce(flat)
        parts = flat.cpu().split([value.numel() for value in self.sums.values()])
        self.sums = {name: part.view(self.shapes[name]) for name, part in zip(self.sums, parts, strict=True)}
