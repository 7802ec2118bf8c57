"""BigGAN: layers, the published counts, hierarchical z, the embedding as an input, attention, projection."""

import copy
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nets.biggan import Attention, Discriminator, Generator
from dragoman.nn.statistics_norm import CodeBatchNorm, collect_statistics


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def count_at(width: int, build: Callable[[int], nn.Module]) -> Fraction:
    """The count at a large width, from three small ones: it is a polynomial of degree 2 in the width."""
    known = {w: count(build(w)) for w in (8, 16, 24)}
    total = Fraction(0)
    for w, value in known.items():
        share = Fraction(value)
        for other in known.keys() - {w}:
            share *= Fraction(width - other, w - other)
        total += share
    return total


def test_published_counts_at_128():
    """Of the published PyTorch networks: 1000 classes, width 96, attention at 64."""
    assert count_at(96, lambda width: Generator(3, 128, 1000, width, attention=64)) == 70_433_988
    assert count_at(96, lambda width: Discriminator(3, 128, 1000, width, attention=64)) == 87_982_370


@pytest.mark.parametrize(
    ("size", "g", "d"),
    [
        (32, [(8, 8), (8, 16), (8, 32)], [(8, 16), (8, 8), (8, 8), (8, 8)]),
        (64, [(32, 8), (16, 16), (8, 32), (4, 64)], [(2, 32), (4, 16), (8, 8), (16, 4), (32, 4)]),
        (
            128,
            [(32, 8), (16, 16), (8, 32), (4, 64), (2, 128)],
            [(2, 64), (4, 32), (8, 16), (16, 8), (32, 4), (32, 4)],
        ),
    ],
)
def test_layers_at_width_2(size, g, d):
    torch.manual_seed(0)
    net, critic = Generator(1, size, 3, 2, embed_dim=4), Discriminator(1, size, 3, 2)
    assert (net.z_dim, net.size, net.channels, net.embed_dim) == (120, size, 1, 4)
    seen: list[tuple[int, int]] = []
    for block in [*net.blocks, *critic.blocks]:
        block.register_forward_hook(lambda _, __, y: seen.append((y.shape[1], y.shape[2])))
    images = net(torch.randn(3, 120), torch.eye(3))
    value, logits = critic(images, torch.eye(3))
    assert images.shape == (3, 1, size, size) and images.abs().max() <= 1
    assert value.shape == (3,) and logits is None
    assert seen == g + d


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="size 28 must be 32, 64 or 128"):
        Generator(3, 28, 2)
    with pytest.raises(ValueError, match="z_dim 13 must be a multiple of 4 at size 32"):
        Generator(3, 32, 2, 8, 13)
    with pytest.raises(ValueError, match="attention 4 must be"):
        Generator(3, 32, 2, 8, attention=4)
    with pytest.raises(ValueError, match="attention 32 must be"):
        Discriminator(3, 32, 2, 8, attention=32)


def _small() -> Generator:
    torch.manual_seed(0)
    return Generator(3, 32, 5, 2, 8, 6)


def test_an_embedding_takes_the_place_of_the_class():
    net, z, c = _small().eval(), torch.randn(5, 8), torch.eye(5)
    torch.testing.assert_close(net.embed(c), net.E.weight.T)
    torch.testing.assert_close(net(z, embedding=net.embed(c)), net(z, c))
    assert not torch.allclose(net(z, c), net(z, c.roll(1, 0)), atol=1e-3)
    for given in ({}, {"c": c, "embedding": net.embed(c)}):
        with pytest.raises(ValueError, match="a code c or an embedding"):
            net(z, **given)


def test_gradients_reach_a_mined_embedding():
    net = _small().requires_grad_(False)
    z, e = torch.randn(4, 8, requires_grad=True), torch.randn(4, 6, requires_grad=True)
    net(z, embedding=e).square().sum().backward()
    assert e.grad.abs().sum() > 0 and (z.grad.abs().sum(0) > 0).all()  # every chunk of z matters


def test_each_block_has_a_chunk_of_z_of_its_own():
    net, z, c = _small(), torch.randn(5, 8), torch.eye(5)
    codes: list[torch.Tensor] = []
    for block in net.blocks:
        for norm in (block.norm1, block.norm2):
            assert isinstance(norm, CodeBatchNorm)
            norm.register_forward_pre_hook(lambda _, inputs: codes.append(inputs[1]))
    net(z, c)
    for number in range(3):
        expected = torch.cat([net.embed(c), z[:, 2 * number + 2 : 2 * number + 4]], 1)
        assert torch.equal(codes[2 * number], expected) and torch.equal(codes[2 * number + 1], expected)


def test_attention():
    torch.manual_seed(0)
    layer, x = Attention(8), torch.randn(2, 8, 4, 4)
    assert torch.equal(layer(x), x)  # gamma starts at 0
    nn.init.constant_(layer.gamma, 0.7)
    query = torch.einsum("oc,nchw->nohw", layer.theta.weight[:, :, 0, 0], x).flatten(2)
    key = F.max_pool2d(torch.einsum("oc,nchw->nohw", layer.phi.weight[:, :, 0, 0], x), 2).flatten(2)
    value = F.max_pool2d(torch.einsum("oc,nchw->nohw", layer.g.weight[:, :, 0, 0], x), 2).flatten(2)
    seen = torch.zeros(2, 4, 16)
    for place in range(16):
        score = (query[:, :, place, None] * key).sum(1).exp()
        seen[:, :, place] = (value * (score / score.sum(1, keepdim=True))[:, None]).sum(2)
    out = torch.einsum("oc,ncp->nop", layer.o.weight[:, :, 0, 0], seen).view_as(x)
    torch.testing.assert_close(layer(x), x + 0.7 * out)


def test_attention_comes_where_the_side_is_reached():
    torch.manual_seed(0)
    g, d = Generator(3, 32, 2, 4, 8, 6, attention=16), Discriminator(3, 32, 2, 4, attention=16)
    sides: list[int] = []
    for net in (g, d):
        (layer,) = (m for m in net.modules() if isinstance(m, Attention))
        layer.register_forward_hook(lambda _, inputs, __: sides.append(inputs[0].shape[2]))
    d(g(torch.randn(2, 8), torch.eye(2)))
    assert sides == [16, 16]
    assert not any(isinstance(m, Attention) for m in Generator(3, 32, 2, 4, 8, 6).modules())


def test_spectral_norm_of_all_but_the_embedding():
    torch.manual_seed(0)
    g, d = Generator(3, 32, 2, 4, 8, 6, attention=16), Discriminator(3, 32, 2, 4, attention=16)
    for net in (g, d):
        for name, layer in net.named_modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                assert hasattr(layer, "parametrizations") == (name != "E"), name


def test_projection():
    torch.manual_seed(0)
    net, x, c = Discriminator(3, 32, 3, 2).eval(), torch.randn(3, 3, 32, 32), torch.eye(3)
    phi = net.blocks(x).relu().sum((2, 3))
    plain = phi @ net.value.weight[0] + net.value.bias
    torch.testing.assert_close(net(x)[0], plain)
    torch.testing.assert_close(net(x, c)[0], plain + (net.embedding.weight.T * phi).sum(1))


def test_statistics_do_not_move_the_spectral_norm():
    net, z, c = _small(), torch.randn(5, 8), torch.eye(5)
    kept = copy.deepcopy(net.state_dict())
    collect_statistics(net, [(z, c)])
    changed = {name.split(".")[-1] for name, value in net.state_dict().items() if not torch.equal(value, kept[name])}
    assert changed == {"mean", "var", "count"}
    net.eval()
    torch.testing.assert_close(net(z, c)[:1], net(z[:1], c[:1]))


def test_half_precision():
    torch.manual_seed(0)
    net, critic = Generator(3, 32, 5, 4, 8, 6, attention=16), Discriminator(3, 32, 5, 4, attention=16)
    z, c = torch.randn(5, 8), torch.eye(5)
    expected = critic(net(z, c), c)[0]
    with torch.autocast("cpu", torch.bfloat16):
        value = critic(net(z, c), c)[0]
        value.float().sum().backward()
    torch.testing.assert_close(value.float(), expected, rtol=0.15, atol=0.15)
