"""WGAN-GP's networks for digits: layers, counts, initial weights, the label."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.wgan_mnist import Critic, Doubling, Generator
from dragoman.nets.wgan_resnet import conditional_from


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_counts():
    def conv(i, o):
        return 25 * i * o + o

    assert count(Generator()) == (128 * 4096 + 4096) + conv(256, 128) + conv(128, 64) + conv(64, 1) == 1_554_177
    assert count(Generator(z_dim=16)) == count(Generator()) - 112 * 4096
    assert count(Generator(z_dim=16, classes=10)) == count(Generator()) - 102 * 4096
    assert count(Critic()) == conv(1, 64) + conv(64, 128) + conv(128, 256) + 4096 == 1_030_144
    assert count(Critic(classes=10)) == count(Critic()) + 4096 * 10 + 10


def test_layers_of_the_generator():
    """4 x 4, 8 x 8 cropped to 7 x 7, 14 x 14, 28 x 28; every layer written out as a zero-stuffed convolution."""
    torch.manual_seed(0)
    net, z = Generator(width=3, z_dim=5), torch.randn(2, 5)

    def twice(layer, x):
        stuffed = torch.zeros(*x.shape[:2], 2 * x.shape[2] + 4, 2 * x.shape[3] + 4)
        stuffed[:, :, 2:-2:2, 2:-2:2] = x
        return F.conv2d(stuffed, layer.weight.transpose(0, 1).flip(2, 3), layer.bias)

    h = net.input(z).relu().view(2, 12, 4, 4)
    h = twice(net.up1, h).relu()
    assert h.shape == (2, 6, 8, 8)
    h = twice(net.up2, h[:, :, :7, :7]).relu()
    assert h.shape == (2, 3, 14, 14)
    torch.testing.assert_close(net(z), twice(net.up3, h).tanh())
    assert net(z).shape == (2, 1, 28, 28)
    assert (net.z_dim, net.size, net.channels) == (5, 28, 1)


def test_layers_of_the_critic():
    torch.manual_seed(0)
    net, x = Critic(3, 4, 10), torch.randn(2, 3, 28, 28)
    h = x
    for layer, side in zip((net.convs[0], net.convs[2], net.convs[4]), (14, 7, 4), strict=True):
        h = F.leaky_relu(F.conv2d(h, layer.weight, layer.bias, stride=2, padding=2), 0.2)
        assert h.shape[2:] == (side, side)
    value, logits = net(x)
    torch.testing.assert_close(value, (h.flatten(1) @ net.value.weight.T)[:, 0])
    torch.testing.assert_close(logits, net.aux(h.flatten(1)))
    assert value.shape == (2,) and logits.shape == (2, 10) and Critic(3, 4)(x)[1] is None


def test_initial_weights_keep_the_scale_of_a_signal():
    """He's variance, with the fan of each side as strided: 4 / (256 * 25 / 4 + 128 * 25) from 256 channels to 128."""
    torch.manual_seed(0)
    g, d = Generator(), Critic()
    for weight, square in (
        (g.up1.weight, 12 / (256 * 25 / 4 + 128 * 25)), (d.convs[4].weight, 12 / (128 * 25 + 256 * 25 / 4)),
        (g.input.weight, 6 / (128 + 4096)), (d.value.weight, 6 / (4096 + 1)),
    ):  # fmt: skip
        assert weight.abs().max().item() == pytest.approx(square**0.5, rel=0.01)
        assert weight.var().item() == pytest.approx(square / 3, rel=0.05)
    assert 0.1 < g(torch.randn(64, 128)).std() < 0.9


def test_the_label_is_appended_to_z():
    torch.manual_seed(0)
    net, z, c = Generator(width=2, z_dim=4, classes=3), torch.randn(3, 4), torch.eye(3)
    plain = Generator(width=2, z_dim=7)
    plain.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(z, c), plain(torch.cat([z, c], 1)))
    torch.testing.assert_close(plain(torch.cat([z, c], 1), c), plain(torch.cat([z, c], 1)))
    with pytest.raises(ValueError, match="needs a code c"):
        net(z)


def test_conditional_from_unconditional():
    torch.manual_seed(0)
    source, net, z = Generator(width=2, z_dim=4), Generator(width=2, z_dim=4, classes=3), torch.randn(5, 4)
    random = net.input.weight[:, 4:].clone()
    conditional_from(source.state_dict(), net, "concat")
    assert torch.equal(net.input.weight[:, 4:], random)
    torch.testing.assert_close(net(z, torch.zeros(5, 3)), source(z))


def test_gradient_penalty_reaches_every_weight():
    torch.manual_seed(0)
    critic, real, fake = Critic(width=4), torch.rand(4, 1, 28, 28), torch.rand(4, 1, 28, 28)
    gradient_penalty(lambda x: critic(x)[0], real, fake).backward()
    weights = [p for name, p in critic.named_parameters() if name.endswith("weight")]
    assert len(weights) == 4 and all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)


def test_doubling_is_the_transposed_conv():
    torch.manual_seed(0)
    layer, x = Doubling(3, 2), torch.randn(4, 3, 7, 5)
    expected = F.conv_transpose2d(x, layer.weight, layer.bias, 2, 2, 1)
    torch.testing.assert_close(layer(x), expected, rtol=1e-5, atol=1e-6)
