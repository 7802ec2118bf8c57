"""Identity distance by hand."""

import pytest
import torch

from dragoman.metrics.identity import identity_distance


def test_one_minus_the_cosine():
    torch.manual_seed(0)
    x, y = torch.randn(5, 7), torch.randn(5, 7)
    total = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        dot = sum(p * q for p, q in zip(a, b, strict=True))
        total += 1 - dot / (sum(p * p for p in a) * sum(q * q for q in b)) ** 0.5
    assert identity_distance(x, y) == pytest.approx(total / 5)


def test_range():
    x = torch.tensor([[1.0, 2.0], [0.5, 0.0]])
    assert identity_distance(x, 3 * x) == pytest.approx(0)
    assert identity_distance(x, -x) == pytest.approx(2)


@pytest.mark.parametrize("x, y", [((0, 4), (0, 4)), ((2, 4), (3, 4))])
def test_no_pairs_is_an_error(x, y):
    with pytest.raises(ValueError, match="identity distance needs"):
        identity_distance(torch.ones(x), torch.ones(y))
