"""Berhu against thesis Eq. 4.6."""

import torch

from dragoman.losses.berhu import berhu


def written_out(prediction, target, known):
    """Pixel by pixel; c from each image alone."""
    values = []
    for image, truth, valid in zip(prediction, target, known, strict=True):
        errors = [abs(a - b).item() for a, b, k in zip(image.flatten(), truth.flatten(), valid.flatten(), strict=True)
                  if k]  # fmt: skip
        c = max(errors, default=0) / 5
        values += [e if e <= c else (e**2 + c**2) / (2 * c) for e in errors]
    return sum(values) / max(len(values), 1)


def maps(seed, scale=1.0):
    return torch.randn(3, 1, 4, 5, generator=torch.Generator().manual_seed(seed)) * scale


def test_as_written_out():
    prediction, target = maps(1), maps(2, 0.3)
    prediction[1] *= 50  # another c for another image
    everywhere = torch.ones(3, 1, 4, 5, dtype=torch.bool)
    assert torch.isclose(berhu(prediction, target), torch.tensor(written_out(prediction, target, everywhere)))
    known = maps(3) > 0
    assert torch.isclose(berhu(prediction, target, known), torch.tensor(written_out(prediction, target, known)))


def test_unknown_pixels_have_no_say():
    prediction, target, known = maps(1), maps(2), maps(3) > 0
    wild = torch.where(known, target, 1e4)
    assert berhu(prediction, wild, known) == berhu(prediction, target, known)
    assert berhu(prediction, target, torch.zeros_like(known)) == 0


def test_the_gradient_holds_c_fixed():
    """Above c it is e / c, below it the sign of e; nothing rewards a larger largest error."""
    prediction, target = maps(1).requires_grad_(True), maps(2)
    (slope,) = torch.autograd.grad(berhu(prediction, target), prediction)
    e = (prediction - target).detach()
    c = e.abs().amax((1, 2, 3), keepdim=True) / 5
    torch.testing.assert_close(slope * e.numel(), torch.where(e.abs() <= c, e.sign(), e / c))
    exact = target.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(berhu(exact, target), exact)
    assert torch.isfinite(slope).all()
