"""Kernel distances: the double sums written out, scikit-learn's kernels, torchmetrics."""

import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from torch import Tensor, nn
from torchmetrics.image.kid import KernelInceptionDistance

from dragoman.metrics import kernel as module
from dragoman.metrics.kernel import gaussian_mmd, kernel_distance, kernel_distance_subsets, mean_variance


def normal(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3 * seed


def test_kernel_distance_is_the_unbiased_estimate():
    x, y = normal(7, 4, 0), normal(5, 4, 1)
    k = lambda a, b: (sum(p * q for p, q in zip(a, b, strict=True)) / 4 + 1) ** 3  # noqa: E731
    xs, ys = x.tolist(), y.tolist()
    within_x = sum(k(xs[i], xs[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    within_y = sum(k(ys[i], ys[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    between = sum(k(a, b) for a in xs for b in ys) / (7 * 5)
    assert kernel_distance(x, y) == pytest.approx(within_x + within_y - 2 * between)


def test_kernel_distance_equals_torchmetrics_and_the_library_kernel():
    x, y = normal(40, 6, 0), normal(40, 6, 1)
    identity = nn.Identity()
    identity.num_features = 6
    kid = KernelInceptionDistance(identity, subsets=1, subset_size=40)
    kid.update(x, real=True)
    kid.update(y, real=False)
    assert kernel_distance(x, y) == pytest.approx(kid.compute()[0].item(), rel=1e-6)
    torch.testing.assert_close(
        module._polynomial(x, y), torch.from_numpy(polynomial_kernel(x, y, degree=3, gamma=1 / 6, coef0=1))
    )


def test_rows_at_once_change_nothing(monkeypatch: pytest.MonkeyPatch):
    x, y = normal(20, 6, 0), normal(17, 6, 1)
    whole = [distance(x, y) for distance in (kernel_distance, gaussian_mmd)]
    monkeypatch.setattr(module, "ROWS", 3)
    assert [distance(x, y) for distance in (kernel_distance, gaussian_mmd)] == pytest.approx(whole, rel=1e-9)


def test_kernel_distance_has_no_bias():
    """Between samples of one distribution it is 0 in the mean, for few samples as for many."""
    generator = torch.Generator().manual_seed(0)
    for count in (4, 32):
        values = [kernel_distance(*torch.randn(2, count, 5, generator=generator)) for _ in range(600)]
        found = torch.tensor(values)
        assert found.mean().abs() < 4 * found.std() / 600**0.5


def test_subsets():
    x, y = normal(30, 6, 0), normal(25, 6, 1)
    mean, deviation = kernel_distance_subsets(x, y, subsets=200, size=10)
    assert kernel_distance_subsets(x, y, subsets=200, size=10) == (mean, deviation)
    assert kernel_distance_subsets(x, y, subsets=200, size=10, seed=1) != (mean, deviation)
    assert mean == pytest.approx(kernel_distance(x, y), abs=4 * deviation / 200**0.5)
    mean, deviation = kernel_distance_subsets(x[:25], y, subsets=3, size=25)  # all samples: every subset is the same
    assert mean == pytest.approx(kernel_distance(x[:25], y)) and deviation < 1e-9 * mean
    with pytest.raises(ValueError, match="at least 26 features are needed, got 25"):
        kernel_distance_subsets(x, y, size=26)
    with pytest.raises(ValueError, match="at least 2 samples, got size 1"):
        kernel_distance_subsets(x, y, size=1)


@pytest.mark.parametrize("bandwidth", [0.5, 1.0])
def test_gaussian_mmd_is_the_root_of_the_biased_estimate(bandwidth: float):
    x, y = normal(9, 4, 0), normal(6, 4, 1)
    scale = torch.cdist(x, x).square().mean().item()
    xx, yy, xy = (rbf_kernel(a, b, gamma=1 / (2 * bandwidth**2 * scale)).mean() for a, b in ((x, x), (y, y), (x, y)))
    assert gaussian_mmd(x, y, bandwidth) == pytest.approx((xx + yy - 2 * xy) ** 0.5)


def test_gaussian_mmd_has_no_unit_and_a_bound():
    x, y = normal(20, 4, 0), normal(15, 4, 1)
    assert gaussian_mmd(1e3 * x + 1e4, 1e3 * y + 1e4) == pytest.approx(gaussian_mmd(x, y), rel=1e-6)
    assert 1 < gaussian_mmd(x, y + 1e6) <= 2**0.5
    with pytest.raises(ValueError, match="bandwidth must be positive, got 0"):
        gaussian_mmd(x, y, 0)


def test_mean_variance():
    x = normal(9, 12, 1)
    expected = [sum((v - sum(c) / 9) ** 2 for v in c) / 8 for c in x.T.tolist()]
    assert mean_variance(x) == pytest.approx(sum(expected) / 12)
    assert mean_variance(x.view(9, 3, 2, 2)) == mean_variance(x)
    assert mean_variance(x.bfloat16()) == pytest.approx(mean_variance(x), rel=5e-3)
    assert mean_variance(2 * x) == pytest.approx(4 * mean_variance(x))
    assert mean_variance(x[:1].repeat(4, 1)) == 0
    with pytest.raises(ValueError, match="at least 2 features are needed, got 1"):
        mean_variance(x[:1])
