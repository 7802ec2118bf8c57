"""LPIPS: its formula on random networks, its axioms, and its protocols."""

import os
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from dragoman.errors import UserError
from dragoman.metrics.lpips import LPIPS, NETWORKS, diversity, heads, lacking, lpips, lpips_map
from dragoman.nets.frozen import build

WEIGHTS = Path(os.environ.get("DRAGOMAN_DATA", "nowhere")) / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the published weights in $DRAGOMAN_DATA")


def metric(backbone: str = "squeeze") -> LPIPS:
    torch.manual_seed(0)
    net = build(*NETWORKS[backbone])
    return LPIPS(net, [torch.rand(h.shape[1]) for h in net(torch.rand(1, 3, 64, 64))])


def images(count: int = 3, seed: int = 1, size: int = 64) -> torch.Tensor:
    noise = torch.rand(count, 3, size // 4, size // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=size, mode="bilinear") * 2 - 1


@pytest.mark.parametrize("backbone", NETWORKS)
def test_formula(backbone: str):
    """Zhang et al., Eq. 1: sum over layers of the mean over places of |w * (y - y0)|^2 of unit-length features."""
    d, x, y = metric(backbone), images(), images(seed=2)
    expected = torch.zeros(3)
    for a, b, w in zip(d.net(x), d.net(y), d.heads, strict=True):
        a, b = (h / (h.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for h in (a, b))
        expected += (w.view(1, -1, 1, 1) * (a - b) ** 2).sum(1).mean((1, 2))
    torch.testing.assert_close(d(x, y).float(), expected, rtol=1e-4, atol=1e-6)


def test_axioms(monkeypatch: pytest.MonkeyPatch):
    d, x, y = metric(), images(), images(seed=2)
    assert d(x, x).tolist() == [0, 0, 0]
    torch.testing.assert_close(d(x, y), d(y, x))
    together = d(x, y)
    monkeypatch.setattr(sys.modules[LPIPS.__module__], "BATCH_PIXELS", 2 * 64 * 64)
    torch.testing.assert_close(d(x, y), together, rtol=1e-5, atol=1e-8)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    growing = [d(x, (x + s * noise).clamp(-1, 1)).mean().item() for s in (0.02, 0.1, 0.4)]
    assert 0 < growing[0] < growing[1] < growing[2]
    sharp = noise.clamp(-1, 1)
    blurred = [d(sharp, F.avg_pool2d(sharp, k, 1, k // 2, count_include_pad=False)).mean().item() for k in (3, 7)]
    assert 0 < blurred[0] < blurred[1]
    assert d(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)).tolist() == [0]
    half = d(x.bfloat16().float(), y.bfloat16().float())
    torch.testing.assert_close(d(x.bfloat16(), y.bfloat16()), half)


def test_one_channel_is_repeated():
    d, x, y = metric(), images()[:, :1], images(seed=2)[:, :1]
    torch.testing.assert_close(d(x, y), d(x.repeat(1, 3, 1, 1), y.repeat(1, 3, 1, 1)))


def test_mistakes():
    x = images()
    with pytest.raises(ValueError, match="at least 32 x 32 pixels, got 16 x 16"):
        metric()(images(size=16), images(size=16))
    with pytest.raises(ValueError, match=r"in \[-1, 1\], got values up to 254"):
        metric()(x, (x + 1) * 127 + 0.05)
    with pytest.raises(ValueError, match="got values up to nan"):
        metric()(x, x * torch.nan)
    for function in (lpips, lpips_map):
        with pytest.raises(ValueError, match="one shape"):
            function(x, x[:2])
    with pytest.raises(ValueError, match="no LPIPS backbone 'resnet'"):
        lpips(x, x, "resnet")


def test_map():
    """Each layer's distances at their places, enlarged; a change in one corner shows there."""
    d, x = metric(), images()
    y = x.clone()
    y[:, :, :24, :24] *= -1
    fx, fy = d.features(x), d.features(y)
    expected = torch.zeros(3, 1, 64, 64)
    for a, b, w in zip(d.net(x), d.net(y), d.heads, strict=True):
        a, b = (h / h.pow(2).sum(1, keepdim=True).sqrt().clamp(min=1e-10) for h in (a, b))
        one = (w.view(1, -1, 1, 1) * (a - b) ** 2).sum(1, keepdim=True)
        expected += F.interpolate(one, (64, 64), mode="bilinear", align_corners=False)
    found = d.map(fx, fy, (64, 64))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert found[:, :, :24, :24].mean() > 3 * found[:, :, 40:, 40:].mean()


def test_diversity_is_the_mean_over_pairs_of_each_input():
    d = metric()
    outputs = torch.stack([images(2, seed) for seed in range(4)])
    every = [d(outputs[a], outputs[b]) for a in range(4) for b in range(a + 1, 4)]
    torch.testing.assert_close(diversity(outputs, d, pairs=45), torch.stack(every).mean(0), rtol=1e-5, atol=1e-8)
    drawn = diversity(outputs, d, pairs=2, seed=1)
    torch.testing.assert_close(diversity(outputs, d, pairs=2, seed=1), drawn)
    values = torch.stack(every)[:, 0]
    assert any(torch.isclose((a + b) / 2, drawn[0], rtol=1e-5) for a in values for b in values)
    assert diversity(outputs[:1].repeat(3, 1, 1, 1, 1), d, pairs=45).tolist() == [0, 0]
    with pytest.raises(ValueError, match="at least two outputs per input, got 1"):
        diversity(outputs[:1], d, pairs=45)


@needs_weights
def test_published_distance():
    x = images(8)
    assert lpips(x, x).tolist() == [0] * 8
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    small, large = (lpips(x, (x + s * noise).clamp(-1, 1)).mean() for s in (0.05, 0.5))
    assert 0.001 < small < large < 1.5
    torch.testing.assert_close(lpips_map(x, -x).mean((1, 2, 3)).double(), lpips(x, -x), rtol=0.02, atol=0)


@pytest.mark.parametrize(("backbone", "widths"), [
    ("squeeze", [64, 128, 256, 384, 384, 512, 512]), ("alex", [64, 192, 384, 256, 256]),
    ("vgg", [64, 128, 256, 512, 512]),
])  # fmt: skip
def test_linear_weights_ship_with_torchmetrics(backbone: str, widths: list[int]):
    found = heads(backbone)
    assert [len(w) for w in found] == widths
    assert all((w >= 0).all() and w.max() > 0.1 for w in found)


def test_missing_weights_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    x = images(1)
    with pytest.raises(UserError, match=r"no weights/alexnet-owt-7be5be79.pth on this machine; put it at \$DRAGOMAN"):
        lpips(x, x, "alex")
    assert lacking("alex") == "the weights of alexnet: put weights/alexnet-owt-7be5be79.pth into $DRAGOMAN_DATA"
