"""LPIPS, Frechet and kernel distances against the packages that define them."""

import lpips as published
import pytest
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torchmetrics.functional.image.lpips import _LPIPS as TorchmetricsLPIPS

from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.kernel import kernel_distance
from dragoman.metrics.lpips import LPIPS, NETWORKS, heads
from dragoman.nets.frozen import build


def features(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(300, 64, generator=generator) @ torch.randn(64, 64, generator=generator) / 8 + seed


@pytest.mark.filterwarnings("ignore:The parameter 'pretrained'", "ignore:Arguments other than a weight enum")
@pytest.mark.parametrize("package", [published.LPIPS, TorchmetricsLPIPS])
@pytest.mark.parametrize("backbone", NETWORKS)
@torch.no_grad()
def test_lpips(backbone: str, package: type):
    """The same random convolutions in both; each package brings its own copy of the linear weights."""
    theirs = package(net=backbone, pnet_rand=True)
    ours = LPIPS(build(*NETWORKS[backbone]), heads(backbone))
    state = ours.net.features.state_dict()
    # Their layers are named slice1.0.weight; torchmetrics' SqueezeNet has slices.0.0.weight.
    prefixes = 2 if backbone == "squeeze" and package is TorchmetricsLPIPS else 1
    places = {".".join(key.split(".")[prefixes:]): key for key in theirs.net.state_dict()}
    theirs.net.load_state_dict({places[key]: value for key, value in state.items()})
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(3, 3, 64, 72, generator=generator) * 2 - 1 for _ in range(2))
    torch.testing.assert_close(ours(x, y).float(), theirs(x, y).flatten(), rtol=1e-4, atol=1e-6)


def test_frechet():
    x, y = features(0), features(1)
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(v.double()) for v in (x, y)), verbose=False)
    assert float(frechet_distance(x, y)) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_kernel():
    """On all features at once, where no draw of subsets can differ."""
    x, y = features(0), features(1)
    theirs = kid_features_to_metric(x.double(), y.double(), kid_subsets=1, kid_subset_size=300, verbose=False)
    assert float(kernel_distance(x, y)) == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-5)
