"""VGG16 and VGG19 (Simonyan and Zisserman, 2015) in the layout of torchvision, and a small imitation of VGG19."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import nn

VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
"""Convolutions of each of the five blocks."""

Padding = Literal["zeros", "reflect"]


def vgg(blocks: Sequence[int], padding: Padding = "zeros") -> nn.Sequential:
    """The convolutions: 14,714,688 parameters of VGG16, 20,024,384 of VGG19."""
    layers: list[nn.Module] = []
    channels = 3
    for block, count in enumerate(blocks):
        width = min(64 * 2**block, 512)
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding), nn.ReLU(True)]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def taps(blocks: Sequence[int]) -> dict[str, int]:
    """relu1_1, relu1_2 ... -> place."""
    places, place = {}, 0
    for block, count in enumerate(blocks, 1):
        for number in range(1, count + 1):
            places[f"relu{block}_{number}"] = place + 1
            place += 2
        place += 1  # the pooling
    return places


SMALL = (2, 2, 4, 4, 1)
"""Convolutions of each block of the small encoder."""


def distilled() -> nn.Sequential:
    """The 16 times smaller encoder of Wang et al. (CVPR 2020): conv1_1 to conv5_1."""
    layers: dict[str, nn.Module] = {"conv0": nn.Conv2d(3, 3, 1)}
    channels = 3
    for block, count in enumerate(SMALL, 1):
        width = min(8 * 2**block, 128)
        for number in range(1, count + 1):
            layers[f"conv{block}{number}"] = nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect")
            layers[f"relu{block}{number}"] = nn.ReLU(True)
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2, 2)
    return nn.Sequential(OrderedDict(layers))


def distilled_heads() -> dict[str, nn.Module]:
    """Maps of its layers to the channels of VGG19's relu1_1 ... relu5_1."""
    widths = {block: (min(8 * 2**block, 128), min(32 * 2**block, 512)) for block in range(1, 6)}
    return {f"relu{block}_1": nn.Sequential(nn.Conv2d(i, o, 1), nn.ReLU(True)) for block, (i, o) in widths.items()}


DISTILLED_TAPS = {"relu1_1": 2, "relu2_1": 7, "relu3_1": 12, "relu4_1": 21, "relu5_1": 30}
"""Layers of the small encoder that imitate VGG19's: name -> place."""


def distilled_key(key: str) -> str:
    """A parameter's name in the file: of features.conv11.bias conv11.bias, of heads.relu1_1.0.bias conv11_aux.bias."""
    kind, layer, *rest = key.split(".")
    layer = layer.removeprefix("relu").replace("_", "")
    return f"conv{layer}_aux.{rest[-1]}" if kind == "heads" else f"{layer}.{rest[-1]}"
