"""Frechet distance between two sets of features (Heusel et al., NeurIPS 2017; thesis 2.3.2, Eq. 2.5).

On the features of the published Inception it is the FID; on any others it is named after them. It is biased upwards by
few samples, the more the longer the features: only numbers from equally many samples compare.
"""

import torch
from torch import Tensor

from dragoman.metrics.features import check_varied, pair, samples
from dragoman.metrics.sums import Sums

# torchmetrics' FrechetInceptionDistance gives the same to about 1e-6 (tests). It is not used because it takes the
# eigenvalues of a product that is not symmetric, whose square roots leave 1e-8 per feature of a zero distance, and
# keeps both sets in one object, so that the real one would be counted again for every translator.


class Moments(Sums):
    """Mean and covariance of features that come in batches and are not kept."""

    def __init__(self, size: int):
        """`size` is D."""
        super().__init__(count=(), total=(size,), products=(size, size))

    def update(self, features: Tensor) -> None:
        """Add features [N, D].

        Raises:
            ValueError: another D, or values that are not finite.
        """
        x = samples(features, 0)
        if x.shape[1:] != self.shapes["total"]:
            raise ValueError(f"features must have size {self.shapes['total'][0]}, got {x.shape[1]}")
        self.add(count=len(x), total=x.sum(0), products=x.T @ x)

    def compute(self) -> tuple[Tensor, Tensor]:
        """Mean [D] and unbiased covariance [D, D].

        Raises:
            ValueError: fewer than two samples, or all the same.
        """
        n = self.sums["count"]
        if n < 2:
            raise ValueError(f"a covariance needs at least 2 samples, got {int(n)}")
        mean = self.sums["total"] / n
        covariance = (self.sums["products"] - n * torch.outer(mean, mean)) / (n - 1)
        check_varied(mean, covariance.diag())
        return mean, covariance


def gaussian_distance(mean_x: Tensor, covariance_x: Tensor, mean_y: Tensor, covariance_y: Tensor) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians, Eq. 2.5; covariances may be singular.

    Args:
        mean_x, mean_y: [D], float64.
        covariance_x, covariance_y: [D, D], float64.
    """
    return _distance(mean_x, _factor(covariance_x), mean_y, _factor(covariance_y))


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Frechet distance of two sets of features, squared as usual; at least 0.

    Args:
        x, y: [N, D], [M, D], at least two each. With N or M of no more than D the covariance is singular: the distance
            is still defined, and far too large.

    Raises:
        ValueError: too few samples, all the same, not finite, or of different D.
    """
    x, y = pair(x, y)
    # The covariance is R'R / (N - 1), R at most D rows: with few samples much quicker than by way of the covariance.
    r_x, r_y = (torch.linalg.qr(z - z.mean(0), mode="r").R / (len(z) - 1) ** 0.5 for z in (x, y))
    return _distance(x.mean(0), r_x, y.mean(0), r_y)


def _factor(covariance: Tensor) -> Tensor:
    """F with F'F the covariance."""
    values, vectors = torch.linalg.eigh(covariance)
    factor: Tensor = values.clamp(min=0).sqrt()[:, None] * vectors.T
    return factor


def _distance(mean_x: Tensor, factor_x: Tensor, mean_y: Tensor, factor_y: Tensor) -> float:
    # With covariances X = F'F and Y = G'G, Tr (XY)^1/2 is the sum of the singular values of FG': no matrix root, and no
    # square root of a rounding error.
    common = torch.linalg.svdvals(factor_x @ factor_y.T).sum()
    squared = (mean_x - mean_y).square().sum() + factor_x.square().sum() + factor_y.square().sum() - 2 * common
    return float(squared.clamp(min=0))
