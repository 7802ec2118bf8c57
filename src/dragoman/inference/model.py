"""What a trained model is to those who use it, whether it translates or generates."""

from typing import Any, Generic, Self, TypeVar

import torch
from torch import nn

from dragoman.data.batch import Task

C = TypeVar("C", bound=nn.Module)


class Model(Generic[C]):
    """A core in eval mode, what it was trained for, and where it comes from."""

    def __init__(self, core: C, task: Task, facts: dict[str, Any] | None = None):
        # The layout of training, so that a model that was saved and loaded gives the same image bit for bit.
        core.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.core: C = core.eval().requires_grad_(False)
        self.task = task
        self.facts = facts or {}

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains; one, for an unconditional generator."""
        return self.task.domains

    @property
    def device(self) -> torch.device:
        """Where the model is; move it with `to`."""
        return next(self.core.parameters()).device

    def to(self, device: str | torch.device) -> Self:
        """Move the model to a device; returns itself."""
        self.core.to(device)
        return self
