"""Inception Score (Salimans et al., NeurIPS 2016) on the logits of a stated classifier.

With a classifier that was trained for the data at hand (cross-granularity 4.2: the four domains) it is at most the
number of classes, and compares only with scores by the same classifier.
"""

import torch
from torch import Tensor

from dragoman.metrics.features import samples
from dragoman.metrics.sums import Sums

# torchmetrics' InceptionScore gives the same for one split (tests). It is not used because its deviation of one split
# is NaN, as is the score where a class has no probability in float32, and it shuffles with the global generator.


class InceptionScore(Sums):
    """The score of images whose logits come in batches."""

    def __init__(self, classes: int):
        super().__init__(count=(), probability=(classes,), information=())

    def update(self, logits: Tensor) -> None:
        """Add logits [N, K]."""
        p = samples(logits, 0, "logits").softmax(1)
        self.add(count=len(p), probability=p.sum(0), information=torch.xlogy(p, p).sum())

    def compute(self) -> float:
        """exp(E[KL(p(y | x) || p(y))]), in [1, K].

        Raises:
            ValueError: fewer than two images.
        """
        n = self.sums["count"]
        if n < 2:
            raise ValueError(f"an inception score needs at least 2 images, got {int(n)}")
        mean = self.sums["probability"] / n
        return (self.sums["information"] / n - torch.xlogy(mean, mean).sum()).exp().item()


def inception_score(logits: Tensor, splits: int = 1) -> tuple[float, float]:
    """Mean and standard deviation (of the population) of the score over splits; the deviation of one split is 0.

    Args:
        logits: [N, K], at least two per split.
        splits: Into how many parts; every `splits`-th image is in the same, so that sorted images split evenly.

    Raises:
        ValueError: too few images.
    """
    if splits < 1 or len(logits) < 2 * splits:
        raise ValueError(f"{splits} splits need at least {2 * max(splits, 1)} images, got {len(logits)}")
    scores = []
    for part in range(splits):
        score = InceptionScore(logits.shape[1])
        score.update(logits[part::splits])
        scores.append(score.compute())
    found = torch.tensor(scores, dtype=torch.float64)
    return found.mean().item(), found.std(correction=0).item()


def conditional_inception_score(logits: Tensor) -> float:
    """Conditional Inception Score (MUNIT 5.2): exp of the mean over inputs of E[KL(p(y | output) || p(y | input))].

    1 where all outputs of an input are alike, however different the inputs are.

    Args:
        logits: [S, N, K] of S outputs, at least two, of each of N inputs (100 x 100 in cross-granularity 4.2).

    Raises:
        ValueError: fewer than two outputs per input, or no input.
    """
    outputs, inputs, classes = logits.shape
    if outputs < 2 or inputs < 1:
        raise ValueError(f"a conditional score needs at least 2 outputs of 1 input, got {outputs} of {inputs}")
    p = samples(logits.reshape(-1, classes), 2, "logits").softmax(1).view(outputs, inputs, classes)
    mean = p.mean(0)
    gain = torch.xlogy(p, p).sum(2).mean(0) - torch.xlogy(mean, mean).sum(1)
    return float(gain.mean().exp())
