"""Accuracy of classifiers on translations and of classifiers trained on them; what they lose by translation."""

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


def misclassification_rate(logits: Tensor, labels: Tensor) -> float:
    """Share in [0, 1] of translations in which the classifier sees a property changed (thesis 5.6.3).

    Counted against the true label of the input, not against what the classifier says of it, so that its own failures
    on real images count too; `drop_in_confidence` accounts for those.

    Args:
        logits: [N, K] of the translations, by a classifier of a property that has to stay.
        labels: [N] class numbers of the inputs, or [N, K] of 0 and 1.

    Raises:
        ValueError: there are no images.
    """
    return 1 - accuracy(logits, labels)


def drop_in_confidence(before: Tensor, after: Tensor, labels: Tensor) -> float:
    """Mean of f(x_i) - f(x_{i->j}) in [-1, 1], f the probability of the right label (thesis 5.6.3).

    Args:
        before, after: [N, K] logits of the inputs and of their translations, by the same classifier.
        labels: [N] class numbers of the inputs (softmax), or [N, K] of 0 and 1 (each attribute by itself).

    Raises:
        ValueError: there are no images, or not equally many.
    """
    if before.shape != after.shape or len(before) == 0:
        raise ValueError(f"needs logits before and after, at least one, got {list(before.shape)}, {list(after.shape)}")
    return (_confidence(before, labels) - _confidence(after, labels)).mean().item()


def _confidence(logits: Tensor, labels: Tensor) -> Tensor:
    """Probability of the right label of each decision."""
    if labels.ndim == 1:
        return logits.double().softmax(1).gather(1, labels[:, None])
    return (logits.double() * (2 * labels.double() - 1)).sigmoid()
