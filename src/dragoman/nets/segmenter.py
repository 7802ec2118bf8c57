"""A small segmenter for measurements: trained on labelled images, applied to others (EGSC-IT, Table 3)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _block(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True),
        nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True),
    )  # fmt: skip


class Segmenter(nn.Module):
    """A U-Net (Ronneberger et al. 2015) of four scales with batch norm."""

    def __init__(self, channels: int, classes: int, width: int = 16):
        super().__init__()
        widths = [width * 2**level for level in range(4)]
        self.down = nn.ModuleList(
            _block(i, o, 1 + (level > 0))
            for level, (i, o) in enumerate(zip([channels, *widths[:-1]], widths, strict=True))
        )
        self.up = nn.ModuleList(_block(3 * o, o) for o in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] in [-1, 1], sides multiples of 8, to logits [N, classes, H, W]."""
        seen: list[Tensor] = []
        for block in self.down:
            x = block(x)
            seen.append(x)
        for block, skip in zip(self.up, reversed(seen[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return self.head(x)


@torch.enable_grad()
def train_segmenter(images: Tensor, targets: Tensor, classes: int, *, steps: int = 1000, batch: int = 16,
                    seed: int = 0) -> Segmenter:  # fmt: skip
    """Train a segmenter with AdamW and a one-cycle rate, half of the images mirrored.

    Args:
        images: [M, C, H, W] in [-1, 1].
        targets: [M, H, W] class numbers; 255 is ignored.
        classes: How many there are.

    Returns:
        The segmenter, in eval mode and frozen.
    """
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    net = Segmenter(images.shape[1], classes).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,))
        x, y = images[rows], targets[rows].long()
        flip = torch.rand(batch) < 0.5
        x[flip], y[flip] = x[flip].flip(-1), y[flip].flip(-1)
        loss = F.cross_entropy(net(x.contiguous(memory_format=torch.channels_last)), y, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.set_rng_state(state)
    return net.eval().requires_grad_(False)
