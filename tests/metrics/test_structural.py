"""SSIM and PSNR: their formulas, with scipy's filters."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter
from torchmetrics.functional.image import structural_similarity_index_measure

from dragoman.metrics import structural
from dragoman.metrics.structural import psnr, ssim, ssim_map


def images(count: int = 3, height: int = 28, width: int = 32, channels: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    x = torch.rand(count, channels, height, width, generator=generator) * 2 - 1
    return x, (0.8 * x + 0.3 * torch.randn(x.shape, generator=generator)).clamp(-1, 1)


def written_out(x: np.ndarray, y: np.ndarray, window: str) -> np.ndarray:
    """Wang et al., Eq. 13, of one channel [H, W] in [0, 1]."""
    if window == "gaussian":
        mean, border, unbiased = lambda v: gaussian_filter(v, 1.5, truncate=3.5), 5, 1
    else:
        mean, border, unbiased = lambda v: uniform_filter(v, 7), 3, 49 / 48
    mx, my = mean(x), mean(y)
    vx, vy, cov = (unbiased * v for v in (mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my))
    image = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    return image[border:-border, border:-border]


@pytest.mark.parametrize("window", ["gaussian", "uniform"])
def test_ssim_is_its_formula(window: str):
    x, y = images()
    first, second = (v.double().numpy() / 2 + 0.5 for v in (x, y))
    expected = [
        np.mean([written_out(first[n, c], second[n, c], window) for c in range(x.shape[1])]) for n in range(len(x))
    ]
    assert ssim(x, y, window).tolist() == pytest.approx(expected, abs=1e-10)
    assert ssim(x[1:2], y[1:2], window).tolist() == pytest.approx(expected[1:2], abs=1e-10)


def test_map_is_that_of_torchmetrics():
    """Which reflects at the border too, and computes in the dtype it gets."""
    x, y = images()
    inputs = ((v.double() + 1) / 2 for v in (x, y))
    theirs = structural_similarity_index_measure(*inputs, reduction="none", data_range=1.0, return_full_image=True)[1]
    torch.testing.assert_close(ssim_map(x, y)[:, 0], theirs.mean(1), rtol=0, atol=1e-8)


def test_ssim_axioms(monkeypatch: pytest.MonkeyPatch):
    x, y = images(5, channels=1)
    assert ssim(x, x).tolist() == pytest.approx([1] * 5)
    torch.testing.assert_close(ssim(x, y), ssim(y, x))
    together = ssim(x, y)
    monkeypatch.setattr(structural, "BATCH", 2)
    torch.testing.assert_close(ssim(x, y), together)
    assert (ssim(x, y) > ssim(x, -x)).all()
    torch.testing.assert_close(ssim(x.bfloat16(), y.bfloat16()), ssim(x.bfloat16().float(), y.bfloat16().float()))
    black, white = -torch.ones(1, 1, 11, 11), torch.ones(1, 1, 11, 11)
    assert ssim(black, black).item() == 1
    assert ssim(black, white).item() == pytest.approx(1e-4 / (1 + 1e-4))


def test_psnr():
    x, y = images()
    expected = [10 * np.log10(2**2 / np.mean((a - b).double().numpy() ** 2)) for a, b in zip(x, y, strict=True)]
    assert psnr(x, y).tolist() == pytest.approx(expected)
    assert psnr(x, x).tolist() == [np.inf] * 3
    assert psnr(torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.2)).item() == pytest.approx(20)


def test_structural_mistakes():
    x = torch.zeros(2, 1, 10, 12)
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, got 12 x 10"):
        ssim(x, x)
    assert len(ssim(x, x, "uniform")) == 2
    for function in (ssim, ssim_map, psnr):
        with pytest.raises(ValueError, match="of one shape"):
            function(x, x[:1])
        with pytest.raises(ValueError, match="of one shape"):
            function(x[:0], x[:0])
