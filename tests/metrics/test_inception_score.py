"""Inception score: cases by hand, the definition written out, torchmetrics."""

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.inception import InceptionScore as Reference

from dragoman.metrics.inception_score import InceptionScore, conditional_inception_score, inception_score


def normal(*shape: int) -> Tensor:
    return 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


def definition(logits: Tensor) -> float:
    p = logits.double().softmax(1)
    return (p * (p.log() - p.mean(0).log())).sum(1).mean().exp().item()


def test_equals_the_definition_and_torchmetrics():
    logits = normal(50, 4)
    assert inception_score(logits) == (pytest.approx(definition(logits)), 0)
    reference = Reference(nn.Identity(), splits=1)
    reference.update(logits)
    assert inception_score(logits)[0] == pytest.approx(reference.compute()[0].item(), rel=1e-5)
    score = InceptionScore(4)
    for part in logits.bfloat16().split(7):
        score.update(part)
    assert score.compute() == pytest.approx(definition(logits.bfloat16()))
    assert score.compute() == pytest.approx(definition(logits), rel=2e-3)


def test_range():
    sure = 1000 * torch.eye(5)  # probabilities that underflow must not become NaN
    assert inception_score(sure)[0] == pytest.approx(5)
    assert inception_score(sure[:1].repeat(8, 1))[0] == pytest.approx(1)
    assert inception_score(torch.zeros(8, 5))[0] == pytest.approx(1)


def test_splits():
    logits = normal(10, 4)
    parts = torch.tensor([definition(logits[part::3]) for part in range(3)]).double()
    expected = (pytest.approx(parts.mean().item()), pytest.approx(parts.std(correction=0).item()))
    assert inception_score(logits, 3) == expected


def test_conditional():
    logits = normal(6, 3, 4)
    one = [torch.tensor(definition(logits[:, n])).log() for n in range(3)]
    assert conditional_inception_score(logits) == pytest.approx(torch.stack(one).mean().exp().item(), rel=1e-6)
    assert conditional_inception_score(logits[:1].repeat(5, 1, 1)) == pytest.approx(1)  # styles that do nothing
    diverse = (1000 * torch.eye(4))[:, None].repeat(1, 3, 1)
    assert conditional_inception_score(diverse) == pytest.approx(4)


def test_mistakes():
    for splits, least in ((1, 2), (3, 6)):
        with pytest.raises(ValueError, match=f"at least {least} images, got {least - 1}"):
            inception_score(normal(least - 1, 4), splits)
    with pytest.raises(ValueError, match="at least 2 outputs of 1 input, got 1 of 3"):
        conditional_inception_score(normal(1, 3, 4))
    with pytest.raises(ValueError, match="at least 2 images, got 0"):
        InceptionScore(4).compute()
    with pytest.raises(ValueError, match="logits must be finite"):
        inception_score(torch.full((4, 4), torch.nan))
