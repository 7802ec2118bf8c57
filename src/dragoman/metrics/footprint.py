"""What a network costs: its parameters and its arithmetic (cross-granularity Table 6)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Footprint:
    """The cost of a network at a size."""

    parameters: int
    mebibytes: float
    """Of the parameters in float32; Table 6 counts generators and discriminators of a whole system."""
    multiply_adds: int
    """Of convolutions, matrix products and attention in one pass; norms and activations are left out."""


def parameters(*nets: nn.Module) -> int:
    """Parameters of networks, shared ones counted once."""
    return sum({p: p.numel() for net in nets for p in net.parameters()}.values())


def footprint(net: nn.Module, *inputs: Tensor) -> Footprint:
    """Cost of `net(*inputs)`, by one pass in eval mode; the network is left as it was.

    Example: `footprint(translator.core, x, c, s)` with one image.

    Args:
        net: The network.
        inputs: What it takes; the cost is of the whole batch.
    """
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(*inputs)
    finally:
        for module, training in modes.items():
            module.training = training
    count = parameters(net)
    return Footprint(count, count * 4 / 2**20, counter.get_total_flops() // 2)
