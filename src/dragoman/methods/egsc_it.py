"""EGSC-IT: UNIT guided by an exemplar (AdaIN) and kept consistent by feature masks and perceptual losses."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Phase, Stage
from dragoman.engine.schedules import polynomial_decay
from dragoman.inference.translator import Core
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.losses.latent import kl_unit_variance
from dragoman.losses.perceptual import content_distance, style_distance, unit_norm
from dragoman.methods.unit import UNIT, Flows, UNITConfig, UNITCore
from dragoman.nets.frozen import shared
from dragoman.nets.unit import Decoder, Discriminators, Encoder, ResBlock, noisy
from dragoman.nn.bank import StyleBank

EPS = 1e-5
"""Added to a variance."""

Statistics = Literal["std", "var"]


class EGSCITConfig(UNITConfig):
    """EGSC-IT; defaults are the published values for GTA5 and BDD (Table 6)."""

    eta: float = Field(0.5, ge=0, le=1)
    """Threshold of the feature mask, m = (1 - eta) sigmoid(f) + eta; 1 is no mask."""
    adain: bool = True
    """Whether the exemplar's statistics are given to the content (Eq. 2); without, there is no exemplar."""
    statistics: Statistics = "std"
    """delta of Eqs. 1 and 2: the standard deviation, as AdaIN's authors have it, or the variance, as printed."""
    vgg: Literal["vgg19", "vgg19_distilled", "random"] = "vgg19"
    """Network of the perceptual losses; random is a small one with random weights, for tests."""
    w_content: float = Field(1e2, ge=0)
    """lambda_c, Eq. 4."""
    w_style: float = Field(1e4, ge=0)
    """lambda_s, Eq. 4."""
    pretrain: float = Field(0.5, gt=0, lt=1)
    """Share of the steps in which F is trained first."""
    g_updates: int = Field(5, ge=1)
    """Updates of E and G, each on a fresh batch, for one of D."""
    power: float = Field(0.9, ge=0)
    """Of the polynomial decay of the learning rate; 0 keeps it constant."""

    @property
    def perceptual(self) -> bool:
        """Whether there are perceptual losses."""
        return self.w_content > 0 or self.w_style > 0


def delta(f: Tensor, statistics: Statistics) -> Tensor:
    """[N, C, H, W] to the standard deviation or the variance [N, C, 1, 1] over the pixels (Eqs. 1, 2)."""
    variance = f.var((2, 3), unbiased=False, keepdim=True) + EPS
    return variance.sqrt() if statistics == "std" else variance


def adain_parameters(f: Tensor, statistics: Statistics) -> tuple[Tensor, Tensor]:
    """gamma and beta [N, C, 1, 1] of an exemplar's features [N, C, H, W] (Eq. 1), in fp32."""
    f = f.float()
    return delta(f, statistics), f.mean((2, 3), keepdim=True)


def adain(c: Tensor, gamma: Tensor, beta: Tensor, statistics: Statistics) -> Tensor:
    """gamma (c - mean(c)) / delta(c) + beta (Eq. 2), of content [N, C, H, W], in fp32."""
    c = c.float()
    return gamma * (c - c.mean((2, 3), keepdim=True)) / delta(c, statistics) + beta


def style(f: Tensor, statistics: Statistics) -> Tensor:
    """gamma and beta of features [N, C, H, W] as one vector [N, 2 C]."""
    return torch.cat(adain_parameters(f, statistics), 1).flatten(1)


def mask(f: Tensor, eta: float) -> Tensor:
    """m = (1 - eta) sigmoid(f) + eta (section 3.1), of the source's features [N, C, H, W]."""
    return (1 - eta) * torch.sigmoid(f) + eta


def phi(vgg: str, image: Tensor) -> list[Tensor]:
    """relu1_1 ... relu5_1 of images [N, C, H, W], each channel of unit length (section 3.3).

    Images below 32 pixels are padded, since one pixel of relu5_1 sees 16 and is of length 1 alone.
    """
    more = [max(0, 32 - side) for side in image.shape[2:]]
    top, left = (side // 2 for side in more)
    image = F.pad(image, (left, more[1] - left, top, more[0] - top), mode="replicate")
    return [unit_norm(f) for f in shared(vgg, image.device)(image)]


class FeatureNets(nn.ModuleList):
    """F_A and F_B: encoders without the layer that E_A and E_B share."""

    def __init__(self, channels: int, config: EGSCITConfig):
        super().__init__(Encoder(channels, config.width, config.downs, config.blocks - 1) for _ in range(2))

    def forward(self, x: Tensor, domain: int) -> Tensor:
        """Images [N, C, H, W] of domain 0 or 1 to feature maps f [N, F, h, w]."""
        return self[domain](x)


class Rest(nn.Module):
    """What makes a VAE of one F: the encoder's last block and the generator. Only for training F."""

    def __init__(self, channels: int, config: EGSCITConfig):
        super().__init__()
        self.last, self.first = ResBlock(config.features), ResBlock(config.features)
        self.decoder = Decoder(channels, config.width, config.downs, config.blocks - 1)

    def forward(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """f [N, F, h, w] to the mean of the latent code, of that shape, and the reconstruction [N, C, H, W]."""
        h = self.last(f)
        return h, self.decoder(self.first(noisy(h)))


class EGSCIT(UNIT):
    """Exemplar Guided Unsupervised Image-to-Image Translation with Semantic Consistency."""

    paper = "Ma et al., Exemplar Guided Unsupervised Image-to-Image Translation with Semantic Consistency, ICLR 2019"
    needs = "unpaired images of two domains"
    config_type = EGSCITConfig
    config: EGSCITConfig

    def __init__(self, config: EGSCITConfig, task: Task):
        super().__init__(config, task)
        self.F = FeatureNets(task.channels, config)
        self.R = nn.ModuleList(Rest(task.channels, config) for _ in range(2))
        self.DF = Discriminators(task.channels, config.width, config.d_layers)
        self.bank = StyleBank(2, 256, 2 * config.features)
        self.initialise()

    def guides(self, a: Tensor, b: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The feature maps f_A and f_B of the frozen F_A and F_B."""
        return self.F(a, 0), self.F(b, 1)

    def decode(self, z: Tensor, domain: int, source: Tensor | None = None, exemplar: Tensor | None = None) -> Tensor:
        """G(AdaIN(m o c, gamma, beta)): the mask of the source's features, the statistics of the exemplar's."""
        assert source is not None and exemplar is not None
        parameters = adain_parameters(exemplar, self.config.statistics)
        return self.G(guided(self.config, self.G.content(z), source, *parameters), domain)

    def features_d_losses(self, batch: Batch) -> Losses:
        """The GAN loss of the discriminators beside F."""
        real, fake = batch.sides(), [self.R[d](self.F(x, d))[1] for d, x in enumerate(batch.sides())]
        return {"gan": sum_of(least_squares_discriminator(self.DF(real[d], d), self.DF(fake[d], d)) for d in (0, 1))}

    def features_losses(self, batch: Batch) -> Losses:
        """The VAE-GAN loss of F, for each domain by itself (section 3.3)."""
        sides = batch.sides()
        made = [self.R[d](self.F(x, d)) for d, x in enumerate(sides)]
        return {
            "gan": sum_of(least_squares_generator(self.DF(x, d)) for d, (_, x) in enumerate(made)),
            "kl": sum_of(kl_unit_variance(h) for h, _ in made),
            "rec": sum_of((x - real).abs().mean() for (_, x), real in zip(made, sides, strict=True)),
        }

    def terms(self, a: Tensor, b: Tensor, x: Flows) -> Losses:
        """UNIT's losses and Eqs. 4 and 5; the exemplars' statistics are kept for translating without one."""
        c = self.config
        losses = super().terms(a, b, x)
        if c.adain and x.f_a is not None and x.f_b is not None:
            styles = style(torch.cat([x.f_a, x.f_b]), c.statistics)
            self.bank.put(styles, torch.eye(2, device=a.device).repeat_interleave(len(a), 0))
        if not c.perceptual:
            return losses
        phi_a, phi_b, phi_ab, phi_ba = (phi(c.vgg, image) for image in (a, b, x.x_ab, x.x_ba))
        return losses | {
            "content": content_distance(phi_ab, phi_a) + content_distance(phi_ba, phi_b),  # Eq. 5
            "style": style_distance(phi_ab, phi_b) + style_distance(phi_ba, phi_a),  # Eq. 5
        }

    def weights(self) -> dict[str, float]:
        """Of `g_losses`."""
        c = self.config
        return super().weights() | ({"content": c.w_content, "style": c.w_style} if c.perceptual else {})

    def optimizers(self) -> dict[str, Optimizer]:
        """UNIT's, and one each for F with what makes it a VAE, and for the discriminators beside it."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        features = {"F": adam([*self.F.parameters(), *self.R.parameters()]), "DF": adam(self.DF.parameters())}
        return super().optimizers() | features

    def stages(self, steps: int) -> list[Stage]:
        """F within its own VAE-GANs; then, with F frozen, D once and E and G `g_updates` times (section 3.3, A.2)."""
        c, first = self.config, min(max(1, round(self.config.pretrain * steps)), steps - 1)
        lr = polynomial_decay(first, c.power)
        features = Stage(name="features", steps=first, phases=[
            Phase(name="DF", updates=["DF"], losses=self.features_d_losses, lr=lr, weights={"gan": c.w_gan / 2}),
            Phase(name="F", updates=["F"], losses=self.features_losses, lr=lr,
                  weights={"gan": c.w_gan, "kl": c.w_kl, "rec": c.w_rec}),
        ])  # fmt: skip
        return [features, self.translating(steps - first)]

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """UNIT's, guided; the style is gamma and beta of Eq. 1, and the mask m, averaged over features."""
        return EGSCITCore(nets, self.config)


def guided(config: EGSCITConfig, c: Tensor, source: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """AdaIN(m o c, gamma, beta) of content c [N, F, h, w], with the mask of the source's features (section 3.1)."""
    if config.eta < 1:
        c = mask(source, config.eta) * c
    return adain(c, gamma, beta, config.statistics) if config.adain else c


def sum_of(terms) -> Tensor:
    """The sum of scalars."""
    return torch.stack(list(terms)).sum()


class EGSCITCore(UNITCore):
    """E, G, F and the exemplars of training behind the translator's interface."""

    mask_marks_change: ClassVar[bool] = False  # it tells which content is let through, changed or not

    def __init__(self, nets: Mapping[str, nn.Module], config: EGSCITConfig):
        super().__init__(nets["E"], nets["G"], 2**config.downs)
        self.F, self.bank, self.config = nets["F"], nets["bank"], config
        self.style_dim = 2 * config.features if config.adain else 0

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """G_c(AdaIN(m o c, s)); the mask is m in [eta, 1], averaged over features and upsampled."""
        image, masks = torch.empty_like(x), x.new_zeros(len(x), 1, *x.shape[2:])
        for target, rows in enumerate(c.unbind(1)):
            chosen = rows.nonzero()[:, 0]
            if not len(chosen):
                continue
            source = self.F(x[chosen], 1 - target)
            content = self.G.content(self.E(x[chosen], 1 - target))  # type: ignore[operator]
            gamma, beta = s[chosen, :, None, None].chunk(2, 1)
            image[chosen] = self.G(guided(self.config, content, source, gamma, beta), target).to(x.dtype)
            m = mask(source, self.config.eta).mean(1, keepdim=True)
            masks[chosen] = F.interpolate(m, x.shape[2:], mode="bilinear", align_corners=False).to(x.dtype)
        return image, masks if self.config.eta < 1 else None

    def sample_style(self, c: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The statistics of a training exemplar of the target domain."""
        if not self.config.adain:
            return super().sample_style(c, generator)
        return self.bank.draw(c, generator)  # type: ignore[operator, no-any-return]

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        """gamma and beta of exemplars [N, C, H, W] of their domains c [N, 2]."""
        if not self.config.adain:
            return super().encode_style(exemplar, c)
        both = torch.stack([style(self.F(exemplar, domain), self.config.statistics) for domain in (0, 1)], 1)
        return (both * c[:, :, None].to(both.dtype)).sum(1)
