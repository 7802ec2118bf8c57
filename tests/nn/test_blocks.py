"""Residual blocks against their formulas, and the initial weights."""

import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nn.blocks import CINResBlock, ResBlock
from dragoman.nn.init import gaussian
from dragoman.nn.norm import InstanceNorm


def test_residual_block():
    torch.manual_seed(0)
    block, x = ResBlock(4), torch.randn(2, 4, 5, 7)
    for norm in (block.norm1, block.norm2):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    y = F.conv2d(x, block.conv1.weight, padding=1)
    y = F.relu(F.instance_norm(y, weight=block.norm1.weight, bias=block.norm1.bias))
    y = F.instance_norm(F.conv2d(y, block.conv2.weight, padding=1), weight=block.norm2.weight, bias=block.norm2.bias)
    torch.testing.assert_close(block(x), x + y)


def test_conditional_residual_block():
    torch.manual_seed(0)
    block, x = CINResBlock(4), torch.randn(2, 4, 5, 7)
    gamma, beta = [torch.randn(2, 4) for _ in range(2)], [torch.randn(2, 4) for _ in range(2)]
    y = F.instance_norm(F.conv2d(x, block.conv1.weight, padding=1))
    y = F.relu(y * gamma[0][:, :, None, None] + beta[0][:, :, None, None])
    y = F.instance_norm(F.conv2d(y, block.conv2.weight, padding=1))
    y = y * gamma[1][:, :, None, None] + beta[1][:, :, None, None]
    torch.testing.assert_close(block(x, gamma, beta), x + y)


def test_gaussian_weights_zero_biases_and_norms_untouched():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(8, 64, 5), nn.ConvTranspose2d(64, 32, 4), nn.Linear(64, 128), InstanceNorm(9))
    gaussian(net)
    for layer in net[:3]:
        assert abs(layer.weight.mean().item()) < 0.001
        assert abs(layer.weight.std().item() - 0.02) < 0.001
        assert torch.equal(layer.bias, torch.zeros_like(layer.bias))
    assert torch.equal(net[3].weight, torch.ones(9)) and torch.equal(net[3].bias, torch.zeros(9))


def test_gaussian_weights_that_keep_the_scale_of_a_signal():
    torch.manual_seed(0)
    net = gaussian(nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU()), std=None)
    for layer in (net[0], net[2]):
        assert abs(layer.weight.std().item() - (2 / 512) ** 0.5) < 0.001
    assert 0.8 < net(torch.randn(64, 512)).square().mean().item() < 1.2
