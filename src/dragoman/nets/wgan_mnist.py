"""The networks of WGAN-GP for 28 x 28 digits (Gulrajani et al. 2017) as MineGAN uses them (thesis A.2.1)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.nets.wgan_resnet import with_code


def _uniform(module: nn.Module) -> None:
    """Uniform weights, biases 0: convs 5x5 of variance 4 / (fan-in + fan-out), linear layers half that.

    The fan on the smaller side of a conv of stride 2 counts a quarter of the weights, since each place there meets the
    others only every second step.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            large, small = layer.weight.shape[1] * 25, layer.weight.shape[0] * 25 / 4
            bound = (3 * 4 / (large + small)) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Doubling(nn.ConvTranspose2d):
    """A transposed conv 5x5 of stride 2 that doubles the side, computed as a conv 3x3 with four outputs for each one.

    Each place's four are its 2 x 2 pixels. With few channels out this is several times as fast on a CPU.
    """

    def __init__(self, channels: int, out: int):
        super().__init__(channels, out, 5, 2, 2, output_padding=1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """[N, C, H, W] to [N, O, 2 H, 2 W]."""
        # weight 2 t + a of a side meets pixel a of two: [C, O, 5, 5] to [O, a, a, C, t, t], t from the right
        taps = F.pad(self.weight, (0, 1, 0, 1)).unflatten(3, (3, 2)).unflatten(2, (3, 2)).flip(2, 4)
        weight = taps.permute(1, 3, 5, 0, 2, 4).flatten(0, 2)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, weight, bias, padding=1), 2)


class Generator(nn.Module):
    """Linear to 4 x 4 (4096), three transposed convs 5x5 of stride 2 (256-128-64-1) with ReLU between, tanh.

    The first result, 8 x 8, is cropped to 7 x 7. The published last function is a sigmoid, for images in [0, 1].

    Args:
        channels: Of the image.
        width: Channels before the last conv, published 64.
        z_dim: Length of z, published 128 (thesis A.2.1: 16 for the pictures).
        classes: K of a conditional generator, with c appended to z (Cond Concat); 0 for one that ignores c.
    """

    size = 28

    def __init__(self, channels: int = 1, width: int = 64, z_dim: int = 128, classes: int = 0):
        super().__init__()
        self.channels, self.z_dim, self.classes = channels, z_dim, classes
        self.input = nn.Linear(z_dim + classes, 16 * 4 * width)
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 5, 2, 2, output_padding=1)
        self.up2 = nn.ConvTranspose2d(2 * width, width, 5, 2, 2, output_padding=1)
        self.up3 = Doubling(width, channels)
        _uniform(self)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, Z] ~ N(0, I) and, if conditional, c [N, K] to images [N, C, 28, 28] in [-1, 1]."""
        h = F.relu(self.input(with_code(z, c) if self.classes else z)).view(len(z), -1, 4, 4)
        h = F.relu(self.up1(h))[:, :, :7, :7]
        return torch.tanh(self.up3(F.relu(self.up2(h))))


class Critic(nn.Module):
    """Three convs 5x5 of stride 2 (64-128-256) with LeakyReLU 0.2, linear without offset.

    With classes a second linear layer is the auxiliary classifier (AC-GAN).

    Args:
        channels, width: As of the generator.
        classes: K of the auxiliary classifier; 0 for none.
    """

    def __init__(self, channels: int = 1, width: int = 64, classes: int = 0):
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 5, 2, 2), nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 5, 2, 2), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.value = nn.Linear(16 * 4 * width, 1, bias=False)  # an offset would cancel in the losses
        self.aux = nn.Linear(16 * 4 * width, classes) if classes else None
        _uniform(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """[N, C, 28, 28] to the value [N] and, with classes, the logits [N, K] of P(C | x)."""
        h = self.convs(x).flatten(1)
        return self.value(h)[:, 0], None if self.aux is None else self.aux(h)
