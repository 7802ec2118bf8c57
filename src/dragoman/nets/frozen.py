"""Published networks, frozen: VGG, SqueezeNet 1.1 and AlexNet; weights are never trained, nor downloaded unasked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dragoman.data.store import Item, fetch, lookup
from dragoman.errors import UserError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, for images in [0, 1]."""


class Frozen(nn.Module):
    """A network up to the last layer wanted; no training mode and no gradients of its own, but they reach the input."""

    features: nn.Sequential
    shift: Tensor
    scale: Tensor

    def __init__(self, features: nn.Sequential, taps: Mapping[str, int], layers: Sequence[str]):
        super().__init__()
        if unknown := set(layers) - set(taps):
            raise ValueError(f"no layer {sorted(unknown)[0]!r}; there is: {', '.join(taps)}")
        self.layers = tuple(layers)
        self._wanted = {taps[name]: name for name in layers}
        self.features = nn.Sequential(*list(features)[: max(self._wanted) + 1])
        # Images in [-1, 1] to what ImageNet's networks see: ((x + 1) / 2 - mean) / std.
        self.register_buffer("shift", torch.tensor(MEAN).view(1, 3, 1, 1) * 2 - 1, persistent=False)
        self.register_buffer("scale", torch.tensor(STD).view(1, 3, 1, 1) * 2, persistent=False)
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> "Frozen":
        """Stays in eval mode."""
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] in [-1, 1] (one channel is repeated) to the features of `layers`, in their order."""
        h = (x.expand(-1, 3, -1, -1) - self.shift) / self.scale
        found: dict[str, Tensor] = {}
        for number, layer in enumerate(self.features):
            h = layer(h)
            if number in self._wanted:
                found[self._wanted[number]] = h
        return [found[name] for name in self.layers]


class Fire(nn.Module):
    """SqueezeNet's block: 1x1 to few channels, then 1x1 and 3x3 side by side."""

    def __init__(self, channels: int, squeeze: int, expand: int):
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, 2 expand, H, W]."""
        h = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(h).relu(), self.expand3x3(h).relu()], 1)


def _squeezenet() -> nn.Sequential:
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool, Fire(64, 16, 64), Fire(128, 16, 64), pool, Fire(128, 32, 128),
        Fire(256, 32, 128), pool, Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip


def _alexnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(),
    )  # fmt: skip


VGG16, VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
"""Convolutions of each of the five blocks."""


def _vgg(blocks: Sequence[int], padding: Literal["zeros", "reflect"] = "zeros") -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for block, count in enumerate(blocks):
        width = min(64 * 2**block, 512)
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


def _vgg_taps(blocks: Sequence[int]) -> dict[str, int]:
    """relu1_1, relu1_2 ... to their places."""
    places, place = {}, 0
    for block, count in enumerate(blocks, 1):
        for number in range(1, count + 1):
            places[f"relu{block}_{number}"] = place + 1
            place += 2
        place += 1  # the pooling
    return places


@dataclass(frozen=True)
class Published:
    """A network that can be had, and where its weights may lie."""

    taps: Mapping[str, int]
    """Layers to tap: name -> place in the torchvision layout."""
    items: tuple[Item, ...]
    """Files with its weights, the first that is there is taken."""


PUBLISHED = {
    "squeezenet": Published(
        {"relu1": 1, "fire3": 4, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12},
        (Item("weights/squeezenet1_1_fp16.safetensors"), Item("weights/squeezenet1_1-b8a52dc0.pth")),
    ),
    "alexnet": Published(
        {"relu1": 1, "relu2": 4, "relu3": 7, "relu4": 9, "relu5": 11}, (Item("weights/alexnet-owt-7be5be79.pth"),)
    ),
    "vgg16": Published(_vgg_taps(VGG16), (Item("weights/vgg16-397923af.pth"),)),
    "vgg19": Published(_vgg_taps(VGG19), (Item("weights/vgg19-dcbb9e9d.pth"),)),
    # Each channel scaled to a mean activation of 1, down to relu3_1; trained with padding by reflection.
    "vgg19_normalised": Published(_vgg_taps(VGG19), (Item("weights/vgg19_normalised_to_relu3_1.safetensors"),)),
}
"""The file names are those of the publishers: torchvision's .pth files, with the first digits of their checksum."""


def build(name: str, layers: Sequence[str] | None = None) -> Frozen:
    """A network with fresh weights: all its layers that can be tapped, or those named.

    Raises:
        ValueError: an unknown network or layer.
    """
    if name not in PUBLISHED:
        raise ValueError(f"no network {name!r}; there is: {', '.join(PUBLISHED)}")
    bodies = {
        "squeezenet": _squeezenet,
        "alexnet": _alexnet,
        "vgg16": lambda: _vgg(VGG16),
        "vgg19": lambda: _vgg(VGG19),
        "vgg19_normalised": lambda: _vgg(VGG19, "reflect"),
    }
    taps = PUBLISHED[name].taps
    return Frozen(bodies[name](), taps, tuple(taps) if layers is None else layers)


def missing(name: str) -> str:
    """In words what is missing to use a network; empty if its weights are here."""
    items = PUBLISHED[name].items
    return "" if any(map(lookup, items)) else f"the weights of {name}: put {items[-1].name} into $DRAGOMAN_DATA"


def frozen(name: str, layers: Sequence[str] | None = None) -> Frozen:
    """A network with its published weights, channels_last.

    Raises:
        UserError: the weights are not on this machine or do not reach the layers; says what to put where.
    """
    net = build(name, layers)
    items = PUBLISHED[name].items
    path = next((found for item in items if (found := lookup(item))), None) or fetch(items[-1])
    state = _read(path)
    wanted = net.state_dict()
    if lacking := wanted.keys() - state.keys():
        raise UserError(f"{path} has no {sorted(lacking)[0]}, which {name} needs for {', '.join(net.layers)}; "
                        "ask for earlier layers or get the full file")  # fmt: skip
    net.load_state_dict({key: state[key].float() for key in wanted})
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, UnpicklingError):
        raise UserError(f"{path}: damaged, or more than weights; replace the file") from None
