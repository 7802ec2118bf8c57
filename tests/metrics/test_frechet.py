"""Frechet distance: closed forms, scipy's matrix root, torchmetrics."""

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from dragoman.metrics.frechet import Moments, frechet_distance, gaussian_distance


def gaussians(count: int, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mix + seed


def test_gaussians_whose_distance_is_known():
    """Diagonal covariances: |difference of means|^2 + sum of squared differences of deviations."""
    mean_x, mean_y = torch.tensor([1.0, 2, 3]).double(), torch.tensor([1.0, 0, 7]).double()
    deviation_x, deviation_y = torch.tensor([1.0, 2, 0]).double(), torch.tensor([4.0, 0, 0.5]).double()
    found = gaussian_distance(mean_x, deviation_x.square().diag(), mean_y, deviation_y.square().diag())
    assert found == pytest.approx(4 + 16 + 9 + 4 + 0.25, abs=1e-12)
    rotation = torch.linalg.qr(gaussians(3, 3, 1)).Q
    turned = [rotation @ d.square().diag() @ rotation.T for d in (deviation_x, deviation_y)]
    assert gaussian_distance(rotation @ mean_x, turned[0], rotation @ mean_y, turned[1]) == pytest.approx(found)


@pytest.mark.parametrize("count", [100, 6])
def test_equals_scipy_and_torchmetrics(count: int):
    """Also with fewer samples than dimensions, where the covariances are singular."""
    x, y = gaussians(count, 12, 0), gaussians(count + 3, 12, 1)
    found = frechet_distance(x, y)
    covariances = [np.cov(z.numpy(), rowvar=False) for z in (x, y)]
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    apart = (x.mean(0) - y.mean(0)).square().sum().item()
    assert found == pytest.approx(apart + np.trace(covariances[0] + covariances[1] - 2 * root), rel=1e-6)
    fid = FrechetInceptionDistance(Features(12)).set_dtype(torch.float64)
    fid.update(x, real=True)
    fid.update(y, real=False)
    assert found == pytest.approx(fid.compute().item(), rel=1e-5)


class Features(nn.Identity):
    """Our features as torchmetrics takes them."""

    def __init__(self, size: int):
        super().__init__()
        self.num_features = size


def test_moments_equal_those_of_the_whole():
    x, y = gaussians(50, 7, 2) + 1000, gaussians(40, 7, 3) + 1000  # a mean far from 0 must not cost digits
    moments = [Moments(7), Moments(7)]
    for features, one in zip((x, y), moments, strict=True):
        for part in features.split(9):
            one.update(part)
    mean, covariance = moments[0].compute()
    torch.testing.assert_close(mean, x.mean(0))
    torch.testing.assert_close(covariance, x.T.cov(), rtol=1e-7, atol=1e-7)
    assert gaussian_distance(*moments[0].compute(), *moments[1].compute()) == pytest.approx(frechet_distance(x, y))


def test_more_features_than_samples_have_a_distance_to_themselves_of_zero():
    x = gaussians(5, 40, 0)
    assert frechet_distance(x, x) < 1e-9
    assert frechet_distance(x, x.flip(0)) < 1e-9


def test_mistakes():
    moments = Moments(3)
    with pytest.raises(ValueError, match="at least 2 samples, got 0"):
        moments.compute()
    moments.update(torch.ones(1, 3))
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        moments.compute()
    moments.update(torch.ones(9, 3))
    with pytest.raises(ValueError, match="all features are the same"):
        moments.compute()
    with pytest.raises(ValueError, match="must have size 3, got 4"):
        moments.update(torch.ones(2, 4))
    with pytest.raises(ValueError, match="finite"):
        moments.update(torch.full((2, 3), torch.inf))
