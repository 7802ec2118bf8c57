"""DGN-AM: images of a class from a pretrained generator, by gradient ascent of a classifier's answer on the code."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.inference.sampler import GeneratorCore
from dragoman.losses.classification import domain_classification
from dragoman.methods.progressive_gan import ProgressiveGAN
from dragoman.methods.transfer_gan import TransferGAN
from dragoman.nets.classifier import Classifier
from dragoman.nets.gan import RANDOM, GANConfig, generator, inherited, need_like

SOURCE = ("images",)
"""Domains of the source: one, since which class it is to show is the classifier's to say."""


class IterationConfig(Config):
    """What DGN-AM and PPGN share."""

    gan: GANConfig = GANConfig()
    """The generator; that of the source must be the same."""
    source: Path | None = None
    """Model folder of the pretrained GAN, an unconditional one. `random` is one that learnt nothing."""
    iterations: int = Field(200, ge=1)
    """Updates of the code for an image."""
    bound: float = Field(3, gt=0)
    """Codes stay within plus and minus this, in standard deviations of z."""
    width: int = Field(32, ge=1)
    """Channels after the first convolution of the classifier."""
    lr: float = Field(1e-3, gt=0)
    """Learning rate of what is trained."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""


class DGNAMConfig(IterationConfig):
    """DGN-AM; defaults are the published values, but for the step, which depends on the generator's codes."""

    step: float = Field(1, gt=0)
    """Size of the first step along the gradient; later ones fall linearly to 0."""
    decay: float = Field(0.01, ge=0, lt=1)
    """Share of the code that each iteration takes away: the L2 prior."""


class DGNAM(Method):
    """Deep generator network activation maximisation: argmax_z log p(c | G(z)) with an L2 prior on z."""

    paper = "Nguyen et al., Synthesizing the Preferred Inputs for Neurons via Deep Generator Networks, NIPS 2016"
    needs = "images of two or more domains, and an unconditional generator to make them with"
    ema: ClassVar[Sequence[str]] = ("C",)
    frozen: ClassVar[Sequence[str]] = ("G",)
    generates = True
    fits = "cls"
    config_type: ClassVar[type[IterationConfig]] = DGNAMConfig
    config: IterationConfig

    def __init__(self, config: IterationConfig, task: Task):
        super().__init__(config, task)
        if not task.exclusive:
            raise ValueError(f"needs domains, got attributes ({', '.join(task.domains)}); put the images into folders")
        self.G = generator(config.gan, task.model_copy(update={"domains": SOURCE}))
        self.C = Classifier(task.channels, len(task.domains), config.width)

    def sources(self) -> Sequence[Path]:
        """The pretrained GAN.

        Raises:
            ValueError: there is none, or nothing to choose between.
        """
        if len(self.task.domains) < 2:
            raise ValueError(f"a classifier needs two or more domains, got {self.task.domains[0]} alone")
        if self.config.source is None:
            raise ValueError("iterates on the code of a pretrained generator: name its model folder with "
                             "--method.source DIR")  # fmt: skip
        return () if self.config.source == RANDOM else (self.config.source,)

    def adopt(self, models: Sequence[Method]) -> None:
        """Take the generator of the source.

        Raises:
            ValueError: it is of another kind, or of other networks or sizes, or conditional.
        """
        for model in models:
            if not isinstance(model, TransferGAN | ProgressiveGAN):
                raise ValueError(f"the source {self.config.source} must be a GAN, got {model.paper}")
            if model.classes:
                raise ValueError(f"the source {self.config.source} makes {model.classes} domains by their labels; "
                                 "take an unconditional one")  # fmt: skip
            need_like(model.config.gan, model.task, self.config.gan, self.task)
            self.G.load_state_dict(inherited(self.G, model.G))

    def c_losses(self, batch: Batch) -> Losses:
        """Cross-entropy of the classifier on real images."""
        return {"cls": domain_classification(self.C(batch.image), batch.label, exclusive=True)}

    def optimizers(self) -> dict[str, Optimizer]:
        """Adam for the classifier."""
        return {"C": self.adam(self.C)}

    def adam(self, net: nn.Module) -> Optimizer:
        """Of a network's parameters."""
        return Adam(net.parameters(), lr=self.config.lr, betas=self.config.betas, fused=True)

    def stages(self, steps: int) -> list[Stage]:
        """The classifier; the generator stays as it is."""
        return [self.classifying(steps)]

    def classifying(self, steps: int) -> Stage:
        """Training of the classifier, its rate falling linearly to 0 over the second half."""
        return Stage(name="classifier", steps=steps, phases=[
            Phase(name="C", updates=["C"], losses=self.c_losses, weights={"cls": 1},
                  lr=linear_decay(steps // 2, steps)),
        ])  # fmt: skip

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """Generator and classifier."""
        assert isinstance(self.config, DGNAMConfig)
        return DGNAMCore(nets, self.config)


class Ascent(GeneratorCore):
    """A generator and a classifier, and how the latter's answer changes with the code."""

    def __init__(self, nets: Mapping[str, nn.Module], config: IterationConfig):
        super().__init__()
        self.G, self.C = nets["G"], nets["C"]
        self.z_dim, self.iterations, self.bound = config.gan.z_dim, config.iterations, config.bound
        self.noise_dim = self.z_dim

    def image(self, z: Tensor) -> Tensor:
        """G(z): codes [N, Z] to images [N, C, H, W]."""
        return self.G(z, z.new_ones(len(z), len(SOURCE)))

    def log_probability(self, x: Tensor, c: Tensor) -> Tensor:
        """log p(c | x), [N], of images [N, C, H, W] and domain codes [N, K]."""
        return (c * F.log_softmax(self.C(x).float(), 1)).sum(1)

    def climb(self, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """G(z) [N, C, H, W] and d log p(c | G(z)) / dz [N, Z]; each row is its own image's."""
        with torch.enable_grad():
            z = z.detach().requires_grad_(True)
            x = self.image(z.clone())  # counting operations hooks what enters a network, which must not be a leaf
            (slope,) = torch.autograd.grad(self.log_probability(x, c).sum(), z)
        return x.detach(), slope


class DGNAMCore(Ascent):
    """Gradient ascent behind the sampler's interface."""

    def __init__(self, nets: Mapping[str, nn.Module], config: DGNAMConfig):
        super().__init__(nets, config)
        self.step, self.decay = config.step, config.decay

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G(z) after all iterations from z = u."""
        z = u
        for t in range(self.iterations):
            z = self.update(z, c, t)
        return self.image(z)

    def update(self, z: Tensor, c: Tensor, t: int) -> Tensor:
        """Iteration t, from 0, of codes z [N, Z]: uphill, back within the bound, and a share towards 0."""
        _, slope = self.climb(z, c)
        step = self.step * (1 - t / self.iterations)
        return (1 - self.decay) * (z + step * slope).clamp(-self.bound, self.bound)
