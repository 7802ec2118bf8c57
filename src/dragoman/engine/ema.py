"""Running averages of networks."""

import copy
from collections.abc import Sequence

import torch
from torch import nn


class Averages(nn.ModuleDict):
    """Exponential moving averages of some children of a method, in eval mode for ever.

    The decay is a function of the step: min(decay, (1 + t) / (10 + t)), so that early averages forget the start. The
    running statistics of norms are averaged too, since they must be those of the averaged weights. The vectors of
    spectral norm are copied: an average of unit vectors is shorter than one, and would enlarge the weights.
    """

    def __init__(self, method: nn.Module, names: Sequence[str], decay: float):
        super().__init__({name: copy.deepcopy(method.get_submodule(name)) for name in names} if decay > 0 else {})
        self.decay = decay
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def follow(self, method: nn.Module, step: int) -> None:
        """Move the averages towards the live networks after step `step` (counted from 0)."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, average in self.items():
            live = method.get_submodule(name)
            if list(live.parameters()):  # a network may have none
                torch._foreach_lerp_(list(average.parameters()), list(live.parameters()), 1 - keep)
            for (own, mine), theirs in zip(average.named_buffers(), live.buffers(), strict=True):
                if mine.is_floating_point() and not own.endswith(("._u", "._v")):
                    mine.lerp_(theirs, 1 - keep)
                else:
                    mine.copy_(theirs)

    def nets(self, method: nn.Module) -> dict[str, nn.Module]:
        """The method's networks by name, averaged where an average is kept."""
        return dict(method.named_children()) | dict(self.items())
