"""Accuracy of classifiers on translations, and of classifiers trained on them."""

import torch
from torch import Tensor, nn

from dragoman.nets.classifier import Classifier

BATCH = 256


@torch.no_grad()
def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Logits [N, K] of images [N, C, H, W]."""
    return torch.cat([net(part) for part in images.split(BATCH)])


@torch.no_grad()
def embed(net: Classifier, images: Tensor) -> Tensor:
    """The classifier's last features [N, D] of images [N, C, H, W]."""
    return torch.cat([net.features(part) for part in images.split(BATCH)])


def accuracy(logits: Tensor, targets: Tensor) -> float:
    """Share in [0, 1] of right decisions.

    Args:
        logits: [N, K].
        targets: [N] class numbers, or [N, K] of 0 and 1: then every attribute of every image is a decision.

    Raises:
        ValueError: there are no images.
    """
    if len(logits) == 0:
        raise ValueError("accuracy needs at least one image, got none")
    if targets.ndim == 1:
        return (logits.argmax(1) == targets).double().mean().item()
    return ((logits > 0) == (targets > 0.5)).double().mean().item()
