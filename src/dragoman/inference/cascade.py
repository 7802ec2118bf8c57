"""Unseen translations between modalities as a chain of seen ones (thesis 4.6.2, "D -> R -> S")."""

from collections.abc import Sequence
from itertools import permutations

import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.modality import Modality, Sets, pack, unpack
from dragoman.inference.modal import ModalCore, alike

Step = tuple[tuple[str, ...], str]
"""A seen translation: of which modalities, to which."""


def chain(seen: Sets, given: Sequence[str], target: str) -> list[Step]:
    """The shortest chain of seen translations from what is given to a modality that is not.

    Its first step takes all given modalities that were seen with what it makes; a further one what the last one made.
    Of chains of one length it is the one through the modalities that the sets name first.

    Args:
        seen: Connected sets of modalities.
        given: One or more.
        target: Another one.
    """
    pairs = {pair for names in seen for pair in permutations(names, 2)}
    onward = {target: target}  # each modality, the nearest to the target first, and the next one on its way there
    for name in (reached := [target]):
        for other in dict.fromkeys(name for names in seen for name in names):
            if other not in onward and (other, name) in pairs:
                onward[other] = name
                reached.append(other)
    made = onward[next(name for name in onward if name in given)]
    steps: list[Step] = [(tuple(name for name in given if (name, made) in pairs), made)]
    while made != target:
        steps.append(((made,), onward[made]))
        made = onward[made]
    return steps


class Cascade(ModalCore):
    """A core that is asked for seen translations only; others are a chain of them.

    A wanted modality that is given is given back. If some of the given modalities were seen with the wanted one, those
    are translated together, the others ignored. Only else there is a chain, see `chain`. On the way a segmentation
    becomes the one-hot map of its likeliest classes, for networks know no other.
    """

    def __init__(self, core: ModalCore, task: Task):
        super().__init__()
        self.core, self.stride, self.smallest = core, core.stride, core.smallest
        self.seen, self.modalities = task.seen, {m.name: m for m in task.modalities}

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """See `ModalCore`."""
        y, modalities = torch.zeros_like(x), [*self.modalities.values()]
        for rows, sources, targets in alike(given, c, modalities):
            own = {name: part for name, part in unpack(x[rows], modalities).items() if name in sources}
            made = {name: own[name] if name in own else self._made(own, name) for name in targets}
            y[rows] = pack(made, modalities).to(y.dtype)
        return y

    def _made(self, own: dict[str, Tensor], target: str) -> Tensor:
        """[N, C, H, W] of a modality that is not among its own."""
        modalities, parts = [*self.modalities.values()], own
        for sources, name in chain(self.seen, [*own], target):
            x = pack({source: _decided(self.modalities[source], parts[source]) for source in sources}, modalities)
            given, c = (x.new_tensor([[m in names for m in self.modalities]]) for names in (sources, [name]))
            parts = unpack(self.core(x, given.expand(len(x), -1), c.expand(len(x), -1)), modalities)
        return parts[target]


def _decided(modality: Modality, x: Tensor) -> Tensor:
    """Of a segmentation the likeliest classes, one-hot, and none where none has a probability; else the same."""
    if modality.kind != "segmentation":
        return x
    best = F.one_hot(x.argmax(1), modality.channels).permute(0, 3, 1, 2)
    return best.to(x.dtype) * (x.sum(1, keepdim=True) > 0)
