"""A small residual classifier for measurements: trained on real images, applied to translations."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Classifier(nn.Module):
    """Four convolutions with batch norm, the first three of stride 2; mean over positions; one linear layer."""

    def __init__(self, channels: int, classes: int, width: int = 32):
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 4 * width]
        self.body = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(i, o, 3, 2 if n < 3 else 1, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True))
                for n, (i, o) in enumerate(pairwise(widths))
            )
        )
        self.head = nn.Linear(widths[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        """[N, C, H, W] in [-1, 1] to [N, 4 width]."""
        return self.body(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] in [-1, 1] to logits [N, classes]."""
        return self.head(self.features(x))


@torch.enable_grad()
def train_classifier(images: Tensor, targets: Tensor, classes: int | Sequence[int], *, steps: int = 300,
                     batch: int = 64, seed: int = 0) -> Classifier:  # fmt: skip
    """Train a classifier with AdamW and a one-cycle rate on images shifted by up to a sixteenth of their size.

    Args:
        images: [M, C, H, W] in [-1, 1].
        targets: [M] class numbers, or [M, classes] of 0 and 1 for independent attributes.
        classes: How many; or of each of several labels, and `targets` is [M, labels] of class numbers. The logits of
            the labels then lie side by side.

    Returns:
        The classifier, in eval mode and frozen.
    """
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    several = None if isinstance(classes, int) else list(classes)
    net = Classifier(images.shape[1], classes if isinstance(classes, int) else sum(classes)).to(
        memory_format=torch.channels_last
    )  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    shift = images.shape[-1] // 16
    for _ in range(steps):
        rows = torch.randint(len(images), (batch,))
        x = F.pad(images[rows], (shift,) * 4, mode="replicate")
        top, left = (int(torch.randint(2 * shift + 1, ())) for _ in range(2))
        logits = net(x[:, :, top : top + images.shape[2], left : left + images.shape[3]])
        y = targets[rows]
        if several is not None:
            heads = zip(logits.split(several, 1), y.unbind(1), strict=True)
            loss = torch.stack([F.cross_entropy(part, label) for part, label in heads]).sum()
        elif y.ndim == 1:
            loss = F.cross_entropy(logits, y)
        else:
            loss = F.binary_cross_entropy_with_logits(logits, y.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.set_rng_state(state)
    return net.eval().requires_grad_(False)
