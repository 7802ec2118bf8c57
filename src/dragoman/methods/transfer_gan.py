"""TransferGAN: a GAN for a domain with few images that starts from one trained on many."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.sampler import GeneratorCore
from dragoman.losses.gan import hinge_discriminator, wasserstein_critic, wasserstein_generator
from dragoman.losses.penalties import gradient_penalty
from dragoman.methods.progressive_gan import ProgressiveGAN
from dragoman.nets.gan import BATCH, BATCHES, GANConfig, classes, critic, generator, inherited, judge, need_like
from dragoman.nets.wgan_resnet import conditional_from
from dragoman.nn.statistics_norm import collect_statistics


class TransferGANConfig(Config):
    """TransferGAN; defaults are the published values. Without a source it is WGAN-GP from scratch."""

    gan: GANConfig = GANConfig()
    """The networks; those of the source must be the same."""
    source: Path | None = None
    """Model folder of the pretrained GAN; none for training from scratch."""
    transfer: Literal["both", "generator", "discriminator"] = "both"
    """What starts from the source (Table 2.1)."""
    n_critic: int = Field(5, ge=1)
    """D is updated this many times as often as G."""
    w_gp: float = Field(10, ge=0)
    """lambda of Eq. 2.3."""
    w_cls_d: float = Field(1, ge=0)
    """alpha_D, Eq. 2.8."""
    w_cls_g: float = Field(1, ge=0)
    """alpha_G, Eq. 2.7."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate."""
    lr_d: float | None = Field(None, gt=0)
    """Of D, where it is another."""
    betas: tuple[float, float] = (0.0, 0.9)
    """Of Adam."""

    @model_validator(mode="after")
    def _consistent(self) -> "TransferGANConfig":
        if self.transfer != "both" and self.source is None:
            raise ValueError(f"transfer {self.transfer} needs a source; add --method.source DIR")
        return self


class TransferGAN(Method):
    """Transferring GANs: generating images from limited data. Several domains make it an AC-GAN (thesis 2.4)."""

    paper = "Wang et al., Transferring GANs: Generating Images from Limited Data, ECCV 2018; thesis ch. 2"
    needs = "images of one or more domains, and a model trained on many images to start from"
    ema = ("G",)
    generates = True
    config_type = TransferGANConfig
    config: TransferGANConfig

    def __init__(self, config: TransferGANConfig, task: Task):
        super().__init__(config, task)
        if not task.exclusive:
            raise ValueError(f"needs domains, got attributes ({', '.join(task.domains)}); put the images into folders")
        self.G, self.D = generator(config.gan, task), critic(config.gan, task)
        self.classes = classes(task)

    def sources(self) -> Sequence[Path]:
        """The pretrained GAN."""
        return () if self.config.source is None else (self.config.source,)

    def adopt(self, models: Sequence[Method]) -> None:
        """Start G and D from the source (2.3.4); an unconditional one also starts a conditional GAN (2.4.1).

        Raises:
            ValueError: the source is of another kind, or of other networks or domains.
        """
        for model in models:
            if not isinstance(model, TransferGAN | ProgressiveGAN):
                raise ValueError(f"the source {self.config.source} must be a GAN, got {model.paper}")
            need_like(model.config.gan, model.task, self.config.gan, self.task)
            if model.classes not in (0, self.classes):
                raise ValueError(f"the source has {model.classes} domains, these data {len(self.task.domains)}; "
                                 "take an unconditional source, or as many domains")  # fmt: skip
            if self.config.gan.network == "biggan" and model.classes != self.classes:
                raise ValueError(f"a biggan source has an embedding of its {len(model.task.domains)} domains; "
                                 f"take one of {len(self.task.domains)}")  # fmt: skip
            if self.config.transfer != "discriminator":
                if self.classes and not model.classes:
                    conditional_from(
                        inherited(self.G, model.G), self.G, "concat" if self.config.gan.appended else "bnorm"
                    )
                else:
                    self.G.load_state_dict(inherited(self.G, model.G))
            if self.config.transfer != "generator":
                theirs = inherited(self.D, model.D)
                head = {key: v for key, v in self.D.state_dict().items() if key not in theirs}  # stays random
                self.D.load_state_dict(head | theirs)

    def _fake(self, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Images of uniformly drawn domains, and their codes [N, K]."""
        domains = torch.randint(len(self.task.domains), (count,), device=device)
        c = nn.functional.one_hot(domains, len(self.task.domains)).float()
        return self.G(torch.randn(count, self.config.gan.z_dim, device=device), c), c

    def d_losses(self, batch: Batch) -> Losses:
        """Eqs. 2.3 and 2.8."""
        x, gan = batch.image, self.config.gan
        y, c = self._fake(len(x), x.device)
        real, logits = judge(self.D, gan, x, batch.label if self.classes else None)
        fake, _ = judge(self.D, gan, y, c if self.classes else None)
        if gan.hinge:
            losses = {"gan": hinge_discriminator(real, fake)}
        else:
            losses = {
                "gan": wasserstein_critic(real, fake),  # Eq. 2.3
                "gp": gradient_penalty(lambda i: self.D(i)[0], x, y),  # Eq. 2.3
            }
        if logits is not None:
            losses["cls"] = nn.functional.cross_entropy(logits.float(), batch.label.argmax(1))  # Eq. 2.8
        return losses

    def g_losses(self, batch: Batch) -> Losses:
        """Eqs. 2.4 and 2.7."""
        y, c = self._fake(len(batch.image), batch.image.device)
        value, logits = judge(self.D, self.config.gan, y, c if self.classes else None)
        losses = {"gan": wasserstein_generator(value)}  # Eq. 2.4
        if logits is not None:
            losses["cls"] = nn.functional.cross_entropy(logits.float(), c.argmax(1))  # Eq. 2.7
        return losses

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam each; that of the source is not restored (2.3.4)."""
        c = self.config
        adam = partial(Adam, lr=c.lr, betas=c.betas, fused=True)
        return {"G": adam(self.G.parameters()), "D": adam(self.D.parameters(), lr=c.lr_d or c.lr)}

    def stages(self, steps: int) -> list[Stage]:
        """D at every step, G at every n_critic-th."""
        c, gan = self.config, self.config.gan
        both = self.classes > 0 and not gan.hinge
        penalty = {} if gan.hinge else {"gp": c.w_gp}
        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="D", updates=["D"], losses=self.d_losses,
                      weights={"gan": 1} | penalty | ({"cls": c.w_cls_d} if both else {})),
                Phase(name="G", updates=["G"], losses=self.g_losses, every=c.n_critic,
                      weights={"gan": 1} | ({"cls": c.w_cls_g} if both else {})),
            ])
        ]  # fmt: skip

    def settle(self, nets: Mapping[str, nn.Module]) -> None:
        """Collect the statistics of G's batch norms, so that an image does not depend on its batch."""
        random = torch.Generator().manual_seed(0)
        device, codes = next(nets["G"].parameters()).device, torch.eye(len(self.task.domains))
        batches = [
            (torch.randn(BATCH, self.config.gan.z_dim, generator=random).to(device),
             codes[torch.arange(first, first + BATCH) % len(codes)].to(device))
            for first in range(0, BATCHES * BATCH, BATCH)
        ]  # fmt: skip
        collect_statistics(nets["G"], batches)

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """G."""
        return GANCore(nets["G"], self.config.gan.z_dim)


class GANCore(GeneratorCore):
    """G behind the sampler's interface."""

    def __init__(self, G: nn.Module, noise_dim: int):
        super().__init__()
        self.G, self.noise_dim = G, noise_dim

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G(u, c)."""
        return self.G(u, c)
