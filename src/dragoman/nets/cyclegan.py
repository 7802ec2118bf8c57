"""The generator and the memory of CycleGAN (Zhu et al., ICCV 2017)."""

import torch
from torch import Tensor, nn

from dragoman.data.batch import Task
from dragoman.nn.blocks import ReflectResBlock
from dragoman.nn.norm import PlainInstanceNorm


class Generator(nn.Sequential):
    """Conv 7x7, convs 3x3 of stride 2, residual blocks, transposed convs 3x3 of stride 2, conv 7x7, tanh.

    Each conv but the last is followed by IN and ReLU; where the stride is 1, padding is by reflection.
    """

    def __init__(self, channels: int, out: int, width: int, downs: int, blocks: int, bounded: bool = True):
        """`channels` of the input and `out` of the output; `bounded`: with the tanh at the end."""
        body = [nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"), PlainInstanceNorm(), nn.ReLU(True)]
        for _ in range(downs):
            body += [nn.Conv2d(width, 2 * width, 3, 2, 1), PlainInstanceNorm(), nn.ReLU(True)]
            width *= 2
        body += [ReflectResBlock(width) for _ in range(blocks)]
        for _ in range(downs):
            width //= 2
            up = nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1)
            body += [up, PlainInstanceNorm(), nn.ReLU(True)]
        body.append(nn.Conv2d(width, out, 7, padding=3, padding_mode="reflect"))
        super().__init__(*body, *([nn.Tanh()] if bounded else []))


class ImagePool(nn.Module):
    """Earlier translations, so that a discriminator does not forget them (Shrivastava et al. 2017; section 4).

    While it fills up, images pass through it. Then each image is, with probability 1/2, exchanged for a random one of
    the pool; else it passes and is not kept.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int, task: Task):
        super().__init__()
        self.register_buffer("images", torch.zeros(size, task.channels, task.size, task.size))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """[N, C, size, size] to the same shape, one image after the other, without gradients."""
        chosen, size = [], len(self.images)
        for image in x.to(self.images.dtype).split(1):
            full = self.count == size
            exchange = full & (torch.rand((), device=x.device) < 0.5)
            place = torch.where(full, torch.randint(size, (1,), device=x.device), self.count)
            there = self.images.index_select(0, place)
            self.images.index_copy_(0, place, torch.where(exchange | ~full, image, there))
            self.count += ~full
            chosen.append(torch.where(exchange, there, image))
        return torch.cat(chosen).to(x.dtype)
