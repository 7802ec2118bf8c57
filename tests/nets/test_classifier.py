"""The classifier that metrics use: its layers, and that training is repeatable and leaves no trace."""

import pytest
import torch

from dragoman.nets.classifier import Classifier, train_classifier


def test_layers_sizes_and_count():
    with torch.device("meta"):
        net, x = Classifier(3, 10, width=32), torch.empty(2, 3, 64, 64)
    convs = 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 128)
    norms, linear = 2 * (32 + 64 + 128 + 128), 128 * 10 + 10
    assert sum(p.numel() for p in net.parameters()) == convs + norms + linear
    assert net.body(x).shape == (2, 128, 8, 8)
    assert net.features(x).shape == (2, 128) and net(x).shape == (2, 10)


def _bright_or_dark() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    y = torch.arange(64) % 2
    return torch.randn(64, 1, 16, 16) * 0.2 + (y * 1.0 - 0.5)[:, None, None, None], y


def test_it_learns_classes():
    x, y = _bright_or_dark()
    net = train_classifier(x, y, 2, steps=30, batch=16)
    assert (net(x).argmax(1) == y).float().mean() > 0.95
    assert not net.training and not any(p.requires_grad for p in net.parameters())


def test_it_learns_independent_attributes():
    x, y = _bright_or_dark()
    x[::3, :, :8] += 3  # a second attribute, independent of the first
    codes = torch.stack([y, torch.arange(64) % 3 == 0], 1)
    net = train_classifier(x, codes, 2, steps=60, batch=16)
    assert ((net(x) > 0) == codes.bool()).float().mean() > 0.95


def test_the_seed_decides_and_the_global_random_state_stays():
    x, y = _bright_or_dark()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = train_classifier(x, y, 2, steps=3, batch=8, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    same, other = (train_classifier(x, y, 2, steps=3, batch=8, seed=s) for s in (1, 2))
    assert torch.equal(first(x), same(x)) and not torch.equal(first(x), other(x))


def test_it_trains_inside_no_grad():
    x, y = _bright_or_dark()
    with torch.no_grad():
        net = train_classifier(x, y, 2, steps=30, batch=16)
    assert (net(x).argmax(1) == y).float().mean() > 0.95


@pytest.mark.parametrize("size", [8, 16, 33])
def test_any_size(size):
    net = train_classifier(torch.randn(8, 3, size, size), torch.arange(8) % 2, 2, steps=1, batch=4)
    assert net(torch.randn(3, 3, size, size)).shape == (3, 2)
