"""Batch norm of generators: by the batch at hand in training, by collected statistics in evaluation."""

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor, nn


class BatchStatistics(nn.Module):
    """What batch norms share: the normalisation, and the statistics for evaluation.

    No running averages are kept: evaluation uses what `collect_statistics` stored, so that an image does not depend on
    its batch. Before that it only divides by sqrt(1 + eps), as mean 0 and variance 1 would.
    """

    EPS = 1e-5

    mean: Tensor
    """[C], at first 0."""
    var: Tensor
    """[C], biased, at first 1."""
    count: Tensor
    """Values per channel that mean and var were computed from; 0 before any."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def normalise(self, x: Tensor, scale: Tensor | None = None, offset: Tensor | None = None) -> Tensor:
        """(x - mean) / sqrt(var + eps) of [N, C, H, W], times scale [C], plus offset [C], in fp32."""
        # torch's own function, because the one in functional refuses a single 1 x 1 image (whose norm is 0).
        return torch.batch_norm(
            x.float(), scale, offset, None if self.training else self.mean, None if self.training else self.var,
            self.training, 0.0, self.EPS, torch.backends.cudnn.enabled,
        )  # fmt: skip


class BatchNorm(BatchStatistics):
    """Batch norm with a scale and offset per channel, or per class and channel ("Cond BNorm", thesis 2.4.1).

    Args:
        channels: C.
        classes: K, the rows of the tables of scales and offsets; 0 for one scale and offset for all.
    """

    def __init__(self, channels: int, classes: int = 0):
        super().__init__(channels)
        shape = (classes, channels) if classes else (channels,)
        self.classes = classes
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """[N, C, H, W], and with classes a code c [N, K] (one-hot, or soft for a mix of rows), to the shape of x."""
        with torch.autocast(x.device.type, enabled=False):
            if not self.classes:
                return self.normalise(x, self.weight, self.bias).to(x.dtype)
            if c is None:
                raise ValueError(f"a batch norm of {self.classes} classes needs a code c [N, {self.classes}], not None")
            scale, offset = c.float() @ self.weight, c.float() @ self.bias
            return (self.normalise(x) * scale[:, :, None, None] + offset[:, :, None, None]).to(x.dtype)

    @torch.no_grad()
    def copy_classes_from(self, unconditional: "BatchNorm") -> None:
        """Start every class from the scale and offset (and statistics) of a layer without classes (thesis 2.4.1)."""
        self.weight.copy_(unconditional.weight.expand_as(self.weight))
        self.bias.copy_(unconditional.bias.expand_as(self.bias))
        for mine, theirs in zip(self.buffers(), unconditional.buffers(), strict=True):
            mine.copy_(theirs)


class CodeBatchNorm(BatchStatistics):
    """Batch norm whose scale and offset are linear functions of a code (BigGAN, Brock et al. 2019, appendix B).

    Args:
        channels: C.
        code: Length E of the code.
    """

    def __init__(self, channels: int, code: int):
        super().__init__(channels)
        self.scale = nn.Linear(code, channels, bias=False)
        self.offset = nn.Linear(code, channels, bias=False)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """(1 + W_s code) norm(x) + W_o code: [N, C, H, W] and [N, E] to the shape of x."""
        with torch.autocast(x.device.type, enabled=False):
            scale, offset = 1 + self.scale(code.float()), self.offset(code.float())
            return (self.normalise(x) * scale[:, :, None, None] + offset[:, :, None, None]).to(x.dtype)


class _Sums:
    """Count, sum and sum of squares per channel of everything that enters a layer, in float64 on the CPU."""

    def __init__(self, channels: int):
        self.count = 0
        self.sum, self.square = torch.zeros(2, channels, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        var, mean = (moment.cpu().double() for moment in torch.var_mean(x.float(), (0, 2, 3), correction=0))
        count = x.numel() // x.shape[1]
        self.count += count
        self.sum += count * mean
        self.square += count * (var + mean.square())


@torch.no_grad()
def collect_statistics(generator: nn.Module, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
    """Store in every batch norm the mean and variance of all that enters it while `generator(z, c)` runs over batches.

    One pass, in which every batch norm is in training mode. So the first layer gets the statistics of one big batch,
    and a deeper one those of features that earlier layers normalised batch by batch: large batches are better.
    The modes and the global random state are left as they were.

    Args:
        generator: Any module with layers of this file.
        batches: (z, c) on the generator's device; none at all changes nothing.
    """
    norms = [module for module in generator.modules() if isinstance(module, BatchStatistics)]
    if not norms:
        return
    modes = {module: module.training for module in generator.modules()}
    sums = [_Sums(norm.channels) for norm in norms]
    hooks = [norm.register_forward_pre_hook(partial(_see, seen)) for norm, seen in zip(norms, sums, strict=True)]
    devices = {p.device.index for p in generator.parameters() if p.device.type == "cuda"}
    try:
        generator.eval()  # what else has a training mode (spectral norm) is not to move
        for norm in norms:
            norm.training = True
        with torch.random.fork_rng(sorted(devices)):
            for z, c in batches:
                generator(z, c)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes.items():
            module.training = mode
    for norm, seen in zip(norms, sums, strict=True):
        if seen.count:
            mean = seen.sum / seen.count
            norm.mean.copy_(mean)
            norm.var.copy_((seen.square / seen.count - mean.square()).clamp(min=0))
            norm.count.fill_(seen.count)


def _see(sums: _Sums, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    sums.add(inputs[0])
