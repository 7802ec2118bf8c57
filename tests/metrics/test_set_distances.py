"""What every distance between two sets of images must do, on the features of a small random network."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.kernel import gaussian_mmd, kernel_distance, kernel_distance_subsets
from dragoman.nets.classifier import Classifier

Distance = Callable[[Tensor, Tensor], float]
DISTANCES = [frechet_distance, kernel_distance, gaussian_mmd]
DISTANCES_AND_SUBSETS = [*DISTANCES, partial(kernel_distance_subsets, size=2)]


def images(count: int, seed: int) -> Tensor:
    noise = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=16, mode="bilinear") * 2 - 1


def noisy(x: Tensor, amount: float) -> Tensor:
    return x + amount * torch.randn(x.shape, generator=torch.Generator().manual_seed(9))


def blurred(x: Tensor, width: int) -> Tensor:
    return F.avg_pool2d(x, width, 1, width // 2, count_include_pad=False)


def features(x: Tensor) -> Tensor:
    torch.manual_seed(0)
    return Classifier(3, 2, width=4).eval().features(x).detach()  # [N, 16]


@pytest.mark.parametrize("distance", [frechet_distance, gaussian_mmd])
def test_of_a_set_to_itself_is_zero(distance: Distance):
    x = features(images(64, 0))
    scale = distance(x, features(noisy(images(64, 0), 0.1)))
    assert distance(x, x) <= 1e-6 * scale
    assert distance(x, x[torch.randperm(64)]) <= 1e-6 * scale


def test_unbiased_distance_of_a_set_to_itself():
    """Every pair but those of a sample with itself is in all three means: 2 (mean without - mean with the diagonal)."""
    x = features(images(64, 0)).double()
    kernel = (x @ x.T / x.shape[1] + 1) ** 3
    expected = 2 * ((kernel.sum() - kernel.trace()) / (64 * 63) - kernel.mean()).item()
    assert expected < 0
    assert kernel_distance(x, x) == pytest.approx(expected, rel=1e-6)
    assert kernel_distance(x, x[torch.randperm(64)]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_grows_with_noise_and_blur(distance: Distance):
    x, y = images(300, 0), images(300, 1)
    for worse, amounts in ((noisy, (0.05, 0.15, 0.4)), (blurred, (3, 5, 9))):
        values = [distance(features(x), features(z)) for z in (y, *(worse(y, amount) for amount in amounts))]
        assert values == sorted(values)
        assert values[-1] > 5 * abs(values[0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_order_and_precision_of_the_features_do_not_matter(distance: Distance):
    x, y = features(images(200, 0)), features(noisy(images(200, 1), 0.3))
    value = distance(x, y)
    assert distance(x.flip(0), y.flip(0)) == pytest.approx(value, rel=1e-9)
    for half in (torch.bfloat16, torch.float16):
        assert distance(x.to(half), y.to(half)) == distance(x.to(half).double(), y.to(half).double())
        assert distance(x.to(half), y.to(half)) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize("distance", DISTANCES_AND_SUBSETS)
def test_mistakes(distance: Distance):
    x = features(images(8, 0))
    for pair in ((x[:1], x), (x, x[:1])):
        with pytest.raises(ValueError, match="at least 2 features are needed, got 1"):
            distance(*pair)
    for constant in (x[:1].repeat(8, 1), torch.zeros(8, 16), x[:1].repeat(8, 1).bfloat16()):
        with pytest.raises(ValueError, match="all features are the same"):
            distance(x, constant)
        with pytest.raises(ValueError, match="all features are the same"):
            distance(constant, x)
    with pytest.raises(ValueError, match="of one size, got 16 and 5"):
        distance(x, x[:, :5])
    with pytest.raises(ValueError, match=r"must be \[N, D\], got \[2, 2, 16\]"):
        distance(x[:4].view(2, 2, 16), x)
    with pytest.raises(ValueError, match="must be finite"):
        distance(x, x.masked_fill(x == x.max(), torch.nan))
