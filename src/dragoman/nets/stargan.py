"""The networks of StarGAN (Choi et al., CVPR 2018, Tables 4 and 5) in parts, of which SDIT takes over some."""

import torch
from torch import Tensor, nn

from dragoman.data.batch import Task
from dragoman.nn.blocks import ResBlock
from dragoman.nn.norm import InstanceNorm


def with_label(x: Tensor, label: Tensor) -> Tensor:
    """[N, C, H, W] and [N, K] to [N, C + K, H, W]: the label repeated at every pixel."""
    return torch.cat([x, label[:, :, None, None].expand(-1, -1, *x.shape[2:]).to(x.dtype)], 1)


def check_size(task: Task, downs: int, d_layers: int) -> None:
    """Raise ValueError unless G gives back the size and something remains after D's strided convolutions."""
    if task.size % 2**downs or task.size >> d_layers < 1:
        raise ValueError(
            f"size {task.size} must be a multiple of {2**downs} for downs {downs} "
            f"and at least {2**d_layers} for d_layers {d_layers}"
        )


class Encoder(nn.Sequential):
    """Conv 7x7, `downs` (published: two) convs 4x4 of stride 2, residual blocks; each conv followed by IN and ReLU.

    The padding is zero: the norms remove what a constant label map adds everywhere but at the border.
    """

    def __init__(self, channels: int, width: int, blocks: int, downs: int):
        body = [nn.Conv2d(channels, width, 7, padding=3, bias=False), InstanceNorm(width), nn.ReLU(True)]
        for _ in range(downs):
            body += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), InstanceNorm(2 * width), nn.ReLU(True)]
            width *= 2
        super().__init__(*body, *(ResBlock(width) for _ in range(blocks)))


class Decoder(nn.Sequential):
    """`ups` (published: two) transposed convs 4x4 of stride 2, each with IN and ReLU; conv 7x7 to the image; tanh."""

    def __init__(self, channels: int, width: int, ups: int):
        body: list[nn.Module] = []
        for level in reversed(range(ups)):
            out = width * 2**level
            body += [nn.ConvTranspose2d(2 * out, out, 4, 2, 1, bias=False), InstanceNorm(out), nn.ReLU(True)]
        super().__init__(*body, nn.Conv2d(width, channels, 7, padding=3, bias=False), nn.Tanh())


class Trunk(nn.Sequential):
    """The body of the discriminator: convs 4x4 of stride 2, width doubling, LeakyReLU 0.01, no norm."""

    def __init__(self, channels: int, width: int, layers: int):
        body: list[nn.Module] = []
        for layer in range(layers):
            body += [nn.Conv2d(channels, width * 2**layer, 4, 2, 1), nn.LeakyReLU(0.01, True)]
            channels = width * 2**layer
        super().__init__(*body)
        self.out_channels = channels


class Discriminator(nn.Module):
    """D(x) -> {D_src(x), D_cls(x)} (Table 5)."""

    def __init__(self, task: Task, width: int, layers: int):
        super().__init__()
        self.trunk = Trunk(task.channels, width, layers)
        self.src = nn.Conv2d(self.trunk.out_channels, 1, 3, padding=1, bias=False)
        self.cls = nn.Conv2d(self.trunk.out_channels, len(task.domains), task.size >> layers, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, size, size] to realness [N, 1, h, w] and domain logits [N, K]."""
        h = self.trunk(x)
        return self.src(h), self.cls(h).mean((2, 3))
