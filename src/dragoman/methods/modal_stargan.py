"""StarGAN between modalities, with pooling indices, as a baseline of mix-and-match networks."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
from dragoman.inference.modal import ModalCore, alike, readable
from dragoman.losses.classification import domain_classification
from dragoman.losses.gan import wasserstein_critic, wasserstein_generator
from dragoman.losses.modality import Distance, distance
from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.pooled_resnet import Decoder, Encoder
from dragoman.nets.stargan import Discriminator, check_size, with_label


class ModalStarGANConfig(Config):
    """StarGAN between modalities; defaults are StarGAN's published values, and the poolings of thesis Table A.7."""

    paired: bool = False
    """Learn from pairs within the seen sets instead of by the way back: StarGAN(paired) of Table 4.4."""
    width: int = Field(64, ge=1)
    """Channels of the first layer of G and D."""
    downs: int = Field(3, ge=1)
    """Poolings of G, and as many unpoolings."""
    blocks: int = Field(6, ge=0)
    """Residual blocks of G."""
    d_layers: int = Field(6, ge=1)
    """Strided convolutions of D; size / 2^d_layers pixels remain."""
    n_critic: int = Field(5, ge=1)
    """D is updated this many times as often as G."""
    w_gp: float = Field(10, ge=0)
    """Weight of the gradient penalty."""
    w_cls: float = Field(1, ge=0)
    """lambda_cls, Eqs. 5 and 6."""
    w_rec: float = Field(10, ge=0)
    """lambda_rec, Eq. 6, of L1 and cross-entropy alike; only unpaired."""
    w_l2: float = Field(100, ge=0)
    """Weight of colour images' distance, as of mix-and-match networks from the second stage on; only paired."""
    w_depth: float = Field(10, ge=0)
    """That of depth and near infrared; only paired."""
    w_seg: float = Field(100, ge=0)
    """That of segmentation; only paired."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class Generator(nn.Module):
    """G(x, c): the residual network with pooling indices (thesis Tables A.7, A.8) on packed modalities.

    A row shows one modality and 0 elsewhere, so its first convolution is that of its modality, and of its last one
    only the target's channels count. Everything between is shared. The label maps of the target stand beside the image.
    """

    def __init__(self, modalities: Sequence[Modality], width: int, downs: int, blocks: int):
        super().__init__()
        self.modalities = modalities
        channels = sum(m.channels for m in modalities)
        self.encoder = Encoder(channels + len(modalities), width, downs, blocks)
        self.decoder = Decoder(channels, width, downs, 0)
        self.decoder.convs[-1] = nn.Conv2d(width, channels, 7, padding=3)  # a segmentation does not end in tanh

    def forward(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Translate.

        Args:
            x: [N, sum C, H, W] packed, of which only the source counts.
            source, target: [N, K] one-hot.

        Returns:
            [N, sum C, H, W] every modality, of which only the target means something: values in [-1, 1], of a
            segmentation logits.
        """
        y = self.decoder(self.encoder(with_label(x * only(source, self.modalities), target)))
        parts = unpack(y, self.modalities)
        return pack(
            {m.name: parts[m.name] if m.kind == "segmentation" else parts[m.name].tanh() for m in self.modalities},
            self.modalities,
        )


def only(code: Tensor, modalities: Sequence[Modality]) -> Tensor:
    """[N, sum C, 1, 1], 1 at the channels of the modalities that a code [N, K] names, else 0."""
    each = [code[:, k : k + 1].expand(-1, m.channels) for k, m in enumerate(modalities)]
    return torch.cat(each, 1)[:, :, None, None]


class ModalStarGAN(Method):
    """StarGAN whose first and last layers, and the discriminator's first, are of one modality each."""

    paper = "Choi et al., StarGAN, CVPR 2018, between modalities as in Wang et al., Mix and Match Networks, IJCV 2020"
    needs = "images, depth, segmentations or other modalities, aligned in sets of two or more"
    ema = ("G",)
    by_domain = True
    config_type = ModalStarGANConfig
    config: ModalStarGANConfig

    def __init__(self, config: ModalStarGANConfig, task: Task):
        super().__init__(config, task)
        task.need_modalities()
        check_size(task, config.downs, config.d_layers)
        self.G = Generator(task.modalities, config.width, config.downs, config.blocks)
        self.D = Discriminator(task, config.width, config.d_layers)

    def draw(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """For each row a random modality that it has, a random other one, and a random row that has the latter.

        Returns:
            source, target: [N, K] one-hot; the target is one that the row has too, if paired.
            shown: [N] numbers of rows.
        """
        has = batch.label
        each = torch.eye(has.shape[1], device=has.device)
        source = each[_one_of(has)]
        target = each[_one_of(has - source if self.config.paired else 1 - source)]
        return source, target, _one_of(target @ has.T)

    def _picture(self, y: Tensor, target: Tensor) -> Tensor:
        """G's output as D sees it: packed, of a segmentation probabilities, 0 outside the target."""
        modalities = self.task.modalities
        parts = unpack(y, modalities)
        return pack({m.name: readable(m, parts[m.name]) for m in modalities}, modalities) * only(target, modalities)

    def _apart(self, kind: Callable[[Modality], Distance], y: Tensor, truth: Tensor, code: Tensor) -> Tensor:
        """[K] of each modality the distance over the known pixels of the rows whose code [N, K] names it."""
        modalities = self.task.modalities
        made, true = unpack(y, modalities), unpack(truth, modalities)
        counted = [known(m, true[m.name]) & (code[:, k, None, None, None] > 0) for k, m in enumerate(modalities)]
        values = [
            distance(kind(m), made[m.name], true[m.name], pixels) for m, pixels in zip(modalities, counted, strict=True)
        ]
        return torch.stack(values)

    def d_losses(self, batch: Batch) -> Losses:
        """Eq. 5 with the Wasserstein objective of Eq. 8, on pictures and translations of the same modalities."""
        source, target, shown = self.draw(batch)
        own = only(target, self.task.modalities)
        real, fake = batch.image[shown] * own, self._picture(self.G(batch.image, source, target), target)
        src_real, cls_real = self.D(real)
        src_fake, _ = self.D(fake)
        return {
            "adv": wasserstein_critic(src_real, src_fake),  # Eq. 8
            "gp": gradient_penalty(lambda y: self.D(y * own)[0], real, fake),  # Eq. 8
            "cls": domain_classification(cls_real, target, exclusive=True),  # Eq. 2
        }

    def g_losses(self, batch: Batch) -> Losses:
        """Eq. 6; paired without its Eq. 4 and with a distance for each kind of target instead."""
        source, target, _ = self.draw(batch)
        y = self.G(batch.image, source, target)
        fake = self._picture(y, target)
        src_fake, cls_fake = self.D(fake)
        losses = {
            "adv": wasserstein_generator(src_fake),  # Eq. 8
            "cls": domain_classification(cls_fake, target, exclusive=True),  # Eq. 3
        }
        if not self.config.paired:
            back = self._apart(_cyclic, self.G(fake, target, source), batch.image, source)
            return losses | {"rec": (source.mean(0) * back).sum()}  # Eq. 4, averaged over rows
        terms: dict[str, list[Tensor]] = defaultdict(list)
        for m, value in zip(self.task.modalities, self._apart(term, y, batch.image, target), strict=True):
            terms[term(m)].append(value)  # thesis Eqs. 4.1, 4.4, 4.7
        return losses | {name: torch.stack(values).sum() for name, values in terms.items()}

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of G and D."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {"G": adam(self.G.parameters()), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D at every step, G at every n_critic-th."""
        c, lr = self.config, linear_decay(steps // 2, steps)
        of_term = {"l2": c.w_l2, "berhu": c.w_depth, "ce": c.w_seg}
        terms = [term(m) for m in self.task.modalities]
        learnt = {str(name): of_term[name] for name in terms} if c.paired else {"rec": c.w_rec}
        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr,
                      weights={"adv": 1, "gp": c.w_gp, "cls": c.w_cls}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr, every=c.n_critic,
                      weights={"adv": 1, "cls": c.w_cls} | learnt),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> ModalCore:
        """G from any modality to any other; deterministic."""
        return ModalStarGANCore(cast(Generator, nets["G"]), self.task, 2**self.config.downs)


def term(modality: Modality) -> Distance:
    """Which distance a paired prediction is measured by (thesis 4.4.3)."""
    if modality.kind == "segmentation":
        return "ce"
    return "l2" if modality.channels == 3 else "berhu"


def _cyclic(modality: Modality) -> Distance:
    """Which distance the way back is measured by."""
    return "ce" if modality.kind == "segmentation" else "l1"


def _one_of(allowed: Tensor) -> Tensor:
    """[N] a random column of each row of [N, K] where it is above 0, all equally likely."""
    return torch.rand_like(allowed).where(allowed > 0, -1).argmax(1)


class ModalStarGANCore(ModalCore):
    """G behind the translator's interface. A wanted modality that is given is given back; of several given ones the
    results' mean."""

    def __init__(self, G: Generator, task: Task, stride: int):
        super().__init__()
        self.G, self.modalities, self.stride, self.smallest = G, task.modalities, stride, max(stride, 16)

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """See `ModalCore`."""
        y = torch.zeros_like(x)
        for rows, sources, targets in alike(given, c, self.modalities):
            parts, made = unpack(x[rows], self.modalities), {}
            for m in (m for m in self.modalities if m.name in targets):
                if m.name in sources:
                    made[m.name] = parts[m.name]
                else:
                    made[m.name] = torch.stack([self._made(x[rows], source, m) for source in sources]).mean(0)
            y[rows] = pack(made, self.modalities).to(y.dtype)
        return y

    def _made(self, x: Tensor, source: str, target: Modality) -> Tensor:
        """[N, C, H, W] of the target, of one modality of packed rows."""
        codes = [x.new_tensor([[m.name == name for m in self.modalities]]) for name in (source, target.name)]
        y = self.G(x, *(code.expand(len(x), -1) for code in codes))
        return readable(target, unpack(y, self.modalities)[target.name])
