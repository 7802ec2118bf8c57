"""Perceptual losses against EGSC-IT's Eq. 5."""

import pytest
import torch

from dragoman.losses.perceptual import content_distance, gram, style_distance, unit_norm


def features(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, 4, 4, generator=generator), torch.rand(2, 5, 2, 2, generator=generator)]


def test_each_channel_has_unit_length_over_the_pixels():
    (f, _) = features(0)
    f[0, 1] = 0  # a dead channel stays one
    norm = unit_norm(f).square().sum((2, 3)).sqrt()
    assert norm[0, 1] == 0
    norm[0, 1] = 1
    torch.testing.assert_close(norm, torch.ones(2, 3))
    torch.testing.assert_close(unit_norm(f * 7), unit_norm(f))


def test_gram_matrix_by_hand():
    (f, _) = features(0)
    expected = sum(f[1, 0, i, j] * f[1, 2, i, j] for i in range(4) for j in range(4)) / 16
    assert gram(f)[1, 0, 2].item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(gram(f), gram(f).transpose(1, 2))
    shuffled = f.flatten(2)[:, :, torch.randperm(16)].view_as(f)
    torch.testing.assert_close(gram(shuffled), gram(f))


def test_content_is_weighted_linearly_by_depth():
    x, y = features(0), features(1)
    expected = 0.5 * (x[0] - y[0]).abs().mean() + 1.0 * (x[1] - y[1]).abs().mean()
    torch.testing.assert_close(content_distance(x, y), expected)
    assert content_distance(x, x) == 0


def test_style_weighs_all_layers_alike():
    x, y = features(0), features(1)
    expected = sum((gram(a) - gram(b)).abs().mean() for a, b in zip(x, y, strict=True))
    torch.testing.assert_close(style_distance(x, y), expected)
    assert style_distance(x, x) == 0


def test_gradients_are_finite_through_a_dead_channel():
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    content_distance([unit_norm(x)], [torch.ones(1, 2, 3, 3)]).backward()
    assert torch.isfinite(x.grad).all()
