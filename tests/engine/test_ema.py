"""Running averages against the recursion written out."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dragoman.engine.ema import Averages


class Nets(nn.Module):
    """Two networks and one without parameters."""

    def __init__(self):
        super().__init__()
        self.G = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.D = nn.Linear(2, 1)
        self.none = nn.Identity()


@torch.no_grad()
def move(net: nn.Module, step: int) -> None:
    for number, tensor in enumerate([*net.parameters(), *net.buffers()]):
        tensor.fill_(10 * step + number)


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_follow_is_the_average_with_its_warm_up(decay):
    nets = Nets()
    averages = Averages(nets, ["G"], decay)
    mean = {name: value.clone() for name, value in nets.G.named_parameters()}
    for step in range(30):
        move(nets.G, step)
        averages.follow(nets, step)
        keep = min(decay, (1 + step) / (10 + step))
        mean = {name: keep * mean[name] + (1 - keep) * value for name, value in nets.G.named_parameters()}
    for name, value in averages["G"].named_parameters():
        torch.testing.assert_close(value, mean[name])
        assert not torch.equal(value, nets.G.get_parameter(name))


def test_statistics_are_averaged_and_counts_copied():
    nets = Nets()
    averages = Averages(nets, ["G"], 0.9)
    for step in range(2):
        move(nets.G, step)
        averages.follow(nets, step)
    norm, live = averages["G"][1], nets.G[1]
    first, second = (10 * step + 4 for step in range(2))  # what `move` put there
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 0.9 * first * 2 / 11 + second * 9 / 11))
    assert norm.num_batches_tracked.item() == live.num_batches_tracked.item() == 16


def test_vectors_of_spectral_norm_stay_of_length_one():
    nets = nn.Module()
    nets.G = spectral_norm(nn.Linear(6, 5))
    averages = Averages(nets, ["G"], 0.9)
    for step in range(5):
        with torch.no_grad():
            nets.G.parametrizations.weight.original.normal_()
        nets.G(torch.zeros(1, 6))  # turns the vectors towards the new weight's
        averages.follow(nets, step)
    for mine, theirs in zip(averages["G"].buffers(), nets.G.buffers(), strict=True):
        assert torch.equal(mine, theirs)
        assert mine.norm().item() == pytest.approx(1)


def test_nets_are_averaged_where_there_is_an_average():
    nets = Nets()
    averages = Averages(nets, ["G"], 0.9)
    found = averages.nets(nets)
    assert list(found) == ["G", "D", "none"]
    assert found["G"] is averages["G"] and found["G"] is not nets.G and found["D"] is nets.D


def test_averages_never_train():
    nets = Nets().train()
    averages = Averages(nets, ["G"], 0.9)
    assert not any(m.training for m in averages["G"].modules())
    assert not any(p.requires_grad for p in averages.parameters())


def test_no_decay_keeps_no_average():
    nets = Nets()
    averages = Averages(nets, ["G"], 0.0)
    averages.follow(nets, 0)
    assert len(averages) == 0 and averages.nets(nets)["G"] is nets.G


def test_a_network_without_parameters_has_an_average_too():
    nets = Nets()
    averages = Averages(nets, ["none", "G"], 0.9)
    before = nets.G[0].bias.clone()
    move(nets.G, 1)
    averages.follow(nets, 0)
    torch.testing.assert_close(averages["G"][0].bias, 0.1 * before + 0.9 * nets.G[0].bias)
    x = torch.ones(2)
    assert averages["none"](x) is x
