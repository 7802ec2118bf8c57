"""WCT: the content's features whitened, then coloured by the exemplar's covariance, level by level, coarse to fine."""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.fit import Run
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.translator import Core
from dragoman.nets.stylisation import Decoder, Encoder, Network, check_size, enlarged, shrunk, smallest, stride
from dragoman.nn.bank import StyleBank
from dragoman.nn.init import gaussian

CUT = 1e-5
"""Directions whose variance is at most this share of the largest are left out: whitening would divide noise by it."""


class WCTConfig(Config):
    """WCT; defaults are the published values (crops of 256 x 256)."""

    encoder: Network = "vgg19"
    """Phi; vgg19_normalised only reaches relu3_1 (levels 3 2 1); random is for tests."""
    levels: tuple[int, ...] = (5, 4, 3, 2, 1)
    """Stylise at relu5_1, what comes out at relu4_1, and so on (Fig. 1 c)."""
    enlarge: int = Field(1, ge=1)
    """Images are enlarged this many times before the encoder, and the result is shrunk: small ones leave few cells."""
    alpha: float = Field(1, ge=0, le=1)
    """Strength of the style at every level when translating, Eq. 4."""
    exemplars: int = Field(16, ge=1)
    """Training images of each domain whose styles are kept, for translating without an exemplar."""
    w_feature: float = Field(1, ge=0)
    """lambda, Eq. 1."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""

    @field_validator("levels")
    @classmethod
    def _coarse_to_fine(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if not levels or list(levels) != sorted(set(levels) & set(range(1, 6)), reverse=True):
            raise ValueError(f"levels must be different numbers from 5 to 1, coarse to fine, got {levels}")
        return levels


def mean_covariance(f: Tensor) -> Tensor:
    """m and the lower triangle of the covariance of features [N, C, H, W] over the pixels: [N, C + C (C + 1) / 2]."""
    mean, centred = _centred(f)
    row, column = torch.tril_indices(f.shape[1], f.shape[1], device=f.device)
    return torch.cat([mean, _covariance(centred)[:, row, column]], 1).float()


def whiten_and_colour(f: Tensor, style: Tensor) -> Tensor:
    """Features x [N, C, H, W] with the mean and covariance of a style [N, C + C (C + 1) / 2] of `mean_covariance`.

    In float64: whitening divides by square roots down to sqrt(CUT) of the largest.
    """
    with torch.autocast(f.device.type, enabled=False):
        channels = f.shape[1]
        row, column = torch.tril_indices(channels, channels, device=f.device)
        covariance = f.new_zeros(len(f), channels, channels, dtype=torch.float64)
        covariance[:, row, column] = covariance[:, column, row] = style[:, channels:].double()
        _, centred = _centred(f)
        whitened = power(_covariance(centred), -0.5) @ centred  # Eq. 2
        coloured = power(covariance, 0.5) @ whitened + style[:, :channels, None]  # Eq. 3
        return coloured.view_as(f).to(f.dtype)


def power(covariance: Tensor, exponent: float) -> Tensor:
    """E D^exponent E^T of covariances E D E^T [N, C, C], where eigenvalues that CUT leaves out give 0."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > CUT * values[:, -1:]
    values = torch.where(kept, values.clamp_min(1e-30) ** exponent, 0)
    return (vectors * values[:, None]) @ vectors.mT


def _centred(f: Tensor) -> tuple[Tensor, Tensor]:
    """The mean [N, C] and what is left [N, C, H W], in float64."""
    f = f.flatten(2).double()
    mean = f.mean(2)
    return mean, f - mean[:, :, None]


def _covariance(centred: Tensor) -> Tensor:
    return centred @ centred.mT / centred.shape[2]


class WCT(Method):
    """Universal style transfer via feature transforms."""

    paper = "Li et al., Universal Style Transfer via Feature Transforms, NIPS 2017"
    needs = "images of one or more domains; translation takes an exemplar"
    ema = ("decoders",)
    frozen = ("encoder",)
    config_type = WCTConfig
    config: WCTConfig

    def __init__(self, config: WCTConfig, task: Task):
        super().__init__(config, task)
        check_size(task, config.enlarge, config.levels[0])
        self.encoder = Encoder(config.encoder, config.levels[0])
        self.decoders = nn.ModuleDict(
            {str(level): Decoder(self.encoder.upto(level), task.channels) for level in config.levels}
        )
        gaussian(self.decoders, std=None)  # by PyTorch's own, what goes through relu5_1's thirteen convolutions dies
        self.bank = StyleBank(len(task.domains), config.exemplars, sum(style_dims(self.encoder, config)))

    def losses(self, batch: Batch) -> Losses:
        """Eq. 1, summed over the levels, whose decoders know nothing of each other nor of any style."""
        x = enlarged(batch.image, self.config.enlarge)
        features = self.encoder(x)
        self.bank.put(torch.cat([mean_covariance(features[level - 1]) for level in self.config.levels], 1), batch.label)
        rec, feature = [], []
        for level in self.config.levels:
            y = self.decoders[str(level)](features[level - 1])
            rec.append(F.mse_loss(y.float(), x))
            feature.append(F.mse_loss(self.encoder(y, level)[-1].float(), features[level - 1].float()))
        return {"rec": torch.stack(rec).sum(), "feature": torch.stack(feature).sum()}

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for all decoders."""
        return {"decoders": Adam(self.decoders.parameters(), self.config.lr, self.config.betas, fused=True)}

    def stages(self, steps: int) -> list[Stage]:
        """The decoders, with the encoder frozen."""
        phase = Phase(name="decoders", updates=["decoders"], losses=self.losses,
                      weights={"rec": 1, "feature": self.config.w_feature})  # fmt: skip
        return [Stage(name="train", steps=steps, phases=[phase], enter=self._enter)]

    def _enter(self, run: Run) -> None:
        if self.config.encoder != "random":
            self.encoder.load_published()

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """The style is the mean and covariance of an exemplar's features at every level."""
        decoders = cast(nn.ModuleDict, nets["decoders"])
        return WCTCore(cast(Encoder, nets["encoder"]), decoders, cast(StyleBank, nets["bank"]), self.config)


def style_dims(encoder: Encoder, config: WCTConfig) -> list[int]:
    """Length of the style of each level."""
    widths = [encoder.widths[level - 1] for level in config.levels]
    return [width + width * (width + 1) // 2 for width in widths]


class WCTCore(Core):
    """Encoder, decoders and the styles of training exemplars behind the translator's interface."""

    def __init__(self, encoder: Encoder, decoders: nn.ModuleDict, bank: StyleBank, config: WCTConfig):
        super().__init__()
        self.encoder, self.decoders, self.bank = encoder, decoders, bank
        self.levels, self.enlarge, self.alpha = config.levels, config.enlarge, config.alpha
        self.dims = style_dims(encoder, config)
        self.style_dim, self.stride = sum(self.dims), stride(config.enlarge, config.levels[0])
        self.smallest = smallest(config.enlarge, config.levels[0])

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """Stylised at every level in turn; the target domain is the style's.

        One image at a time: whitening magnifies the rounding by which an image alone and in a batch differ.
        """
        images = [self.stylise(image[None], style[None]) for image, style in zip(x, s, strict=True)]
        return torch.cat(images).clamp(-1, 1), None

    def stylise(self, x: Tensor, s: Tensor) -> Tensor:
        """Images [N, C, H, W] with the styles [N, S], coarse to fine."""
        y = enlarged(x, self.enlarge)
        for level, style in zip(self.levels, s.split(self.dims, 1), strict=True):
            f = self.encoder(y, level)[-1]
            y = self.decoders[str(level)](torch.lerp(f, whiten_and_colour(f, style), self.alpha))  # Eq. 4
        return shrunk(y, self.enlarge)

    def sample_style(self, c: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The style of a training exemplar of the target domain."""
        return self.bank.draw(c, generator).to(c)

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        """Mean and covariance of exemplars [N, C, H, W] at every level."""
        features = self.encoder(enlarged(exemplar, self.enlarge))
        return torch.cat([mean_covariance(features[level - 1]) for level in self.levels], 1)
