"""pix2pix: paired translation by a conditional GAN, here between every two modalities that are seen together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import permutations
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, known, pack, unpack
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.inference.cascade import Cascade
from dragoman.inference.modal import ModalCore, alike, readable
from dragoman.losses.gan import logistic_discriminator, logistic_generator
from dragoman.losses.modality import Distance, distance
from dragoman.nets.patchgan import PatchGAN
from dragoman.nets.unet import UNet
from dragoman.nn.init import gaussian

Pair = tuple[str, str]
"""From a modality to a modality."""


class Pix2PixConfig(Config):
    """pix2pix; defaults are the published values (256 x 256)."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of every network."""
    levels: int = Field(8, ge=1)
    """Strided convolutions of the generators, and as many transposed ones; 8 take 256 pixels to one."""
    dropouts: int = Field(3, ge=0)
    """First layers of the decoders with dropout, in training."""
    d_layers: int = Field(3, ge=1)
    """Strided convolutions of the discriminators; 3 see 70 x 70 pixels, 2 see 34 x 34, 1 sees 16 x 16."""
    w_rec: float = Field(100, ge=0)
    """lambda, Eq. 4, of each modality's own distance."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps, as in the authors' later code."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class Pix2Pix(Method):
    """Image-to-image translation with conditional adversarial networks; a generator for each seen ordered pair."""

    paper = "Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017"
    needs = "pairs of aligned pictures, for example drawings and photos, or more modalities in sets of two or more"
    ema = ("G",)
    by_domain = True
    fits = "l1"
    config_type = Pix2PixConfig
    config: Pix2PixConfig

    def __init__(self, config: Pix2PixConfig, task: Task):
        super().__init__(config, task)
        task.need_modalities()
        if task.size % 2**config.levels or task.size >> config.d_layers < 3:
            raise ValueError(f"size {task.size} must be a multiple of {2**config.levels} for levels {config.levels} "
                             f"and at least {3 * 2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip
        self.modalities = {m.name: m for m in task.modalities}
        self.G, self.D = nn.ModuleDict(), nn.ModuleDict()
        for a, b in dict.fromkeys(pair for names in task.seen for pair in permutations(names, 2)):
            source, target = self.modalities[a], self.modalities[b]
            self.G[_key(a, b)] = generator(source, target, config)
            both = source.channels + target.channels
            self.D[_key(a, b)] = PatchGAN(both, config.width, config.d_layers, affine=True)
        gaussian(self)

    def term(self, modality: Modality) -> Distance:
        """Which distance a modality's predictions are measured by: L1 in place of the thesis's L2 (4.4.3)."""
        if modality.kind == "segmentation":
            return "ce"
        return "l1" if modality.channels == 3 else "berhu"

    def _pairs(self, batch: Batch) -> dict[Pair, tuple[Tensor, Tensor]]:
        """Of each seen ordered pair the source and the target, [n, C, H, W], of all rows that have both."""
        rows: dict[Pair, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parts in batch.scenes(self.task):
            for a, b in permutations(parts, 2):
                rows[a, b].append((parts[a], parts[b]))
        return {pair: (torch.cat([x for x, _ in some]), torch.cat([y for _, y in some])) for pair, some in rows.items()}

    def _judge(self, pair: Pair, x: Tensor, made: Tensor, y: Tensor) -> Tensor:
        """D's opinion of a generator's output, which is unknown where its target is: else that would give it away."""
        modality = self.modalities[pair[1]]
        shown = torch.where(known(modality, y), readable(modality, made), y)
        return cast(Tensor, self.D[_key(*pair)](torch.cat([x, shown.to(x.dtype)], 1)))

    def d_losses(self, batch: Batch) -> Losses:
        """The discriminators' part of Eq. 1, summed over pairs."""
        values = []
        for (a, b), (x, y) in self._pairs(batch).items():
            real = self.D[_key(a, b)](torch.cat([x, y], 1))
            values.append(logistic_discriminator(real, self._judge((a, b), x, self.G[_key(a, b)](x), y)))
        return {"adv": torch.stack(values).sum()}

    def g_losses(self, batch: Batch) -> Losses:
        """The generators' part of Eq. 4, summed over pairs: adversarial, and a distance for each kind of target."""
        terms: dict[str, list[Tensor]] = defaultdict(list)
        for (a, b), (x, y) in self._pairs(batch).items():
            modality, made = self.modalities[b], self.G[_key(a, b)](x)
            terms["adv"].append(logistic_generator(self._judge((a, b), x, made, y)))  # Eq. 1
            kind = self.term(modality)
            terms[kind].append(distance(kind, made, y, known(modality, y)))  # Eq. 3
        return {name: torch.stack(values).sum() for name, values in terms.items()}

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for all generators, one for all discriminators: the pairs have nothing in common."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {"G": adam(self.G.parameters()), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D, then G, at every step."""
        kinds, lr = [self.term(m) for m in self.modalities.values()], linear_decay(steps // 2, steps)
        return [
            Stage(name="train", steps=steps, phases=[
                # Section 3.3: D's loss is halved, so that it learns more slowly.
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"adv": 0.5}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr,
                      weights={"adv": 1} | dict.fromkeys(kinds, self.config.w_rec)),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> ModalCore:
        """A generator for a seen pair, for another a chain of them; deterministic."""
        core = Pix2PixCore(cast(nn.ModuleDict, nets["G"]), self.task.modalities, 2**self.config.levels)
        return Cascade(core, self.task)


def _key(source: str, target: str) -> str:
    return f"{source}_to_{target}"


def generator(source: Modality, target: Modality, config: Pix2PixConfig) -> nn.Module:
    """A U-Net to values in [-1, 1], or of a segmentation to logits."""
    net = UNet(source.channels, target.channels, config.width, config.levels, config.dropouts)
    return net if target.kind == "segmentation" else nn.Sequential(net, nn.Tanh())


class Pix2PixCore(ModalCore):
    """The generators behind the translator's interface, for seen pairs only. Of several given modalities the results'
    mean."""

    def __init__(self, G: nn.ModuleDict, modalities: Sequence[Modality], stride: int):
        super().__init__()
        self.G, self.modalities, self.stride, self.smallest = G, modalities, stride, max(stride, 16)

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """See `ModalCore`."""
        y, kinds = torch.zeros_like(x), {m.name: m for m in self.modalities}
        for rows, sources, targets in alike(given, c, self.modalities):
            parts, made = unpack(x[rows], self.modalities), {}
            for name in targets:
                each = [readable(kinds[name], self.G[_key(source, name)](parts[source])) for source in sources]
                made[name] = torch.stack(each).mean(0)
            y[rows] = pack(made, self.modalities).to(y.dtype)
        return y
