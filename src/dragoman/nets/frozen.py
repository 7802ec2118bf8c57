"""Published networks, frozen: VGG, SqueezeNet, AlexNet, Inception; never trained, nor downloaded unasked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dragoman.data.store import Item, fetch, lookup
from dragoman.errors import UserError
from dragoman.nets import alexnet, inception, squeezenet, vgg

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, for images in [0, 1]."""


class Normalise(nn.Module):
    """Images in [-1, 1] to what a network sees: ((x + 1) / 2 - mean) / std."""

    shift: Tensor
    scale: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("shift", torch.tensor(mean).view(1, 3, 1, 1) * 2 - 1, persistent=False)
        self.register_buffer("scale", torch.tensor(std).view(1, 3, 1, 1) * 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] to the same."""
        return (x - self.shift) / self.scale


class Frozen(nn.Module):
    """A network up to the last layer wanted; no training mode and no gradients of its own, but they reach the input."""

    features: nn.Sequential

    def __init__(self, prepare: nn.Module, features: nn.Sequential, taps: Mapping[str, int],
                 layers: Sequence[str], heads: Mapping[str, nn.Module] | None = None):  # fmt: skip
        """`prepare` takes images in [-1, 1] to the network's own range; `taps` are the places of the layers that can be
        had, `layers` those wanted; `heads` are applied to what comes out of a layer."""
        super().__init__()
        if unknown := set(layers) - set(taps):
            raise ValueError(f"no layer {sorted(unknown)[0]!r}; there is: {', '.join(taps)}")
        self.layers = tuple(layers)
        self._wanted = {taps[name]: name for name in layers}
        self.deepest = self._wanted[max(self._wanted)]
        self.prepare = prepare
        self.features = cast(nn.Sequential, features[: max(self._wanted) + 1])
        self.heads = nn.ModuleDict({name: head for name, head in (heads or {}).items() if name in layers})
        self.requires_grad_(False)
        super().train(False)

    def train(self, mode: bool = True) -> "Frozen":
        """Stays in eval mode."""
        return self

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] in [-1, 1] (one channel is repeated) to the features of `layers`, in their order."""
        h = self.prepare(x.expand(-1, 3, -1, -1))
        found: dict[str, Tensor] = {}
        for number, layer in enumerate(self.features):
            h = layer(h)
            if name := self._wanted.get(number):
                found[name] = self.heads[name](h) if name in self.heads else h
        return [found[name] for name in self.layers]


def _imagenet() -> nn.Module:
    return Normalise(MEAN, STD)


@dataclass(frozen=True)
class Published:
    """A network that can be had, and where its weights may lie."""

    body: Callable[..., nn.Sequential]
    """All its layers."""
    taps: Mapping[str, int]
    """Layers that can be had: name -> place."""
    items: tuple[Item, ...]
    """Files with its weights, the first that is there is taken."""
    source: str = ""
    """Where the last of `items` is published, if that is known."""
    prepare: Callable[[], nn.Module] = _imagenet
    """From [-1, 1] to what it sees."""
    heads: Callable[[], dict[str, nn.Module]] = dict
    """What is applied to the output of a layer."""
    key: Callable[[str], str] = str
    """A parameter's name -> its name in the files."""
    deeper: str = "get the full file"
    """What to do about layers that a file lacks."""


TORCHVISION = "https://download.pytorch.org/models"

PUBLISHED = {
    "squeezenet": Published(
        squeezenet.squeezenet,
        squeezenet.TAPS,
        (Item("weights/squeezenet1_1_fp16.safetensors"), Item("weights/squeezenet1_1-b8a52dc0.pth")),
        TORCHVISION,
    ),
    "alexnet": Published(alexnet.alexnet, alexnet.TAPS, (Item("weights/alexnet-owt-7be5be79.pth"),), TORCHVISION),
    "vgg16": Published(
        partial(vgg.vgg, vgg.VGG16), vgg.taps(vgg.VGG16), (Item("weights/vgg16-397923af.pth"),), TORCHVISION
    ),
    "vgg19": Published(
        partial(vgg.vgg, vgg.VGG19), vgg.taps(vgg.VGG19), (Item("weights/vgg19-dcbb9e9d.pth"),), TORCHVISION
    ),
    # VGG19 of Simonyan and Zisserman (ICLR 2015), each channel scaled to a mean activation of 1 on natural images
    # (Gatys et al., CVPR 2016); padded by reflection. Its file is published nowhere under this name.
    "vgg19_normalised": Published(
        partial(vgg.vgg, vgg.VGG19, padding="reflect"),
        vgg.taps(vgg.VGG19),
        (Item("weights/vgg19_normalised_to_relu3_1.safetensors"),),
        deeper="use vgg19, whose full file is weights/vgg19-dcbb9e9d.pth, or vgg19_distilled",
    ),
    # Not VGG19: a small network that imitates relu1_1, relu2_1 ... relu5_1 of vgg19_normalised, from "Collaborative
    # Distillation" (Wang et al., CVPR 2020; MIT). docs/metrics.md says how the file is made of the published one.
    "vgg19_distilled": Published(
        vgg.distilled,
        vgg.DISTILLED_TAPS,
        (Item("weights/vgg19_distilled16x_enc_relu5_1.safetensors"),),
        prepare=partial(Normalise, (0, 0, 0), (1, 1, 1)),
        heads=vgg.distilled_heads,
        key=vgg.distilled_key,
    ),
    "inception": Published(
        inception.inception,
        inception.TAPS,
        (Item("weights/weights-inception-2015-12-05-6726825d.pth"),),
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0",
        prepare=inception.Prepare,
        key=lambda name: name.removeprefix("features."),
    ),
}
"""The file names are their publishers', who put the first digits of the checksum into them."""


def _network(name: str, layers: Sequence[str] | None, padding: vgg.Padding | None) -> Frozen:
    if name not in PUBLISHED:
        raise ValueError(f"no network {name!r}; there is: {', '.join(PUBLISHED)}")
    published = PUBLISHED[name]
    with torch.random.fork_rng([]):
        features = published.body(padding=padding) if padding else published.body()
        wanted = tuple(published.taps) if layers is None else layers
        return Frozen(published.prepare(), features, published.taps, wanted, published.heads())


def build(name: str, layers: Sequence[str] | None = None, seed: int = 0) -> Frozen:
    """A network with random weights (He et al., 2015), for tests and timings: all its layers, or those named.

    Raises:
        ValueError: an unknown network or layer.
    """
    net = _network(name, layers, None)
    generator = torch.Generator().manual_seed(seed)
    for key, parameter in net.named_parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:  # a norm's scale, else a bias
            nn.init.constant_(parameter, float(key.endswith("weight")))
    return _assign(net, net.state_dict())


def missing(name: str) -> str:
    """In words what is missing to use a network; empty if its weights are here."""
    items = PUBLISHED[name].items
    return "" if any(map(lookup, items)) else f"the weights of {name}: put {items[-1].name} into $DRAGOMAN_DATA"


def frozen(
    name: str, layers: Sequence[str] | None = None, padding: vgg.Padding | None = None, instead: str = ""
) -> Frozen:
    """A network with its published weights, only as deep as needed, in channels_last.

    Args:
        name: One of PUBLISHED.
        layers: Those wanted, in this order; None for all.
        padding: zeros or reflect, of the convolutions of a VGG; None for what it was trained with.
        instead: The option of another network, for the message where the file is at no fixed address.

    Raises:
        UserError: the weights are not on this machine or do not reach the layers; says what to put where.
        ValueError: an unknown network or layer.
    """
    net = _network(name, layers, padding)
    published = PUBLISHED[name]
    path = next((found for item in published.items if (found := lookup(item))), None)
    if path is None:
        try:
            path = fetch(published.items[-1])
        except UserError as error:
            file = Path(published.items[-1].name).name
            if published.source:
                raise UserError(f"{error}; published as {published.source}/{file}") from None
            raise UserError(f"{error}; docs/metrics.md says where it is from" + (instead and f"; or take {instead}")
                            ) from None  # fmt: skip
    state = _read(path)
    wanted = {key: published.key(key) for key in net.state_dict() if not key.endswith("num_batches_tracked")}
    if lacking := sorted(file_key for file_key in wanted.values() if file_key not in state):
        raise UserError(f"{path} has no {lacking[0]}, which {name} needs for {net.deepest}; {published.deeper}")
    return _assign(net, {key: state[file_key] for key, file_key in wanted.items()})


@lru_cache
def shared(name: str, device: torch.device) -> Frozen:
    """One copy for all losses on a device: relu1_1 ... relu5_1 of a network, which no method owns, saves or trains.

    Args:
        name: One of PUBLISHED with these layers; random is the small VGG19 with random weights, for tests.
        device: Where it works.

    Raises:
        UserError: as `frozen`.
    """
    layers = [f"relu{block}_1" for block in range(1, 6)]
    net = build("vgg19_distilled", layers) if name == "random" else frozen(name, layers, instead="--method.vgg vgg19")
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _assign(net: Frozen, state: Mapping[str, Tensor]) -> Frozen:
    """With weights in channels_last; published ones may be rounded to 16 bits."""
    last = {k: v.float().contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in state.items()}
    net.load_state_dict(last, strict=False, assign=True)
    return net


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, SafetensorError, UnpicklingError):
        raise UserError(f"{path}: damaged, or more than weights; replace the file") from None
