"""Mix-and-match networks between domains: one is trained with each other, the rest fits because of it."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar, NamedTuple, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.inference.translator import Core
from dragoman.losses.classification import domain_classification
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.nets.classifier import Classifier
from dragoman.nets.pooled_resnet import Code, Decoder, Discriminator, Encoder
from dragoman.nn.init import gaussian


class MixAndMatchDomainsConfig(Config):
    """Mix-and-match networks between domains; defaults are the published values (thesis A.3.2, 128 x 128)."""

    anchor: str | None = None
    """The domain that is trained with each other one; the first if not given. Published: blue, photo."""
    width: int = Field(64, ge=1)
    """Channels of the first layer of every network."""
    downs: int = Field(3, ge=1)
    """Poolings; fewer keep small images sharp."""
    blocks: int = Field(6, ge=0)
    """Residual blocks of each encoder and each decoder."""
    d_layers: int = Field(4, ge=1)
    """Strided convolutions of the discriminators; 4 see 46 x 46 pixels, 3 see 22 x 22, 2 see 10 x 10."""
    w_rec: float = Field(10, ge=0)
    """Weight of the way back."""
    w_auto: float = Field(10, ge=0)
    """Weight of the autoencoders, which make the unseen translations fit (4.3.2); 0 leaves them out."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class Seen(NamedTuple):
    """The translations that are trained, n rows of each of N domains."""

    codes: list[Code]
    """Of the images, by domain."""
    to_anchor: Tensor
    """[(N - 1) n, C, H, W] those of every other domain."""
    from_anchor: list[Tensor]
    """[n, C, H, W] to each other domain."""


class MixAndMatchDomains(Method):
    """Scalable multi-domain translation: an encoder and a decoder per domain, and a star of seen translations."""

    paper = "Wang et al., Mix and Match Networks: Cross-Modal Alignment for Zero-Pair Image Translation, IJCV 2020"
    needs = "unpaired images of three or more domains, one of which is trained with each other"
    ema = ("E", "G", "C")
    by_domain = True
    config_type = MixAndMatchDomainsConfig
    config: MixAndMatchDomainsConfig

    def __init__(self, config: MixAndMatchDomainsConfig, task: Task):
        super().__init__(config, task)
        _check(config, task)
        count, shape = len(task.domains), (task.channels, config.width, config.downs, config.blocks)
        self.anchor = task.domains.index(config.anchor or task.domains[0])
        self.others = [number for number in range(count) if number != self.anchor]
        self.E = nn.ModuleList(Encoder(*shape) for _ in range(count))
        self.G = nn.ModuleList(Decoder(*shape) for _ in range(count))
        self.D = nn.ModuleList(Discriminator(task.channels, config.width, config.d_layers) for _ in range(count))
        self.C = Classifier(task.channels, count)
        gaussian(self)

    def seen(self, x: Sequence[Tensor]) -> Seen:
        """T_ij(x_i) = g_j(f_i(x_i)) of the anchor to each other domain and back (4.3), each image encoded once.

        Args:
            x: [n, C, H, W] images by domain.
        """
        codes = [E(own) for E, own in zip(self.E, x, strict=True)]
        to_anchor = self.G[self.anchor](join([codes[k] for k in self.others]))
        return Seen(codes, to_anchor, [self.G[k](codes[self.anchor]) for k in self.others])

    def c_losses(self, batch: Batch) -> Losses:
        """What domain an image is of. It serves translation only, to choose the encoder of an image."""
        return {"cls": domain_classification(self.C(batch.image), batch.label, exclusive=True)}

    def d_losses(self, batch: Batch) -> Losses:
        """The discriminators' part of the adversarial loss: the sum of both directions, averaged over the domains."""
        x = batch.image.chunk(len(self.E))
        y, D = self.seen(x), self.D[self.anchor]
        of_others = [
            least_squares_discriminator(self.D[k](x[k]), self.D[k](fake))
            for k, fake in zip(self.others, y.from_anchor, strict=True)
        ]
        return {"adv": least_squares_discriminator(D(x[self.anchor]), D(y.to_anchor)) + torch.stack(of_others).mean()}

    def g_losses(self, batch: Batch) -> Losses:
        """Adversarial loss and way back, each the sum of both directions averaged over the domains; autoencoders."""
        x, a = batch.image.chunk(len(self.E)), self.anchor
        y = self.seen(x)
        fakes = list(zip(self.others, y.from_anchor, strict=True))
        again = self.G[a](join([self.E[k](fake) for k, fake in fakes]))
        back = split(self.E[a](y.to_anchor), len(self.others))
        returned = torch.cat([self.G[k](code) for k, code in zip(self.others, back, strict=True)])
        losses = {
            "adv": least_squares_generator(self.D[a](y.to_anchor))
            + torch.stack([least_squares_generator(self.D[k](fake)) for k, fake in fakes]).mean(),
            # |T_ka(T_ak(x_a)) - x_a| + |T_ak(T_ka(x_k)) - x_k|
            "rec": (again - x[a].repeat(len(self.others), 1, 1, 1)).abs().mean()
            + (returned - torch.cat([x[k] for k in self.others])).abs().mean(),
        }
        if self.config.w_auto:
            # T_ii: the anchor's decoder learns both its own codes and those of all others, which keeps them alike.
            own = torch.cat([G(code) for G, code in zip(self.G, y.codes, strict=True)])
            losses["auto"] = (own - batch.image).abs().mean()
        return losses

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for all encoders and decoders, one for all discriminators, one for the classifier."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {
            "G": adam([*self.E.parameters(), *self.G.parameters()]),
            "D": adam(self.D.parameters()),
            "C": adam(self.C.parameters()),
        }

    def stages(self, steps: int) -> list[Stage]:
        """C, D, then G, at every step."""
        c, lr = self.config, linear_decay(steps // 2, steps)
        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="C", updates=["C"], losses=self.c_losses, lr=lr, weights={"cls": 1}),
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"adv": 1}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr,
                      weights={"adv": 1, "rec": c.w_rec} | ({"auto": c.w_auto} if c.w_auto else {})),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """Any encoder with any decoder; C says which encoder."""
        return MixAndMatchDomainsCore(nets, 2**self.config.downs)


def join(codes: Sequence[Code]) -> Code:
    """Codes of several encoders, one after the other."""
    h, side = zip(*codes, strict=True)
    return torch.cat(h), [torch.cat(each) for each in zip(*side, strict=True)]


def split(code: Code, count: int) -> list[Code]:
    """A code in equal parts."""
    h, side = code
    return list(zip(h.chunk(count), map(list, zip(*(each.chunk(count) for each in side), strict=True)), strict=True))


def _check(config: MixAndMatchDomainsConfig, task: Task) -> None:
    """Raise ValueError unless the networks can work on the task."""
    if not task.exclusive:
        raise ValueError(f"needs domains, got attributes ({', '.join(task.domains)}); put the images into folders")
    if len(task.domains) < 2:
        raise ValueError(f"needs two domains or more, got only {task.domains[0]}")
    if config.anchor is not None and config.anchor not in task.domains:
        raise ValueError(f"no domain {config.anchor!r} for an anchor; "
                         f"choose --method.anchor from {', '.join(task.domains)}")  # fmt: skip
    if task.size % 2**config.downs or task.size >> config.d_layers < 1:
        raise ValueError(f"size {task.size} must be a multiple of {2**config.downs} for downs {config.downs} and at "
                         f"least {2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip


class MixAndMatchDomainsCore(Core):
    """Encoders and decoders behind the translator's interface."""

    one_way: ClassVar[bool] = True

    def __init__(self, nets: Mapping[str, nn.Module], stride: int):
        super().__init__()
        self.E, self.G = (cast(nn.ModuleList, nets[name]) for name in ("E", "G"))
        self.C, self.stride, self.smallest = nets["C"], stride, max(stride, 16)

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """g_c of f of the domain that C sees in an image; the style is empty."""
        return self.between(x, self.classify(x).argmax(1), c.argmax(1)), None

    def between(self, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """T_ij(x) of images [N, C, H, W] whose domains are known, to the same shape.

        Args:
            x: The images.
            source, target: [N] numbers of domains.
        """
        image = torch.empty_like(x)
        for pair in torch.stack([source, target], 1).unique(dim=0):
            rows = ((source == pair[0]) & (target == pair[1])).nonzero()[:, 0]
            code = self.E[int(pair[0])](x[rows])
            image[rows] = self.G[int(pair[1])](code).to(image.dtype)
        return image

    def classify(self, x: Tensor) -> Tensor:
        """Logits of C."""
        return self.C(x)  # type: ignore[no-any-return]
