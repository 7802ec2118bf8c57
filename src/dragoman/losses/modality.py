"""How far predictions of a modality are from their targets."""

from typing import Literal

from torch import Tensor

from dragoman.losses.berhu import berhu
from dragoman.losses.segmentation import pixel_cross_entropy

Distance = Literal["l1", "l2", "berhu", "ce"]
"""Of images L1 or L2, of depths Berhu, of segmentations cross-entropy."""


def distance(kind: Distance, prediction: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
    """The average over pixels (thesis 4.4.3, Eqs. 4.1 to 4.8).

    Args:
        kind: Which one.
        prediction: [N, C, H, W]; of a segmentation its logits.
        target: [N, C, H, W]; of a segmentation probabilities, all 0 in a pixel without label, which does not count.
        known: [N, 1, H, W], which pixels count, as where a depth is known; all if not given. 0 if none does.
    """
    if kind == "ce":
        return pixel_cross_entropy(prediction, target if known is None else target * known)
    if kind == "berhu":
        return berhu(prediction, target, known)
    apart = prediction.float() - target.float()
    apart = apart.abs() if kind == "l1" else apart.square()
    return apart.mean() if known is None else (apart * known).sum() / known.expand_as(apart).sum().clamp(min=1)
