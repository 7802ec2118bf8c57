"""The residual networks of WGAN-GP: layers, counts, initial weights, both conditions, transfer from unconditional."""

import copy
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.wgan_resnet import Critic, DownBlock, Generator, UpBlock, conditional_from
from dragoman.nn.statistics_norm import BatchNorm, collect_statistics


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def shapes(net: nn.Module, blocks: nn.Module, *inputs: torch.Tensor) -> list[tuple[int, int]]:
    """Channels and side of what each block gives."""
    seen: list[tuple[int, int]] = []
    hooks = [b.register_forward_hook(lambda _, __, y: seen.append((y.shape[1], y.shape[2]))) for b in blocks]
    net(*inputs)
    for hook in hooks:
        hook.remove()
    return seen


def test_table_of_the_generator():
    """Linear 128 -> 4 x 4 x 512, up-blocks 512-512-256-128-64, BN, conv 3x3."""
    wide = [512, 512, 256, 128, 64]
    blocks = sum(
        2 * i + 9 * i * o + 2 * o + (9 * o * o + o) + (i * o + o)  # BN, conv, BN, conv, shortcut
        for i, o in pairwise(wide)
    )
    net = Generator()
    assert count(net) == (128 * 8192 + 8192) + blocks + 2 * 64 + (9 * 64 * 3 + 3) == 8_540_483
    assert shapes(net, net.blocks, torch.zeros(2, 128)) == [(512, 8), (256, 16), (128, 32), (64, 64)]


def test_table_of_the_critic():
    """Conv 3x3 to 64, down-blocks 64-128-256-512-512, linear without offset."""
    wide = [64, 128, 256, 512, 512]
    blocks = sum(
        2 * i + 9 * i * i + 2 * i + (9 * i * o + o) + (i * o + o)  # LN, conv, LN, conv, shortcut
        for i, o in pairwise(wide)
    )
    net = Critic()
    assert count(net) == (27 * 64 + 64) + blocks + 8192 == 7_491_840
    assert shapes(net, net.blocks, torch.zeros(1, 3, 64, 64)) == [(128, 32), (256, 16), (512, 8), (512, 4)]


def test_what_the_conditions_add():
    plain = count(Generator(width=4))
    norms = sum(2 * n for n in (32, 32, 32, 16, 16, 8, 8, 4, 4))
    assert count(Generator(width=4, classes=10)) == plain + 9 * norms
    assert count(Generator(width=4, classes=10, condition="concat")) == plain + 10 * 16 * 32
    assert count(Critic(width=4, classes=10)) == count(Critic(width=4)) + 16 * 32 * 10 + 10


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("condition", ["bnorm", "concat"])
def test_sizes_and_ranges(size, condition):
    torch.manual_seed(0)
    net, critic = Generator(1, size, 4, 16, 3, condition), Critic(1, size, 4, 3)
    assert (net.z_dim, net.size, net.channels) == (16, size, 1)
    images = net(torch.randn(3, 16), torch.eye(3))
    assert images.shape == (3, 1, size, size) and images.abs().max() <= 1
    value, logits = critic(images)
    assert value.shape == (3,) and logits.shape == (3, 3)
    assert Critic(1, size, 4)(images)[1] is None


def test_other_sizes_are_refused():
    for net in (Generator, Critic):
        with pytest.raises(ValueError, match="size 48 must be 32 or 64; choose one by --data"):
            net(size=48)


def test_up_block():
    torch.manual_seed(0)
    block, x, c = UpBlock(4, 3, lambda n: BatchNorm(n, 2)), torch.randn(2, 4, 5, 5), torch.eye(2)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    up = nn.UpsamplingNearest2d(scale_factor=2)
    y = F.conv2d(up(block.norm1(x, c).relu()), block.conv1.weight, padding=1)
    y = F.conv2d(block.norm2(y, c).relu(), block.conv2.weight, block.conv2.bias, padding=1)
    torch.testing.assert_close(block(x, c), y + F.conv2d(up(x), block.shortcut.weight, block.shortcut.bias))


def test_down_block_and_its_layer_norm():
    torch.manual_seed(0)
    block, x = DownBlock(4, 3), torch.randn(2, 4, 6, 6)
    for parameter in block.parameters():
        nn.init.normal_(parameter)

    def norm(layer, h):
        mean, var = h.mean((1, 2, 3), keepdim=True), h.var((1, 2, 3), correction=0, keepdim=True)
        return (h - mean) / (var + 1e-5).sqrt() * layer.weight[:, None, None] + layer.bias[:, None, None]

    y = F.conv2d(norm(block.norm1, x).relu(), block.conv1.weight, padding=1)
    y = F.conv2d(norm(block.norm2, y).relu(), block.conv2.weight, block.conv2.bias, padding=1)
    y = F.avg_pool2d(y, 2) + F.conv2d(F.avg_pool2d(x, 2), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), y)


def test_initial_weights_are_uniform():
    torch.manual_seed(0)
    g, d = Generator(width=16), Critic(width=16)
    he, glorot = 12 / (9 * 256), 6 / (9 * 256)  # 3 * variance, of 128 channels to 128
    expected = [
        (g.blocks[0].conv1.weight, he), (g.blocks[0].shortcut.weight, 9 * glorot), (g.input.weight, 6 / (128 + 2048)),
        (g.output.weight, 12 / (9 * 19)), (d.blocks[3].conv2.weight, he), (d.input.weight, 6 / (9 * 19)),
        (d.blocks[3].shortcut.weight, 9 * glorot), (d.value.weight, 6 / (2048 + 1)),
    ]  # fmt: skip
    for weight, square in expected:
        assert weight.abs().max().item() == pytest.approx(square**0.5, rel=0.02)
        assert weight.var().item() == pytest.approx(square / 3, rel=0.15)
    assert all((b == 0).all() for n, b in [*g.named_parameters(), *d.named_parameters()] if n.endswith("bias"))


@pytest.mark.parametrize("condition", ["bnorm", "concat"])
def test_the_class_changes_the_image(condition):
    torch.manual_seed(0)
    net = Generator(width=4, z_dim=8, classes=2, condition=condition)
    for module in net.modules():
        if isinstance(module, BatchNorm):
            nn.init.normal_(module.weight)
    z = torch.randn(4, 8)
    one, two = (net(z, torch.eye(2)[[k] * 4]) for k in (0, 1))
    assert not torch.allclose(one, two, atol=1e-3)
    with pytest.raises(ValueError, match="needs a code c"):
        net(z)


def _trained(**changes) -> Generator:
    """An unconditional generator with weights and statistics of its own."""
    torch.manual_seed(1)
    net = Generator(size=32, width=4, z_dim=8, **changes)
    for parameter in net.parameters():
        nn.init.normal_(parameter, 0, 0.2)
    collect_statistics(net, [(torch.randn(16, 8), None)])
    return net


def test_cond_bnorm_starts_as_the_unconditional_generator_in_every_class():
    source, net, z = _trained(), Generator(size=32, width=4, z_dim=8, classes=5), torch.randn(5, 8)
    conditional_from(source.state_dict(), net, "bnorm")
    for train in (True, False):
        torch.testing.assert_close(net.train(train)(z, torch.eye(5)), source.train(train)(z))


def test_cond_concat_takes_over_all_but_the_weights_of_the_class():
    source, net = _trained(), Generator(size=32, width=4, z_dim=8, classes=5, condition="concat")
    random = net.input.weight[:, 8:].clone()
    conditional_from(source.state_dict(), net, "concat")
    assert torch.equal(net.input.weight[:, 8:], random) and random.std() > 0
    z = torch.randn(5, 8)
    assert not torch.allclose(net(z, torch.eye(5)), source(z), atol=1e-3)
    torch.testing.assert_close(net(z, torch.zeros(5, 5)), source(z))


def test_a_state_that_does_not_fit_is_refused():
    with pytest.raises(RuntimeError, match="size mismatch"):
        conditional_from(_trained().state_dict(), Generator(size=32, width=8, z_dim=8, classes=5), "bnorm")


def test_gradient_penalty_reaches_every_weight():
    torch.manual_seed(0)
    critic, real, fake = Critic(1, 32, 4), torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    gradient_penalty(lambda x: critic(x)[0], real, fake).backward()
    weights = [p for name, p in critic.named_parameters() if name.endswith("weight")]
    assert len(weights) == 3 * 5 + 2 and all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)


def test_in_evaluation_an_image_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    net, z = Generator(size=32, width=4, z_dim=8), torch.randn(6, 8)
    collect_statistics(net, [(z, None)])
    net = copy.deepcopy(net).eval()
    torch.testing.assert_close(net(z)[:1], net(z[:1]))


def test_half_precision():
    torch.manual_seed(0)
    net, critic, z = Generator(size=32, width=8, z_dim=8), Critic(size=32, width=8), torch.randn(6, 8)
    expected = critic(net(z))[0]
    with torch.autocast("cpu", torch.bfloat16):
        value = critic(net(z))[0]
    torch.testing.assert_close(value.float(), expected, rtol=0.1, atol=0.1)
