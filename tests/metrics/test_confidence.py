"""Misclassification rate and drop in confidence, by hand (thesis 5.6.3)."""

import math

import pytest
import torch

from dragoman.metrics.classification import drop_in_confidence, misclassification_rate

BEFORE = torch.tensor([[3.0, 1], [0, 2], [1, 1]])
AFTER = torch.tensor([[1.0, 3], [0, 5], [2, 1]])
LABELS = torch.tensor([0, 1, 1])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_misclassification_counts_against_the_true_label():
    assert misclassification_rate(AFTER, LABELS) == pytest.approx(2 / 3)  # the third was never seen right
    assert misclassification_rate(AFTER, torch.tensor([[0, 1], [1, 1], [1, 1]])) == pytest.approx(2 / 6)


def test_drop_in_confidence_is_that_of_the_right_label():
    expected = (sigmoid(2) - sigmoid(-2) + sigmoid(2) - sigmoid(5) + sigmoid(0) - sigmoid(-1)) / 3
    assert drop_in_confidence(BEFORE, AFTER, LABELS) == pytest.approx(expected)
    assert drop_in_confidence(BEFORE, BEFORE, LABELS) == 0
    assert drop_in_confidence(AFTER, BEFORE, LABELS) == pytest.approx(-expected)
    assert drop_in_confidence(BEFORE.bfloat16(), AFTER.bfloat16(), LABELS) == pytest.approx(expected)


def test_drop_in_confidence_of_attributes():
    codes = torch.tensor([[1.0, 0]])
    expected = (sigmoid(3) - sigmoid(1) + sigmoid(-1) - sigmoid(-3)) / 2
    assert drop_in_confidence(BEFORE[:1], AFTER[:1], codes) == pytest.approx(expected)


def test_mistakes():
    with pytest.raises(ValueError, match="at least one"):
        drop_in_confidence(BEFORE[:0], AFTER[:0], LABELS[:0])
    with pytest.raises(ValueError, match=r"\[3, 2\], \[2, 2\]"):
        drop_in_confidence(BEFORE, AFTER[:2], LABELS)
    with pytest.raises(ValueError, match="at least one"):
        misclassification_rate(BEFORE[:0], LABELS[:0])
