"""SegNet (Badrinarayanan et al., 2017) in halves that can be mixed: thesis A.3.1, Tables A.3 to A.6."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nets import vgg
from dragoman.nets.frozen import MEAN, STD, Normalise, frozen

Side = Literal["indices", "skip", "none"]
"""What a decoder is given beside the latent code: pooling indices, features before each pooling, or nothing."""

Start = Literal["vgg16", "vgg19_distilled", "random"]
"""Where the RGB encoder's weights are from: VGG16, as published; the small imitation of VGG19; random weights."""

Code = tuple[Tensor, list[Tensor]]
"""The latent code [N, C, h, w], and the side information of each pooling, the finest first."""


def widths(width: int, count: int) -> list[int]:
    """Channels of each block: doubling up to 8 times the first."""
    return [width * min(2**block, 8) for block in range(count)]


class Encoder(nn.Module):
    """Blocks of convs 3x3, each followed by max pooling (Table A.3)."""

    def __init__(self, blocks: Sequence[nn.Module], side: Side, prepare: nn.Module | None = None):
        """`prepare` takes images in [-1, 1] to the range of the first conv."""
        super().__init__()
        self.prepare = prepare or nn.Identity()
        self.blocks = nn.ModuleList(blocks)
        self.side = side

    def forward(self, x: Tensor) -> Code:
        """[N, C, H, W] to its code at H / 2^blocks and W / 2^blocks, of which H and W must be multiples."""
        levels, side = self.levels(x)
        return levels[-1], side

    def levels(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What comes out of each pooling, the code last; and the side information."""
        h, levels, side = self.prepare(x), [], []
        for block in self.blocks:
            h = block(h)
            if self.side == "skip":
                side.append(h)
            h, indices = F.max_pool2d(h, 2, return_indices=True)
            if self.side == "indices":
                side.append(indices)
            levels.append(h)
        return levels, side


def _conv(channels: int, out: int) -> list[nn.Module]:
    """Without a bias, which the norm would remove."""
    return [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True)]


def encoder(channels: int, width: int, blocks: Sequence[int], side: Side) -> Encoder:
    """The encoder of depth, near infrared or segmentation: every conv with batch norm and ReLU.

    Args:
        channels: Of the input.
        width: Channels of the first block; published: 64.
        blocks: Convolutions of each block; published: 2, 2, 3, 3, 3.
        side: What is kept for the decoder.
    """
    made = []
    for out, count in zip(widths(width, len(blocks)), blocks, strict=True):
        inputs = [channels, *[out] * (count - 1)]
        made.append(nn.Sequential(*(layer for i in inputs for layer in _conv(i, out))))
        channels = out
    return Encoder(made, side)


def colour_encoder(start: Start, width: int, blocks: Sequence[int], side: Side) -> Encoder:
    """The encoder of RGB. One that starts from a VGG has its layers, without batch norm (A.3.1), and sees what it saw.

    Its weights are random until `load_published`.

    Args:
        start: Which VGG; the layers of vgg19_distilled are its own, of another width and depth.
        width, blocks, side: As for `encoder`.
    """
    if start == "random":
        return encoder(3, width, blocks, side)
    body = vgg.distilled() if start == "vgg19_distilled" else vgg.vgg(vgg.VGG16)
    parts: list[list[nn.Module]] = [[]]
    for layer in body:
        if isinstance(layer, nn.MaxPool2d):
            parts.append([])
        else:
            parts[-1].append(layer)
    prepare = Normalise((0, 0, 0), (1, 1, 1)) if start == "vgg19_distilled" else Normalise(MEAN, STD)
    return Encoder([nn.Sequential(*part) for part in parts[: len(blocks)]], side, prepare)


def load_published(net: Encoder, start: Start) -> None:
    """Give an encoder of RGB the weights of its VGG.

    Raises:
        UserError: they are not on this machine.
    """
    layer = "relu5_1" if start == "vgg19_distilled" else "relu5_3"
    features = frozen(start, [layer], instead="--method.start random").features
    convs, theirs = ([m for m in body.modules() if isinstance(m, nn.Conv2d)] for body in (net.blocks, features))
    for mine, other in zip(convs, theirs, strict=False):  # it may be as deep as ours or deeper
        mine.load_state_dict(other.state_dict())


class Decoder(nn.Module):
    """The decoder of depth, near infrared and segmentation (Table A.4): the encoder mirrored, unpooling for pooling.

    Every conv but the last has batch norm and ReLU. With skip connections an enlarged code is joined by the features
    of its size; with them, or with no side information, unpooling is replaced by the nearest neighbour.

    Args:
        channels: Of the output.
        width, blocks, side: As for `encoder`.
    """

    def __init__(self, channels: int, width: int, blocks: Sequence[int], side: Side):
        super().__init__()
        self.side = side
        wide = widths(width, len(blocks))
        made = []
        for level in reversed(range(len(blocks))):
            inputs = [wide[level]] * blocks[level]
            outputs = [*inputs[1:], wide[level - 1] if level else channels]
            inputs[0] *= 2 if side == "skip" else 1
            layers = [layer for i, o in zip(inputs, outputs, strict=True) for layer in _conv(i, o)]
            made.append(nn.Sequential(*layers if level else [*layers[:-3], nn.Conv2d(inputs[-1], channels, 3, 1, 1)]))
        self.blocks = nn.ModuleList(made)

    def forward(self, code: Code) -> Tensor:
        """A code of an encoder, any modality's, to [N, channels, H, W], unbounded."""
        h, side = code
        for level, block in enumerate(self.blocks, 1):
            if self.side == "indices":
                h = F.max_unpool2d(h, side[-level], [2, 2])
            else:
                h = F.interpolate(h, scale_factor=2.0)
                if self.side == "skip":
                    h = torch.cat([h, side[-level].to(h.dtype)], 1)
            h = block(h)
        return h


class ColourDecoder(nn.Module):
    """The decoder of RGB (Table A.5): transposed convs 5x5 of stride 2, with batch norm and ReLU but the last; tanh.

    It takes no pooling indices: they leave a grid in the image (4.4.2). Skip connections it takes: what a transposed
    conv has enlarged is joined by the features of its size.
    """

    def __init__(self, width: int, blocks: int, side: Side):
        super().__init__()
        self.side = side
        wide = widths(width, blocks)
        made = []
        for level in reversed(range(blocks)):
            joined = wide[level + 1] if side == "skip" and level + 1 < blocks else 0
            out = wide[level - 1] if level else 3
            up = nn.ConvTranspose2d(wide[level] + joined, out, 5, 2, 2, output_padding=1, bias=not level)
            made.append(nn.Sequential(up, *([nn.BatchNorm2d(out), nn.ReLU(True)] if level else [nn.Tanh()])))
        self.blocks = nn.ModuleList(made)

    def forward(self, code: Code) -> Tensor:
        """A code of an encoder, any modality's, to [N, 3, H, W] in [-1, 1]."""
        h, side = code
        for level, block in enumerate(self.blocks):
            if level and self.side == "skip":
                h = torch.cat([h, side[-level].to(h.dtype)], 1)
            h = block(h)
        return h


class Discriminator(nn.Sequential):
    """Of RGB (Table A.6): convs 5x5 of stride 2 with batch norm and LeakyReLU 0.2; conv 1x1 to a number a patch."""

    def __init__(self, width: int, layers: int):
        body: list[nn.Module] = []
        channels = 3
        for out in widths(width, layers):
            body += [nn.Conv2d(channels, out, 5, 2, 2, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2, True)]
            channels = out
        super().__init__(*body, nn.Conv2d(channels, 1, 1))
