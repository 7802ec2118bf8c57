"""How well the features of two modalities of the same scenes agree (thesis 4.6.2, Eq. 4.16)."""

import torch.nn.functional as F
from torch import Tensor

from dragoman.metrics.sums import Sums


class Alignment(Sums):
    """The alignment factor of pairs that come in batches."""

    def __init__(self) -> None:
        super().__init__(count=(), cosine=())

    def update(self, a: Tensor, b: Tensor) -> None:
        """Add the latent features [N, ...] of N scenes in two modalities.

        Raises:
            ValueError: different shapes; features that are not finite, or all 0 and so without direction.
        """
        if a.shape != b.shape:
            raise ValueError(f"needs features of equal shape, got {list(a.shape)} and {list(b.shape)}")
        first, second = (features.detach().cpu().double().flatten(1) for features in (a, b))
        if not (first.isfinite().all() and second.isfinite().all()):
            raise ValueError("features must be finite, got nan or inf")
        if not (first.any(1).all() and second.any(1).all()):
            raise ValueError("features that are all 0 have no direction")
        self.add(count=len(first), cosine=F.cosine_similarity(first, second, eps=0).sum())

    def compute(self) -> float:
        """Mean cosine of the pairs, in [-1, 1].

        Raises:
            ValueError: there are no pairs.
        """
        if not self.sums["count"]:
            raise ValueError("an alignment factor needs at least 1 pair, got none")
        return (self.sums["cosine"] / self.sums["count"]).item()


def alignment_factor(a: Tensor, b: Tensor) -> float:
    """`Alignment` of the latent features a, b [N, ...] of N scenes in two modalities."""
    alignment = Alignment()
    alignment.update(a, b)
    return alignment.compute()
