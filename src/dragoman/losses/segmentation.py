"""Losses of segmentations."""

from torch import Tensor


def pixel_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The average over the labelled pixels of -sum_k target_k log p_k (thesis Eqs. 4.7, 4.8, 4.13).

    Args:
        logits: [N, K, H, W].
        target: [N, K, H, W], one-hot or probabilities; all 0 in a pixel without label. 0 if there are no others.
    """
    target = target.float()
    labelled = target.sum().clamp(min=1e-6)  # probabilities add up to 1 in every labelled pixel
    return -(target * logits.float().log_softmax(1)).sum() / labelled
