"""PPGN: DGN-AM with a learned prior on the code and with noise, so that iterating samples and does not only climb."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.inference.sampler import GeneratorCore
from dragoman.methods.dgn_am import DGNAM, Ascent, IterationConfig


class PPGNConfig(IterationConfig):
    """PPGN; defaults are the published values, which are for codes of another generator."""

    eps1: float = Field(1e-5, ge=0)
    """epsilon_1, Eq. 11: of the prior, R(z) - z."""
    eps2: float = Field(1, ge=0)
    """epsilon_2: of the condition, d log p(c | G(z)) / dz."""
    eps3: float = Field(1e-17, ge=0)
    """epsilon_3: standard deviation of the noise that each iteration adds."""
    classifier: Path | None = None
    """Model folder of a DGN-AM or PPGN whose classifier to use as it is; none to train one first."""
    classifying: float = Field(0.5, gt=0, lt=1)
    """Share of the steps in which the classifier is trained, the encoder in the rest."""


class Encoder(nn.Module):
    """Convs 3x3 of stride 2 with batch norm and ReLU, from `width` channels doubled up to 8 times, to side 4; linear.

    Args:
        channels, size: Of the images.
        width: Channels after the first conv.
        z_dim: Length of the code.
    """

    def __init__(self, channels: int, size: int, width: int, z_dim: int):
        super().__init__()
        layers: list[nn.Module] = []
        while size > 4:
            out = min(2 * channels, 8 * width) if layers else width
            layers += [nn.Conv2d(channels, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(True)]
            channels, size = out, (size + 1) // 2
        self.convs = nn.Sequential(*layers)
        self.code = nn.Linear(channels * size**2, z_dim)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to [N, Z]."""
        return self.code(self.convs(x).flatten(1))


class PPGN(DGNAM):
    """Plug & Play Generative Networks, the Noiseless Joint PPGN-h: R(z) = E(G(z)), here with G given and E learnt."""

    paper = "Nguyen et al., Plug & Play Generative Networks, CVPR 2017"
    ema = ("C", "E")
    config_type = PPGNConfig
    config: PPGNConfig

    def __init__(self, config: PPGNConfig, task: Task):
        super().__init__(config, task)
        self.E = Encoder(task.channels, task.size, config.width, config.gan.z_dim)
        if config.classifier is not None:
            self.frozen = ("G", "C")  # type: ignore[misc]

    def sources(self) -> Sequence[Path]:
        """The pretrained GAN, and the model whose classifier is used."""
        given = self.config.classifier
        return [*super().sources(), *(() if given is None else (given,))]

    def adopt(self, models: Sequence[Method]) -> None:
        """Take the generator of the source, and the classifier.

        Raises:
            ValueError: either does not fit.
        """
        given = models[-1:] if self.config.classifier is not None else ()
        super().adopt(models[: len(models) - len(given)])
        for model in given:
            if not isinstance(model, DGNAM):
                raise ValueError(f"{self.config.classifier} must be a DGN-AM or PPGN, got {model.paper}")
            self._need_classifier(model)
            self.C.load_state_dict(model.C.state_dict())

    def _need_classifier(self, model: DGNAM) -> None:
        given, theirs, own = self.config.classifier, model.task, self.task
        if model.config.width != self.config.width:
            raise ValueError(f"the classifier of {given} has width {model.config.width}, not {self.config.width}; "
                             f"add --method.width {model.config.width}")  # fmt: skip
        if (theirs.domains, theirs.channels) != (own.domains, own.channels):
            raise ValueError(f"the classifier of {given} is of {', '.join(theirs.domains)} in {theirs.channels} "
                             f"channels, these data are {', '.join(own.domains)} in {own.channels}; "
                             "take a model of the same data")  # fmt: skip

    def e_losses(self, batch: Batch) -> Losses:
        """|E(G(z)) - z|^2 per entry, z ~ N(0, I): the code that is to be read off an image."""
        z = torch.randn(len(batch.image), self.config.gan.z_dim, device=batch.image.device)
        x = self.G(z, z.new_ones(len(z), 1))
        return {"code": (self.E(x).float() - z).square().mean()}

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam each for encoder and classifier (if it is trained)."""
        return {"E": self.adam(self.E)} | ({} if self.config.classifier is not None else super().optimizers())

    def stages(self, steps: int) -> list[Stage]:
        """The classifier, unless it is given; then the encoder, its rate falling linearly over the second half."""
        given = self.config.classifier is not None
        first = 0 if given else min(max(1, round(self.config.classifying * steps)), steps - 1)
        rest = steps - first
        encoding = Stage(name="encoder", steps=rest, phases=[
            Phase(name="E", updates=["E"], losses=self.e_losses, weights={"code": 1}, lr=linear_decay(rest // 2, rest)),
        ])  # fmt: skip
        return [encoding] if given else [self.classifying(first), encoding]

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """Generator, classifier and encoder."""
        return PPGNCore(nets, self.config)


class PPGNCore(Ascent):
    """The iterations behind the sampler's interface; u is the first code and the noise of each iteration."""

    def __init__(self, nets: Mapping[str, nn.Module], config: PPGNConfig):
        super().__init__(nets, config)
        self.E = nets["E"]
        self.eps1, self.eps2, self.eps3 = config.eps1, config.eps2, config.eps3
        self.noise_dim = self.z_dim * (1 + self.iterations)

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G(z) after all iterations."""
        z, *noise = u.split(self.z_dim, 1)
        for n in noise:
            z = self.update(z, c, n)
        return self.image(z)

    def update(self, z: Tensor, c: Tensor, n: Tensor) -> Tensor:
        """One iteration of codes z [N, Z] with noise n [N, Z] ~ N(0, I)."""
        x, slope = self.climb(z, c)
        with torch.no_grad():
            z = z + self.eps1 * (self.E(x) - z) + self.eps2 * slope + self.eps3 * n  # Eq. 11
        return z.clamp(-self.bound, self.bound)
