"""The classification loss against -log p, written out."""

import math

import pytest
import torch

from dragoman.losses.classification import domain_classification


def test_exclusive_domains_are_a_softmax():
    torch.manual_seed(0)
    logits, chosen = torch.randn(6, 4) * 3, [0, 3, 1, 1, 2, 0]
    expected = 0.0
    for row, k in zip(logits.tolist(), chosen, strict=True):
        expected -= math.log(math.exp(row[k]) / sum(math.exp(v) for v in row)) / 6
    assert domain_classification(logits, torch.eye(4)[chosen], True).item() == pytest.approx(expected, rel=1e-5)


def test_attributes_are_independent_and_summed_over_one_image():
    torch.manual_seed(1)
    logits, code = torch.randn(5, 3) * 3, (torch.rand(5, 3) > 0.5).float()
    expected = 0.0
    for row, wanted in zip(logits.tolist(), code.tolist(), strict=True):
        for value, bit in zip(row, wanted, strict=True):
            p = 1 / (1 + math.exp(-value))
            expected -= math.log(p if bit else 1 - p) / 5
    assert domain_classification(logits, code, False).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_half_precision_logits_and_integer_codes(exclusive):
    torch.manual_seed(2)
    logits, code = torch.randn(4, 3).bfloat16(), torch.eye(3, dtype=torch.long)[[0, 1, 2, 0]]
    loss = domain_classification(logits, code, exclusive)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, domain_classification(logits.float(), code.float(), exclusive))
