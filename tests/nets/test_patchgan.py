"""The discriminator of pix2pix, with a scale and shift in its norms; CycleGAN's is in test_cyclegan_method.py."""

import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nets.patchgan import PatchGAN


def test_published_number_of_parameters():
    """70 x 70, source and target of three channels each: 2.77 million."""
    net = PatchGAN(6, 64, 3, affine=True)
    weights = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512)
    norms = 2 * (128 + 256 + 512)
    assert sum(p.numel() for p in net.parameters()) == weights + norms + 64 + 1 == 2_768_705
    assert [m.bias is None for m in net if isinstance(m, nn.Conv2d)] == [False, True, True, True, False]
    assert net(torch.zeros(1, 6, 256, 256)).shape == (1, 1, 30, 30)


def test_one_layer_written_out():
    torch.manual_seed(0)
    net, x = PatchGAN(2, 3, 1, affine=True), torch.randn(2, 2, 16, 16)
    for p in net.parameters():
        nn.init.normal_(p, 0.1, 0.5)
    first, conv, norm, last = net[0], net[2], net[3], net[5]
    h = F.leaky_relu(F.conv2d(x, first.weight, first.bias, 2, 1), 0.2)
    h = F.instance_norm(F.conv2d(h, conv.weight, None, 1, 1), weight=norm.weight, bias=norm.bias)
    y = F.conv2d(F.leaky_relu(h, 0.2), last.weight, last.bias, 1, 1)
    torch.testing.assert_close(net(x), y, rtol=1e-4, atol=1e-5)
