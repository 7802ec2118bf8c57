"""Initial weights."""

from torch import nn


def gaussian(module: nn.Module, std: float | None = 0.02) -> nn.Module:
    """Draw the weights of every convolution and linear layer from N(0, std), biases 0; norms keep scale 1, shift 0.

    Args:
        module: Initialised in place and returned.
        std: None for sqrt(2 / fan-in) (He et al. 2015), which keeps the scale of a signal through ReLUs.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if std is None:
                nn.init.kaiming_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, 0.0, std)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module
