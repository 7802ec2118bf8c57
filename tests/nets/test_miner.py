"""The miner: layers, counts, and that it starts as N(0, I), which is all that a generator has ever seen."""

import pytest
import torch
from torch import nn

from dragoman.nets.miner import Miner
from dragoman.nets.progressive import pixel_norm


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_published_layers():
    """Thesis A.2.1."""
    assert count(Miner((16, 16, 16))) == 2 * (16 * 16 + 16)
    assert count(Miner((128, 128, 128))) == 2 * (128 * 128 + 128)
    progressive = Miner((8, 64, 128, 256, 512), pixel_norm=True)
    assert count(progressive) == 8 * 64 + 64 + 64 * 128 + 128 + 128 * 256 + 256 + 256 * 512 + 512
    assert (progressive.u_dim, progressive.z_dim, len(progressive.layers)) == (8, 512, 4)
    assert count(Miner((8, 32, 64, 128))) == 8 * 32 + 32 + 32 * 64 + 64 + 64 * 128 + 128
    assert count(Miner((128, 128, 128, 128, 120))) == 3 * (128 * 128 + 128) + 128 * 120 + 120


@pytest.mark.parametrize("norm", [False, True])
def test_relu_and_pixel_norm_between_but_not_after_the_last(norm):
    torch.manual_seed(0)
    net, u = Miner((4, 6, 5, 7), norm), torch.randn(9, 4)
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    one, two, last = net.layers
    h = (u @ one.weight.T + one.bias).relu()
    h = pixel_norm(h) if norm else h
    h = (h @ two.weight.T + two.bias).relu()
    h = pixel_norm(h) if norm else h
    torch.testing.assert_close(net(u), h @ last.weight.T + last.bias)


@pytest.mark.parametrize("widths", [(16, 16, 16), (128, 128, 128), (128, 128, 128, 128, 120)])
def test_without_widening_it_starts_as_n_0_i(widths):
    torch.manual_seed(0)
    with torch.no_grad():
        z = Miner(widths)(torch.randn(20_000, widths[0]))
    relus = len(widths) - 2
    assert z.mean(0).abs().max() < 0.06
    covariance = z.T.cov()
    assert covariance.diagonal().mean().item() == pytest.approx(0.96**relus, abs=0.02)
    assert (covariance - torch.diag(covariance.diagonal())).abs().max() < 0.05
    fourth = (z / z.std(0)).pow(4).mean().item()
    assert fourth == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize(("widths", "norm"), [((8, 32, 64, 128), False), ((8, 64, 128, 256, 512), True)])
def test_with_widening_every_output_starts_as_n_0_1(widths, norm):
    torch.manual_seed(0)
    with torch.no_grad():
        z = Miner(widths, norm)(torch.randn(20_000, 8))
    assert z.mean(0).abs().max() < 0.1
    assert z.var(0).min() > 0.8 and z.var(0).max() < 1.1
    spectrum = torch.linalg.eigvalsh(z.T.cov())
    assert spectrum[-8:].sum() > 0.97 * spectrum.sum()  # no more directions than u has


def test_two_miners_start_apart_and_not_as_the_identity():
    torch.manual_seed(0)
    u = torch.randn(10, 16)
    one, two = Miner((16, 16, 16))(u), Miner((16, 16, 16))(u)
    assert not torch.allclose(one, two, atol=0.1) and not torch.allclose(one, u, atol=0.1)


def test_it_can_learn_to_bend():
    """A target that no linear map reaches: z = |u|."""
    torch.manual_seed(0)
    net, u = Miner((2, 16, 2)), torch.randn(256, 2)
    optimizer = torch.optim.Adam(net.parameters(), 3e-2)
    for _ in range(150):
        loss = (net(u) - u.abs()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    flat = torch.linalg.lstsq(torch.cat([u, torch.ones(256, 1)], 1), u.abs())
    linear = (torch.cat([u, torch.ones(256, 1)], 1) @ flat.solution - u.abs()).square().mean()
    assert loss < 0.3 * linear
