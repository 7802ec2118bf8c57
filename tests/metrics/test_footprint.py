"""Costs counted by hand."""

import pytest
import torch
from torch import nn

from dragoman.metrics.footprint import footprint, parameters
from dragoman.nets.stargan import Decoder, Encoder


def test_by_hand():
    """A place of a 3x3 convolution costs 9 products per pair of channels; of a transposed one, at the input."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False),
        nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Flatten(), nn.Linear(4 * 16 * 16, 5),
    )  # fmt: skip
    found = footprint(net, torch.rand(1, 3, 16, 16))
    count = (3 * 8 * 9 + 8) + 16 + 8 * 4 * 16 + (2 * 4 * 9 + 4) + (1024 * 5 + 5)
    assert found.parameters == count and found.mebibytes == count * 4 / 2**20
    assert found.multiply_adds == 8 * 8 * 8 * 3 * 9 + 8 * 8 * 8 * 4 * 16 + 16 * 16 * 4 * 2 * 9 + 1024 * 5
    assert footprint(net, torch.rand(3, 3, 16, 16)).multiply_adds == 3 * found.multiply_adds


def test_leaves_the_network_as_it_was():
    norm = nn.BatchNorm2d(3)
    net = nn.Sequential(norm, nn.Conv2d(3, 1, 1).eval())
    footprint(net, torch.rand(2, 3, 4, 4))
    assert norm.training and not net[1].training and norm.num_batches_tracked == 0
    with pytest.raises(RuntimeError):
        footprint(net, torch.rand(2, 5, 4, 4))
    assert norm.training


def test_shared_parameters_count_once():
    one = nn.Linear(3, 4)
    assert parameters(one, nn.Sequential(one, nn.Linear(4, 1))) == 16 + 5


def test_a_published_size():
    """StarGAN's generator for 5 attributes at 128 pixels has 8.43 million parameters (its Table 4)."""
    net = nn.Sequential(Encoder(3 + 5, 64, 6, 2), Decoder(3, 64, 2))
    found = footprint(net, torch.rand(1, 8, 32, 32))
    assert found.mebibytes == pytest.approx(32.2, abs=0.1)
    per_pixel = footprint(net, torch.rand(1, 8, 64, 32)).multiply_adds - found.multiply_adds
    assert per_pixel == found.multiply_adds  # fully convolutional: twice the pixels, twice the work
