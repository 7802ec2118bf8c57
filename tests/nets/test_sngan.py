"""SNGAN: layers, counts, spectral norm, projection."""

import copy
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nets.sngan import Block, Discriminator, Generator
from dragoman.nn.statistics_norm import BatchNorm, collect_statistics


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def conv(size: int, i: int, o: int) -> int:
    return size * size * i * o + o


def shapes(net: nn.Module, *inputs: torch.Tensor) -> list[tuple[int, int]]:
    """Channels and side of what each block gives."""
    seen: list[tuple[int, int]] = []
    hooks = [b.register_forward_hook(lambda _, __, y: seen.append((y.shape[1], y.shape[2]))) for b in net.blocks]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def up_block(i: int, o: int) -> int:
    return 2 * i + conv(3, i, o) + 2 * o + conv(3, o, o) + conv(1, i, o)


def test_the_published_count_at_32():
    """Linear 128 -> 4 x 4 x 256, three up-blocks of 256, BN, conv 3x3; the critic has four blocks of 128."""
    published = (128 * 4096 + 4096) + 3 * up_block(256, 256) + 2 * 256 + conv(3, 256, 3)
    assert count(Generator(size=32)) == published == 4_276_739
    block = 2 * conv(3, 128, 128)
    first = conv(3, 3, 128) + conv(3, 128, 128) + conv(1, 3, 128)
    expected = first + (block + conv(1, 128, 128)) + 2 * block + (128 + 1)
    assert count(Discriminator(size=32)) == expected == 1_053_825


@pytest.mark.parametrize(
    ("size", "g", "d"),
    [
        (32, [(8, 8), (8, 16), (8, 32)], [(4, 16), (4, 8), (4, 8), (4, 8)]),
        (64, [(16, 8), (8, 16), (4, 32), (2, 64)], [(2, 32), (4, 16), (8, 8), (16, 4), (32, 2)]),
        (
            128,
            [(32, 8), (16, 16), (8, 32), (4, 64), (2, 128)],
            [(2, 64), (4, 32), (8, 16), (16, 8), (32, 4), (32, 4)],
        ),
    ],
)
def test_layers_at_width_2(size, g, d):
    """128: Miyato et al., Table 4, at 1/32 of the width."""
    torch.manual_seed(0)
    net, critic, z = Generator(1, size, 2, 16), Discriminator(1, size, 2), torch.randn(2, 16)
    assert (net.z_dim, net.size, net.channels) == (16, size, 1)
    assert shapes(net, z) == g
    images = net(z)
    assert images.shape == (2, 1, size, size) and images.abs().max() <= 1
    assert shapes(critic, images) == d
    value, logits = critic(images)
    assert value.shape == (2,) and logits is None


def test_counts_at_128_and_width_2():
    wide = [32, 32, 16, 8, 4, 2]
    expected = (128 * 512 + 512) + sum(map(up_block, wide, wide[1:])) + 2 * 2 + conv(3, 2, 3)
    assert count(Generator(width=2)) == expected
    assert count(Generator(width=2, classes=7)) == expected + 6 * 2 * (2 * sum(wide) - 32 - 2)
    wide = [2, 4, 8, 16, 32]
    expected = conv(3, 3, 2) + conv(3, 2, 2) + conv(1, 3, 2)
    expected += sum(conv(3, i, i) + conv(3, i, o) + conv(1, i, o) for i, o in pairwise(wide))
    expected += 2 * conv(3, 32, 32) + 33
    assert count(Discriminator(width=2)) == expected
    assert count(Discriminator(width=2, classes=7)) == expected + 32 * 7 + 7
    assert count(Discriminator(width=2, classes=7, projection=True)) == expected + 32 * 7


def test_other_sizes_are_refused():
    for net in (Generator, Discriminator):
        with pytest.raises(ValueError, match="size 28 must be 32, 64 or 128"):
            net(size=28)


@pytest.mark.parametrize(("first", "pool", "out"), [(True, True, 3), (False, True, 4), (False, False, 3)])
def test_block(first, pool, out):
    torch.manual_seed(0)
    block, x = Block(4, 5, out, first, pool), torch.randn(2, 4, 6, 6)
    y = F.conv2d(x if first else x.relu(), block.conv1.weight, block.conv1.bias, padding=1)
    y = F.conv2d(y.relu(), block.conv2.weight, block.conv2.bias, padding=1)
    y = y + F.conv2d(x, block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), F.avg_pool2d(y, 2) if pool else y)


def test_a_block_that_keeps_its_shape_adds_x_itself():
    block, x = Block(4, 4, 4, first=False, pool=False), torch.randn(2, 4, 6, 6)
    nn.init.zeros_(block.conv2.weight)
    nn.init.zeros_(block.conv2.bias)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("projection", [False, True])
def test_every_weight_of_the_critic_has_spectral_norm_1(projection):
    torch.manual_seed(0)
    net, x = Discriminator(3, 32, 2, 3, projection), torch.randn(1, 3, 32, 32)
    for _ in range(50):
        net(x)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4 * 2 + 2 + 2
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.02)


def test_frozen_and_in_evaluation_the_critic_does_not_move():
    torch.manual_seed(0)
    net, x = Discriminator(3, 32, 2).eval(), torch.randn(2, 3, 32, 32)
    kept = copy.deepcopy(net.state_dict())
    first = net(x)[0]
    assert torch.equal(net(x)[0], first)
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    again = Discriminator(3, 32, 2).eval()
    again.load_state_dict(kept)
    torch.testing.assert_close(again(x)[0], first)


def test_projection():
    torch.manual_seed(0)
    net, x, c = Discriminator(3, 32, 2, 3, projection=True).eval(), torch.randn(3, 3, 32, 32), torch.eye(3)
    phi = net.blocks(x).relu().sum((2, 3))
    plain = phi @ net.value.weight[0] + net.value.bias
    value, logits = net(x, c)
    torch.testing.assert_close(value, plain + (net.embedding.weight.T * phi).sum(1))
    assert logits is None
    torch.testing.assert_close(net(x)[0], plain)  # no label, no projection


def test_the_auxiliary_head_does_without_the_label():
    torch.manual_seed(0)
    net, x = Discriminator(3, 32, 2, 5).eval(), torch.randn(3, 3, 32, 32)
    value, logits = net(x)
    torch.testing.assert_close(logits, net.aux(net.blocks(x).relu().sum((2, 3))))
    assert logits.shape == (3, 5) and torch.equal(net(x, torch.eye(5)[:3])[0], value)


def test_conditional_generator():
    torch.manual_seed(0)
    net, z = Generator(3, 32, 2, 8, 3), torch.randn(4, 8)
    for module in net.modules():
        if isinstance(module, BatchNorm) and module.classes:
            nn.init.normal_(module.weight)
    one, two = (net(z, torch.eye(3)[[k] * 4]) for k in (0, 1))
    assert not torch.allclose(one, two, atol=1e-3)
    collect_statistics(net, [(z, torch.eye(3)[[0] * 4])])
    net.eval()
    torch.testing.assert_close(net(z, torch.eye(3)[[0] * 4]), one, atol=1e-5, rtol=1e-4)


def test_half_precision():
    torch.manual_seed(0)
    net, critic, z = Generator(3, 32, 4, 8), Discriminator(3, 32, 4), torch.randn(6, 8)
    expected = critic(net(z))[0]
    with torch.autocast("cpu", torch.bfloat16):
        value = critic(net(z))[0]
        value.float().sum().backward()
    torch.testing.assert_close(value.float(), expected, rtol=0.1, atol=0.1)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in critic.parameters())
