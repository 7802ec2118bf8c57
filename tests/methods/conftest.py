"""What the tests of several methods share."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dragoman.data.batch import Batch


@pytest.fixture
def layer_table() -> Callable[..., list[str]]:
    """(network, *inputs) -> a line per convolution or linear layer in the order of execution.

    A line reads "conv KERNEL sSTRIDE pPADDING IN-OUT @HEIGHT of the output", "up ..." if transposed, "fc IN-OUT".
    """

    def table(net: nn.Module, *inputs: torch.Tensor) -> list[str]:
        lines: list[str] = []

        def record(layer, _, out):
            if isinstance(layer, nn.Linear):
                lines.append(f"fc {layer.in_features}-{layer.out_features}")
                return
            for pair in (layer.kernel_size, layer.stride, layer.padding, out.shape[2:]):
                assert pair[0] == pair[1]
            kind = "up" if isinstance(layer, nn.ConvTranspose2d) else "conv"
            lines.append(
                f"{kind} {layer.kernel_size[0]} s{layer.stride[0]} p{layer.padding[0]} "
                f"{layer.in_channels}-{layer.out_channels} @{out.shape[2]}"
            )

        layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)]
        handles = [layer.register_forward_hook(record) for layer in layers]
        with torch.no_grad():
            net(*inputs)
        for handle in handles:
            handle.remove()
        return lines

    return table


@pytest.fixture
def batch() -> Callable[[bool], Batch]:
    """(exclusive) -> five images 16 x 16 of three domains, of which no two neighbours have the same label."""

    def make(exclusive: bool) -> Batch:
        generator = torch.Generator().manual_seed(11)
        images = torch.rand(5, 3, 16, 16, generator=generator) * 2 - 1
        codes = torch.eye(3)[[0, 1, 2, 0, 1]]
        if not exclusive:
            codes = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1.0]])
        return Batch(image=images, label=codes)

    return make
