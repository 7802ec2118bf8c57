"""Progressive GAN: layers, counts, equalised learning rate, pixel norm, minibatch deviation, growing."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.progressive import (
    Critic,
    EqualConv2d,
    EqualLinear,
    Generator,
    added,
    level_of,
    pixel_norm,
    widths,
    with_deviation,
)


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(size: int, i: int, o: int) -> int:
    return size * size * i * o + o


WIDE = [512, 512, 512, 512, 256, 128, 64, 32, 16]
"""Karras et al. 2018, Table 2: channels at 4, 8, ..., 1024."""

NEAR = {"rtol": 1e-4, "atol": 1e-4}
"""Two orders of rounding, through ten normalisations."""


def test_widths():
    assert widths(1024, 512) == WIDE
    assert widths(32, 8) == [8] * 4 and widths(64, 8) == [8] * 4 + [4]
    for size, width in ((2, 8), (48, 8), (1024, 16)):
        with pytest.raises(ValueError, match=f"size {size} must be a power of 2"):
            widths(size, width)


def test_published_counts():
    """Table 2: 23.1 M each, and what the image layers of the smaller sizes add."""
    table = conv(4, 512, 512) + conv(3, 512, 512)
    table += sum(conv(3, i, o) + conv(3, o, o) for i, o in pairwise(WIDE)) + conv(1, 16, 3)
    assert round(table / 1e6, 1) == 23.1
    assert count(Generator()) == table
    all_levels = table + sum(conv(1, w, 3) for w in WIDE[:-1])
    assert count(Generator(first=4)) == all_levels == 23_079_115
    table = conv(1, 3, 16) + sum(conv(3, i, i) + conv(3, i, o) for o, i in pairwise(WIDE))
    table += conv(3, 513, 512) + conv(4, 512, 512) + 513
    assert round(table / 1e6, 1) == 23.1
    assert count(Critic()) == table
    assert count(Critic(first=4)) == table + sum(conv(1, 3, w) for w in WIDE[:-1]) == 23_087_249


def test_classes():
    torch.manual_seed(0)
    g, d = Generator(1, 16, 4, 6, 3), Critic(1, 16, 4, 3)
    assert count(g) == count(Generator(1, 16, 4, 6)) + 3 * 64
    z, c = torch.randn(3, 6), torch.eye(3)
    plain = Generator(1, 16, 4, 9)
    plain.load_state_dict(g.state_dict())
    torch.testing.assert_close(g(z, c), plain(torch.cat([z, c], 1)))
    value, logits = d(g(z, c))
    assert value.shape == (3,) and logits.shape == (3, 3) and Critic(1, 16, 4)(g(z, c))[1] is None


def test_equalised_learning_rate():
    """Weights of variance 1 whose layers keep the second moment: He's constant is applied as they are used."""
    torch.manual_seed(0)
    layer, linear = EqualConv2d(64, 32, 3), EqualLinear(256, 64)
    x, y = torch.randn(2, 64, 5, 5), torch.randn(3, 256)
    assert layer.weight.std().item() == pytest.approx(1, abs=0.02) and linear.weight.std().item() == pytest.approx(
        1, abs=0.02
    )
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight * (2 / (64 * 9)) ** 0.5, padding=1))
    torch.testing.assert_close(linear(y), y @ linear.weight.T * (2 / 256) ** 0.5)
    torch.testing.assert_close(EqualConv2d(64, 3, 1, gain=1).scale, 1 / 8)


def test_pixel_norm():
    torch.manual_seed(0)
    for x in (torch.randn(2, 5, 3, 3), torch.randn(4, 7)):
        torch.testing.assert_close(pixel_norm(x), x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt())
    half = torch.randn(2, 5).bfloat16()
    assert torch.equal(pixel_norm(half), pixel_norm(half.float()).bfloat16())
    assert torch.isfinite(pixel_norm(torch.zeros(1, 3))).all()


def test_minibatch_standard_deviation():
    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 4)
    y = with_deviation(x)
    assert y.shape == (3, 3, 4, 4) and torch.equal(y[:, :2], x)
    expected = x.std(0, correction=0).mean()
    torch.testing.assert_close(y[:, 2], expected.expand(3, 4, 4), atol=1e-6, rtol=1e-5)
    assert with_deviation(x[:1])[:, 2].max() < 1e-3


@pytest.mark.parametrize("kind", [Generator, Critic])
def test_every_parameter_is_added_by_one_level(kind):
    """Or is an image layer, of which there is one for every size from the first on."""
    net = kind(3, 32, 8, first=8)
    images = net.to_image if kind is Generator else net.from_image
    assert list(images) == ["8", "16", "32"]
    parts = [added(net, level) for level in range(4)]
    ids = [id(p) for part in parts for p in part] + [id(p) for p in images.parameters()]
    assert sorted(ids) == sorted(id(p) for p in net.parameters())
    assert [level_of(side) for side in (4, 8, 1024)] == [0, 1, 8]
    for first in (2, 12, 64):
        with pytest.raises(ValueError, match=f"the first size {first} must be a power of 2 from 4 to 32"):
            kind(3, 32, 8, first=first)


def _g(level, net, z):
    """The generator's features after each level up to `level`."""
    h = F.linear(pixel_norm(z), net.input.weight * 2**0.5 / 4 / z.shape[1] ** 0.5).view(len(z), -1, 4, 4) + net.bias
    h = pixel_norm(F.leaky_relu(h, 0.2))
    features = [pixel_norm(F.leaky_relu(net.first(h), 0.2))]
    for block in net.blocks[:level]:
        h = nn.Upsample(scale_factor=2)(features[-1])
        h = pixel_norm(F.leaky_relu(block.conv1(h), 0.2))
        features.append(pixel_norm(F.leaky_relu(block.conv2(h), 0.2)))
    return features


def test_generator_grows():
    torch.manual_seed(0)
    net, z, up = Generator(3, 32, 8, 6, first=4), torch.randn(2, 6), nn.Upsample(scale_factor=2)
    assert (net.z_dim, net.size, net.channels) == (6, 32, 3)
    for level in range(4):
        features = _g(level, net, z)
        image = net.to_image[str(4 * 2**level)](features[-1])
        assert net(z, level=level).shape == (2, 3, 4 * 2**level, 4 * 2**level)
        torch.testing.assert_close(net(z, level=level), image.tanh(), **NEAR)
        if level:
            below = up(net.to_image[str(2 * 2**level)](features[-2]))
            torch.testing.assert_close(net(z, alpha=0.3, level=level), (0.3 * image + 0.7 * below).tanh(), **NEAR)
            torch.testing.assert_close(net(z, alpha=0, level=level), up(net(z, level=level - 1)), **NEAR)
    assert net.grown == 0 and Generator(3, 32, 8, 6, first=16).grown == 2 and Generator(3, 32, 8, 6).grown == 3
    assert torch.equal(net(z), net(z, level=3)) and torch.equal(net(z, alpha=0.5, level=0), net(z, level=0))


def test_critic_grows():
    torch.manual_seed(0)
    net = Critic(3, 32, 8, first=4)

    def head(h):
        h = F.leaky_relu(net.last(with_deviation(h)), 0.2)
        return net.value(F.leaky_relu(net.linear(h.flatten(1)), 0.2))[:, 0]

    def block(number, h):
        h = F.leaky_relu(net.blocks[number].conv1(h), 0.2)
        return F.avg_pool2d(F.leaky_relu(net.blocks[number].conv2(h), 0.2), 2)

    x = torch.randn(2, 3, 16, 16)
    h = block(1, F.leaky_relu(net.from_image["16"](x), 0.2))
    torch.testing.assert_close(net(x)[0], head(block(0, h)))
    small = F.avg_pool2d(x, 2)
    mixed = 0.3 * h + 0.7 * F.leaky_relu(net.from_image["8"](small), 0.2)
    torch.testing.assert_close(net(x, alpha=0.3)[0], head(block(0, mixed)))
    torch.testing.assert_close(net(x, alpha=0)[0], net(small)[0])
    for side in (4, 8, 32):
        assert net(torch.randn(2, 3, side, side))[0].shape == (2,)


def test_gradient_penalty_reaches_every_weight_of_the_level():
    torch.manual_seed(0)
    net, real, fake = Critic(3, 16, 4, first=4), torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)
    gradient_penalty(lambda x: net(x, alpha=0.5)[0], real, fake).backward()
    idle = {name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().sum() == 0}
    assert {name for name in idle if name.endswith("weight")} == {"from_image.4.weight"}


def test_half_precision():
    torch.manual_seed(0)
    net, critic, z = Generator(3, 16, 16, 8), Critic(3, 16, 16), torch.randn(6, 8)
    expected = critic(net(z))[0]
    with torch.autocast("cpu", torch.bfloat16):
        value = critic(net(z))[0]
    torch.testing.assert_close(value.float(), expected, rtol=0.1, atol=0.1)
