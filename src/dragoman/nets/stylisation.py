"""What feed-forward style transfer stands on: relu1_1 ... relu5_1 of VGG19, and decoders that mirror it."""

import math
from collections.abc import Iterable
from typing import Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.data.batch import Task
from dragoman.nets import vgg
from dragoman.nets.frozen import PUBLISHED, frozen
from dragoman.nn.init import gaussian

Network = Literal["vgg19", "vgg19_normalised", "vgg19_distilled", "random"]
"""Encoders; vgg19_normalised is published to relu3_1; random is the distilled one with random weights, for tests."""

MEANS = (4, 8, 5, 2, 4)
"""Mean activations of the distilled encoder at relu1_1 ... relu5_1 on photographs of streets.

Its features are divided by them. Those of the normalised VGG19 have a mean of 1, so weights of losses carry over.
"""


class Encoder(nn.Module):
    """relu1_1, relu2_1 ... of VGG19 or of its small imitation, padded by reflection; random until `load_published`."""

    def __init__(self, network: Network, depth: int):
        """`depth` is the last level: 4 for relu4_1."""
        super().__init__()
        self.network = "vgg19_distilled" if network == "random" else network
        small = self.network == "vgg19_distilled"
        body = vgg.distilled() if small else vgg.vgg(vgg.VGG19[:depth], "reflect")
        taps = vgg.DISTILLED_TAPS if small else vgg.taps(vgg.VGG19)
        self.ends = [taps[f"relu{level}_1"] for level in range(1, depth + 1)]
        self.scales = MEANS if network == "vgg19_distilled" else (1,) * 5
        self.prepare = PUBLISHED[self.network].prepare()
        self.features: nn.Sequential = cast(nn.Sequential, body[: self.ends[-1] + 1])
        self.widths = [cast(nn.Conv2d, body[end - 1]).out_channels for end in self.ends]
        gaussian(self.features, std=None)

    def load_published(self) -> None:
        """Copy the published weights.

        Raises:
            UserError: they are not on this machine or do not reach as deep; says what to put where.
        """
        net = frozen(self.network, [f"relu{len(self.ends)}_1"], instead="--method.encoder vgg19")
        self.features.load_state_dict(net.features.state_dict())

    def forward(self, x: Tensor, depth: int | None = None) -> list[Tensor]:
        """[N, 1 or 3, H, W] in [-1, 1] to relu1_1 ... relu{depth}_1; all levels if not given."""
        h = self.prepare(x.expand(-1, 3, -1, -1))
        found: list[Tensor] = []
        for number, layer in enumerate(self.upto(depth or len(self.ends))):
            h = layer(h)
            if number in self.ends:
                found.append(h / self.scales[len(found)])
        return found

    def upto(self, level: int) -> nn.Sequential:
        """The layers to relu{level}_1, which a decoder mirrors."""
        return cast(nn.Sequential, self.features[: self.ends[level - 1] + 1])


class Decoder(nn.Sequential):
    """An encoder's 3x3 convolutions in reverse, padded by reflection; nearest upsampling for each pooling; no norm.

    ReLU follows every convolution but the last, which gives the image.
    """

    def __init__(self, encoder: Iterable[nn.Module], channels: int):
        body: list[nn.Module] = []
        for layer in reversed(list(encoder)):
            if isinstance(layer, nn.MaxPool2d):
                body.append(nn.Upsample(scale_factor=2))
            elif isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
                body += [_conv(layer.out_channels, layer.in_channels), nn.ReLU(True)]
        super().__init__(*body[:-2], _conv(cast(nn.Conv2d, body[-2]).in_channels, channels))


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


def enlarged(x: Tensor, factor: int) -> Tensor:
    """[N, C, H, W] to `factor` times the height and width, bilinearly."""
    if factor == 1:
        return x
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def shrunk(x: Tensor, factor: int) -> Tensor:
    """The inverse: each pixel the mean of factor x factor, so that nothing aliases."""
    return F.avg_pool2d(x, factor) if factor > 1 else x


def stride(enlarge: int, depth: int) -> int:
    """What height and width must be multiples of, for enlarged images to be halved depth - 1 times."""
    return 2 ** (depth - 1) // math.gcd(2 ** (depth - 1), enlarge)


def smallest(enlarge: int, depth: int) -> int:
    """The least height and width: reflection needs two cells at the last level."""
    return max(16, -(-(2**depth) // enlarge))


def check_size(task: Task, enlarge: int, depth: int) -> None:
    """Raise ValueError unless images of the task go through the encoder and back to their size."""
    least, step = smallest(enlarge, depth), stride(enlarge, depth)
    if task.size % step or task.size < least:
        raise ValueError(
            f"size {task.size} must be a multiple of {step} and at least {least} "
            f"for relu{depth}_1 and enlarge {enlarge}"
        )
