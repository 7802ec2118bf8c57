"""AdaIN style transfer: the content's features with the exemplar's means and standard deviations, decoded."""

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.fit import Run
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.translator import Core
from dragoman.nets.stylisation import Decoder, Encoder, Network, check_size, enlarged, shrunk, stride
from dragoman.nn.bank import StyleBank
from dragoman.nn.norm import conditional_instance_norm


class AdaINStyleConfig(Config):
    """AdaIN style transfer; defaults are the published values (crops of 256 x 256)."""

    encoder: Network = "vgg19"
    """f; vgg19_normalised only reaches relu3_1 (level 3); random is for tests."""
    level: int = Field(4, ge=1, le=4)
    """f ends at relu{level}_1, where the content is compared; styles are compared at relu1_1 ... relu{level}_1."""
    enlarge: int = Field(1, ge=1)
    """Images are enlarged this many times before f, and what g gives is shrunk: small ones leave few cells."""
    alpha: float = Field(1, ge=0, le=1)
    """Strength of the style when translating, Eq. 14."""
    exemplars: int = Field(64, ge=1)
    """Training images of each domain whose styles are kept, for translating without an exemplar."""
    w_style: float = Field(10, ge=0)
    """lambda, Eq. 11."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate, divided by 1 + lr_decay t at step t."""
    lr_decay: float = Field(5e-5, ge=0)
    """See lr."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""


def mean_std(f: Tensor) -> tuple[Tensor, Tensor]:
    """mu and sigma [N, C] of features [N, C, H, W] over the pixels, in fp32; sigma as in `instance_norm`."""
    f = f.float()
    return f.mean((2, 3)), (f.var((2, 3), unbiased=False) + 1e-5).sqrt()


def adain(f: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """sigma(y) (x - mu(x)) / sigma(x) + mu(y) (Eq. 8), of features x [N, C, H, W], mu(y) and sigma(y) [N, C]."""
    return conditional_instance_norm(f.float(), std, mean)


class AdaINStyle(Method):
    """Arbitrary style transfer in real time with adaptive instance normalisation."""

    paper = "Huang and Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization, ICCV 2017"
    needs = "images of one or more domains; translation takes an exemplar"
    ema = ("decoder",)
    frozen = ("encoder",)
    fits = "content"
    config_type = AdaINStyleConfig
    config: AdaINStyleConfig

    def __init__(self, config: AdaINStyleConfig, task: Task):
        super().__init__(config, task)
        check_size(task, config.enlarge, config.level)
        self.encoder = Encoder(config.encoder, config.level)
        self.decoder = Decoder(self.encoder.upto(config.level), task.channels)
        self.bank = StyleBank(len(task.domains), config.exemplars, 2 * self.encoder.widths[-1])

    def losses(self, batch: Batch) -> Losses:
        """Eq. 11: each image in the style of another, drawn at random."""
        features = self.encoder(enlarged(batch.image, self.config.enlarge))
        styles = [mean_std(f) for f in features]
        self.bank.put(torch.cat(styles[-1], 1), batch.label)
        order = torch.randperm(len(batch.image), device=batch.image.device)
        wanted = [(mean[order], std[order]) for mean, std in styles]
        t = adain(features[-1], *wanted[-1])  # Eq. 9
        found = self.encoder(self.decoder(t))  # of T(c, s) = g(t), Eq. 10
        terms = [
            F.mse_loss(a, b)
            for f, style in zip(found, wanted, strict=True)
            for a, b in zip(mean_std(f), style, strict=True)
        ]
        return {
            "content": F.mse_loss(found[-1].float(), t),  # Eq. 12
            "style": torch.stack(terms).sum(),  # Eq. 13
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for g."""
        return {"decoder": Adam(self.decoder.parameters(), self.config.lr, self.config.betas, fused=True)}

    def stages(self, steps: int) -> list[Stage]:
        """g, with f frozen."""
        c = self.config
        phase = Phase(name="decoder", updates=["decoder"], losses=self.losses,
                      weights={"content": 1, "style": c.w_style}, lr=lambda t: 1 / (1 + c.lr_decay * t))  # fmt: skip
        return [Stage(name="train", steps=steps, phases=[phase], enter=self._enter)]

    def _enter(self, run: Run) -> None:
        if self.config.encoder != "random":
            self.encoder.load_published()

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """The style is mu and sigma of an exemplar's features."""
        return AdaINStyleCore(
            cast(Encoder, nets["encoder"]), nets["decoder"], cast(StyleBank, nets["bank"]), self.config
        )  # fmt: skip


class AdaINStyleCore(Core):
    """f, g and the styles of training exemplars behind the translator's interface."""

    def __init__(self, encoder: Encoder, decoder: nn.Module, bank: StyleBank, config: AdaINStyleConfig):
        super().__init__()
        self.encoder, self.decoder, self.bank = encoder, decoder, bank
        self.enlarge, self.alpha = config.enlarge, config.alpha
        self.style_dim, self.stride = 2 * encoder.widths[-1], stride(config.enlarge, config.level)

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """g((1 - alpha) f(x) + alpha AdaIN(f(x), s)); the target domain is the style's."""
        f = self.encoder(enlarged(x, self.enlarge))[-1]
        y = self.decoder(torch.lerp(f, adain(f, *s.chunk(2, 1)), self.alpha))  # Eq. 14
        return shrunk(y, self.enlarge).clamp(-1, 1), None

    def sample_style(self, c: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The style of a training exemplar of the target domain."""
        return self.bank.draw(c, generator).to(c)

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        """mu and sigma of exemplars [N, C, H, W]."""
        return torch.cat(mean_std(self.encoder(enlarged(exemplar, self.enlarge))[-1]), 1)
