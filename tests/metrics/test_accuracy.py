"""Accuracy by hand."""

import pytest
import torch
from torch import nn

from dragoman.metrics import classification
from dragoman.metrics.classification import accuracy, embed, predict
from dragoman.nets.classifier import Classifier


def test_of_classes():
    logits = torch.tensor([[2.0, 1, 0], [0, 5, 1], [0, 1, 3], [9, 8, 7]])
    assert accuracy(logits, torch.tensor([0, 1, 2, 1])) == 0.75


def test_of_attributes_counts_every_decision():
    logits = torch.tensor([[2.0, -1, 3], [-2, -1, 0.5]])
    codes = torch.tensor([[1.0, 0, 0], [1, 0, 1]])
    assert accuracy(logits, codes) == pytest.approx(4 / 6)


@pytest.mark.parametrize("targets", [torch.zeros(0), torch.zeros(0, 3)])
def test_of_nothing_is_an_error(targets):
    with pytest.raises(ValueError, match="at least one image"):
        accuracy(torch.zeros(0, 3), targets)


def test_predict_is_the_same_in_any_batch(monkeypatch):
    torch.manual_seed(0)
    net, images = nn.Sequential(nn.Flatten(), nn.Linear(12, 4)), torch.randn(23, 3, 2, 2)
    whole = predict(net, images)
    monkeypatch.setattr(classification, "BATCH", 5)
    torch.testing.assert_close(predict(net, images), whole)
    torch.testing.assert_close(whole, images.flatten(1) @ net[1].weight.T + net[1].bias)
    assert not whole.requires_grad


def test_embed_is_the_same_in_any_batch(monkeypatch):
    torch.manual_seed(0)
    net, images = Classifier(3, 2, width=4).eval(), torch.randn(11, 3, 16, 16)
    whole = embed(net, images)
    assert whole.shape == (11, 16) and not whole.requires_grad
    torch.testing.assert_close(net.head(whole), predict(net, images))
    monkeypatch.setattr(classification, "BATCH", 3)
    torch.testing.assert_close(embed(net, images), whole)
