"""Alignment factor: Eq. 4.16 written out."""

import pytest
import torch

from dragoman.metrics.alignment import Alignment, alignment_factor


def test_formula():
    a, b = torch.randn(2, 5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for f, g in zip(a.flatten(1).tolist(), b.flatten(1).tolist(), strict=True):
        product = sum(p * q for p, q in zip(f, g, strict=True))
        total += product / (sum(p * p for p in f) ** 0.5 * sum(q * q for q in g) ** 0.5)
    assert alignment_factor(a, b) == pytest.approx(total / 5)
    assert alignment_factor(a.bfloat16(), b.bfloat16()) == pytest.approx(total / 5, abs=1e-3)


def test_range():
    a = torch.tensor([[1.0, 2], [3, -1]])
    assert alignment_factor(a, 3 * a) == pytest.approx(1)
    assert alignment_factor(a, -a) == pytest.approx(-1)
    assert alignment_factor(a, torch.stack([-a[:, 1], a[:, 0]], 1)) == pytest.approx(0)
    assert alignment_factor(1e-9 * a, a) == pytest.approx(1)  # short features have a direction too


def test_mistakes():
    a = torch.ones(3, 4)
    with pytest.raises(ValueError, match="at least 1 pair"):
        Alignment().compute()
    with pytest.raises(ValueError, match="no direction"):
        alignment_factor(a, a * torch.tensor([[1.0], [1], [0]]))
    with pytest.raises(ValueError, match=r"got \[3, 4\] and \[2, 4\]"):
        alignment_factor(a, a[:2])
    with pytest.raises(ValueError, match="finite"):
        alignment_factor(a, a / 0)
