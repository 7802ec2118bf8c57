"""The U-Net of pix2pix against its published layers, and a small one written out."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nets.unet import UNet
from dragoman.nn.norm import InstanceNorm

CODE = [64, 128, 256, 512, 512, 512, 512, 512]


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_published_layers():
    """C64-C128-C256-C512 x 5; CD512-CD1024-CD1024-C1024-C1024-C512-C256-C128, after joining (paper, 6.1.1)."""
    net, shapes = UNet(3, 3, 64, 8, 3), []
    for layer in [*net.down, *net.up]:
        layer.register_forward_hook(lambda _, __, y: shapes.append((y.shape[1], y.shape[2])))
    with torch.no_grad():
        net(torch.zeros(1, 3, 256, 256))
    sizes = [2**k for k in range(7, -1, -1)]
    assert shapes[:8] == list(zip(CODE, sizes, strict=True))
    assert shapes[8:] == list(zip([*CODE[-2::-1], 3], [2 * size for size in reversed(sizes)], strict=True))
    joined = [m.in_channels for m in net.up.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert joined == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    for conv in (m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)):
        assert (conv.kernel_size, conv.stride, conv.padding) == ((4, 4), (2, 2), (1, 1))


def test_published_number_of_parameters():
    """54.4 million."""
    wide = [3, *CODE]
    convs = 16 * sum(a * b for a, b in zip(wide, CODE, strict=False))
    ups = 16 * (512 * 512 + 3 * 1024 * 512 + 1024 * 256 + 512 * 128 + 256 * 64 + 128 * 3)
    norms = 2 * (sum(CODE[1:-1]) + sum(CODE[:-1]))
    biases = 64 + 512 + 3  # where no norm follows
    assert count(UNet(3, 3, 64, 8, 3)) == convs + ups + norms + biases == 54_414_531


@pytest.mark.parametrize("dropouts", [0, 1, 3])
def test_dropout_is_in_the_first_layers_of_the_decoder(dropouts):
    net = UNet(3, 3, 2, 5, dropouts)
    assert [any(isinstance(m, nn.Dropout) for m in layer) for layer in net.up] == [k < dropouts for k in range(5)]
    assert not any(isinstance(m, nn.Dropout) for m in net.down.modules())
    assert all(m.p == 0.5 for m in net.modules() if isinstance(m, nn.Dropout))
    assert not any(isinstance(m, nn.Dropout) for m in UNet(3, 3, 2, 2, 9).up[-1])


def test_dropout_is_the_only_noise_and_of_training_only():
    torch.manual_seed(0)
    net, x = UNet(3, 2, 4, 3, 1), torch.randn(1, 3, 16, 16)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))
    still = UNet(3, 2, 4, 3, 0)
    assert torch.equal(still(x), still(x))


def test_no_norm_on_the_first_conv_the_innermost_and_the_last():
    net = UNet(3, 2, 4, 4, 0)
    normed = [any(isinstance(m, InstanceNorm) for m in layer.modules()) for layer in [*net.down, *net.up]]
    assert normed == [False, True, True, False, True, True, True, False]
    for layer, norm in zip([*net.down, *net.up], normed, strict=True):
        (conv,) = (m for m in layer.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
        assert (conv.bias is None) == norm


def test_three_levels_written_out():
    torch.manual_seed(0)
    net = UNet(1, 2, 2, 3, 0)
    for p in net.parameters():
        nn.init.normal_(p, 0.1, 0.5)
    x = torch.randn(2, 1, 16, 24)

    def conv(layer, h):
        return F.conv2d(F.leaky_relu(h, 0.2), layer[1].weight, layer[1].bias, 2, 1)

    def up(layer, h):
        return F.conv_transpose2d(F.relu(h), layer[1].weight, layer[1].bias, 2, 1)

    def norm(layer, h):
        return F.instance_norm(h, weight=layer[2].weight, bias=layer[2].bias)

    one = F.conv2d(x, net.down[0].weight, net.down[0].bias, 2, 1)
    two = norm(net.down[1], conv(net.down[1], one))
    three = conv(net.down[2], two)
    back = norm(net.up[0], up(net.up[0], three))
    further = norm(net.up[1], up(net.up[1], torch.cat([back, two], 1)))
    torch.testing.assert_close(net(x), up(net.up[2], torch.cat([further, one], 1)), rtol=1e-4, atol=1e-5)


def test_one_pixel_in_the_middle_still_says_something():
    """IN there would make it 0 (the paper's errata)."""
    torch.manual_seed(0)
    net = UNet(1, 1, 4, 3, 0).eval()
    inner = []
    net.down[-1].register_forward_hook(lambda _, __, y: inner.append(y))
    net(torch.randn(2, 1, 8, 8))
    assert inner[0].shape[2:] == (1, 1) and not torch.allclose(inner[0][0], inner[0][1])


def test_a_single_level():
    assert UNet(3, 2, 4, 1, 3)(torch.zeros(1, 3, 6, 8)).shape == (1, 2, 6, 8)
