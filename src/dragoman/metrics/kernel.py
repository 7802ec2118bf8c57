"""Maximum mean discrepancies between two sets of features, and the variance of one."""

from collections.abc import Callable

import torch
from torch import Tensor

from dragoman.metrics.features import pair, samples

Kernel = Callable[[Tensor, Tensor], Tensor]
ROWS = 1024
"""Rows of a kernel matrix in memory at once."""

# torchmetrics' KernelInceptionDistance gives the same for one subset of all samples (tests). It is not used because
# it needs two sets of equal size for that, and draws its subsets from the global generator.


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """Kernel distance (KID; Binkowski et al., ICLR 2018): the squared MMD with the kernel (x·y / D + 1)^3, unbiased.

    Being unbiased it can be slightly negative, and its mean does not depend on the number of samples.

    Args:
        x, y: [N, D], [M, D], at least two each.

    Raises:
        ValueError: too few samples, all the same, not finite, or of different D.
    """
    return _unbiased(*pair(x, y))


def kernel_distance_subsets(
    x: Tensor, y: Tensor, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation (of the population) of `kernel_distance` over random subsets, as KID is published.

    Args:
        x, y: [N, D], [M, D].
        subsets: How many.
        size: Samples of x and of y in each, without replacement.
        seed: Of the draw.

    Raises:
        ValueError: fewer than `size` samples, and as `kernel_distance`.
    """
    if size < 2:
        raise ValueError(f"subsets need at least 2 samples, got size {size}")
    x, y = pair(x, y, least=size)
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        rows, others = (torch.randperm(len(z), generator=generator)[:size] for z in (x, y))
        values.append(_unbiased(x[rows], y[others]))
    found = torch.tensor(values, dtype=torch.float64)
    return found.mean().item(), found.std(correction=0).item()


def gaussian_mmd(x: Tensor, y: Tensor, bandwidth: float = 1.0) -> float:
    """KMMD of thesis 3.4: the MMD with a Gaussian kernel, not squared, biased (V-statistic), in [0, sqrt(2)].

    The thesis gives no bandwidth. Here it is that of Xu et al. (2018, "An empirical study on evaluation metrics of
    GANs"): k(a, b) = exp(-|a - b|^2 / (2 bandwidth^2 s)), s the mean of |a - b|^2 over all pairs in x, so that the
    unit of the features does not matter. Hence not symmetric: x are the real samples.

    Args:
        x, y: [N, D], [M, D], at least two each.
        bandwidth: In units of the root mean square distance between real samples.

    Raises:
        ValueError: too few samples, all the same, not finite, or of different D; a bandwidth that is not positive.
    """
    if bandwidth <= 0:
        raise ValueError(f"the bandwidth must be positive, got {bandwidth}")
    x, y = pair(x, y)
    center = x.mean(0)  # the kernel does not see it; without it, squares would cancel
    x, y = x - center, y - center
    scale = 2 * bandwidth**2 * 2 * x.var(0, correction=0).sum()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squares = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
        return (-squares.clamp(min=0) / scale).exp()

    means = [_total(a, b, kernel) / (len(a) * len(b)) for a, b in ((x, x), (y, y), (x, y))]
    return float(max(0.0, means[0] + means[1] - 2 * means[2]) ** 0.5)


def mean_variance(x: Tensor) -> float:
    """Mean variance MV of thesis 3.4: the unbiased variance over the samples, averaged over the dimensions.

    Neither the thesis nor what it cites writes the formula out; this reading is ours. 0 for samples that are all the
    same, larger for more diverse ones; in the square of the features' unit, so compare only on the same features.

    Args:
        x: features [N, D] or images [N, C, H, W], at least two.

    Raises:
        ValueError: fewer than two samples, or values that are not finite.
    """
    return samples(x.flatten(1), 2).var(0).mean().item()


def _polynomial(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _unbiased(x: Tensor, y: Tensor) -> float:
    """Squared MMD with the polynomial kernel, without the diagonals."""
    n, m = len(x), len(y)
    own = ((z.square().sum(1) / z.shape[1] + 1).pow(3).sum().item() for z in (x, y))
    within = [
        (_total(z, z, _polynomial) - diagonal) / (len(z) * (len(z) - 1))
        for z, diagonal in zip((x, y), own, strict=True)
    ]
    return sum(within) - 2 * _total(x, y, _polynomial) / (n * m)


def _total(x: Tensor, y: Tensor, kernel: Kernel) -> float:
    """Sum of the kernel over all pairs."""
    return sum(kernel(rows, y).sum().item() for rows in x.split(ROWS))
