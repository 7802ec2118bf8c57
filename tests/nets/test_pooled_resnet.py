"""Residual networks with pooling indices against thesis Tables A.7 to A.9, A.11 and A.12."""

import pytest
import torch
from torch import nn

from dragoman.nets import pooled_resnet as nets

BLOCKS = 6 * (2 * 9 * 256**2 + 4 * 256)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def shapes(net: nn.Module, *inputs: object) -> list[tuple[int, int, int]]:
    """(kernel, channels, height) of every conv."""
    seen: list[tuple[int, int, int]] = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda m, __, y: seen.append((m.kernel_size[0], y.shape[1], y.shape[2])))
    net(*inputs)
    return seen


@pytest.mark.parametrize("channels", [1, 3])
def test_the_encoder_of_tables_a7_and_a11(channels):
    """At 32 x 32, so a quarter of the published heights."""
    net = nets.Encoder(channels, 64, 3, 6)
    found = shapes(net, torch.zeros(1, channels, 32, 32))
    assert found == [(7, 64, 32), (7, 128, 16), (7, 256, 8)] + [(3, 256, 4)] * 12
    code, indices = net(torch.zeros(1, channels, 32, 32))
    assert code.shape == (1, 256, 4, 4)
    assert [i.shape[1:] for i in indices] == [(64, 16, 16), (128, 8, 8), (256, 4, 4)]
    assert count(net) == 49 * (channels * 64 + 64 * 128 + 128 * 256) + 2 * 448 + BLOCKS


@pytest.mark.parametrize("channels", [1, 3])
def test_the_decoder_of_tables_a8_and_a12(channels):
    net = nets.Decoder(channels, 64, 3, 6)
    found = shapes(net, nets.Encoder(channels, 64, 3, 0)(torch.zeros(1, channels, 32, 32)))
    assert found == [(3, 256, 4)] * 12 + [(7, 128, 8), (7, 64, 16), (7, channels, 32)]
    assert count(net) == 49 * (256 * 128 + 128 * 64 + 64 * channels) + channels + 2 * 192 + BLOCKS


def test_the_discriminator_of_table_a9():
    with torch.device("meta"):
        net = nets.Discriminator(3, 64, 4)
        found = shapes(net, torch.empty(4, 3, 128, 128))
    assert found == [(4, 64, 64), (4, 128, 32), (4, 256, 16), (4, 512, 8), (1, 1, 8)]
    assert count(net) == 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 960 + 513


def test_unpooling_uses_the_indices_it_is_given():
    torch.manual_seed(0)
    a, b, decoder = nets.Encoder(1, 4, 2, 1), nets.Encoder(3, 4, 2, 1), nets.Decoder(2, 4, 2, 1)
    (h, of_a), (_, of_b) = a(torch.randn(1, 1, 8, 8)), b(torch.randn(1, 3, 8, 8))
    seen = []
    decoder.convs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    y, other = decoder((h, of_a)), decoder((h, of_b))
    assert y.shape == (1, 2, 8, 8) and not torch.equal(y, other)
    for placed, indices in zip(seen, (of_a, of_b), strict=True):
        assert torch.equal(placed.flatten(2).gather(2, indices[-1].flatten(2)), decoder.body(h).flatten(2))
