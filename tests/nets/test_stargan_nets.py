"""The shared networks against Tables 4 and 5 of StarGAN: layers, sizes and counts."""

import pytest
import torch
from torch import nn

from dragoman.data.batch import Task
from dragoman.nets.stargan import Decoder, Encoder, Trunk, check_size, with_label


def test_the_label_is_repeated_at_every_pixel():
    x, label = torch.randn(2, 3, 4, 5), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    out = with_label(x, label)
    assert out.shape == (2, 5, 4, 5)
    assert torch.equal(out[:, :3], x)
    for n in range(2):
        for k in range(2):
            assert (out[n, 3 + k] == label[n, k]).all()
    assert with_label(x.bfloat16(), label).dtype == torch.bfloat16


@pytest.mark.parametrize("blocks", [0, 2, 6])
def test_encoder_is_a_quarter_of_the_size_and_four_times_the_width(blocks):
    net = Encoder(8, 64, blocks, downs=2)
    assert net(torch.zeros(1, 8, 128, 96)).shape == (1, 256, 32, 24)
    convs = 49 * 8 * 64 + 16 * 64 * 128 + 16 * 128 * 256 + blocks * 2 * 9 * 256 * 256
    norms = 2 * (64 + 128 + 256) + blocks * 2 * 2 * 256
    assert sum(p.numel() for p in net.parameters()) == convs + norms


def test_decoder_undoes_the_size_and_stays_in_the_range_of_images():
    net = Decoder(3, 64, ups=2)
    assert net(torch.zeros(1, 256, 32, 24)).shape == (1, 3, 128, 96)
    count = 16 * 256 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 49 * 64 * 3
    assert sum(p.numel() for p in net.parameters()) == count
    torch.manual_seed(0)
    assert Decoder(3, 4, ups=2)(torch.randn(1, 16, 4, 4) * 100).abs().max() <= 1


def test_trunk_halves_the_size_and_doubles_the_width():
    with torch.device("meta"):
        net, x = Trunk(3, 64, 6), torch.empty(1, 3, 128, 128)
    assert [layer.out_channels for layer in net if isinstance(layer, nn.Conv2d)] == [64, 128, 256, 512, 1024, 2048]
    assert [layer.negative_slope for layer in net if isinstance(layer, nn.LeakyReLU)] == [0.01] * 6
    assert net(x).shape == (1, 2048, 2, 2) and net.out_channels == 2048
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    count = sum(16 * widths[n] * widths[n + 1] + widths[n + 1] for n in range(6))
    assert sum(p.numel() for p in net.parameters()) == count


@pytest.mark.parametrize("downs", [1, 3])
def test_other_depths(downs):
    encoder, decoder = Encoder(5, 4, 1, downs), Decoder(3, 4, downs)
    e = encoder(torch.randn(2, 5, 24, 16))
    assert e.shape == (2, 4 * 2**downs, 24 >> downs, 16 >> downs)
    assert decoder(e).shape == (2, 3, 24, 16)


@pytest.mark.parametrize("size, downs, layers", [(18, 2, 3), (20, 3, 3), (32, 2, 6), (16, 1, 5)])
def test_a_size_that_leaves_nothing_or_does_not_divide_is_an_error(size, downs, layers):
    with pytest.raises(ValueError, match=f"size {size}"):
        check_size(Task(domains=("a", "b"), size=size), downs, layers)


@pytest.mark.parametrize("size, layers", [(128, 6), (16, 4), (20, 4)])
def test_a_size_that_fits(size, layers):
    check_size(Task(domains=("a", "b"), size=size), 2, layers)
    with torch.device("meta"):
        assert Trunk(3, 1, layers)(torch.empty(1, 3, size, size)).shape[2:] == (size >> layers,) * 2
