"""Initial weights."""

from torch import nn


def gaussian(module: nn.Module, std: float = 0.02) -> nn.Module:
    """Draw the weights of every convolution and linear layer from N(0, std), biases 0; norms keep scale 1, shift 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
