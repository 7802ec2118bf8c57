"""StarGAN: one generator for many domains, told the target domain at its input."""

from collections.abc import Mapping
from functools import partial

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
from dragoman.losses.gan import wasserstein_critic, wasserstein_generator
from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.stargan import Decoder, Discriminator, Encoder, check_size, with_label


class StarGANConfig(Config):
    """StarGAN; defaults are the published values (128 x 128)."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of G and D."""
    downs: int = Field(2, ge=1, le=4)
    """Strided convolutions of G, and as many transposed ones; fewer keep small images sharp."""
    blocks: int = Field(6, ge=0)
    """Residual blocks of G."""
    d_layers: int = Field(6, ge=1)
    """Strided convolutions of D; size / 2^d_layers pixels remain."""
    n_critic: int = Field(5, ge=1)
    """D is updated this many times as often as G."""
    w_gp: float = 10
    """Weight of the gradient penalty."""
    w_cls: float = 1
    """lambda_cls, Eqs. 5 and 6."""
    w_rec: float = 10
    """lambda_rec, Eq. 6."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class StarGAN(Method):
    """Unified Generative Adversarial Networks for multi-domain translation."""

    paper = "Choi et al., StarGAN: Unified GANs for Multi-Domain Image-to-Image Translation, CVPR 2018"
    needs = "unpaired images of two or more domains, or images with attributes"
    ema = ("G",)
    config_type = StarGANConfig
    config: StarGANConfig

    def __init__(self, config: StarGANConfig, task: Task):
        super().__init__(config, task)
        check_size(task, config.downs, config.d_layers)
        encoder = Encoder(task.channels + len(task.domains), config.width, config.blocks, config.downs)
        self.G = nn.Sequential(encoder, Decoder(task.channels, config.width, config.downs))
        self.D = Discriminator(task, config.width, config.d_layers)

    def d_losses(self, batch: Batch) -> Losses:
        """Eq. 5 with the Wasserstein objective of Eq. 8."""
        x, c_org = batch.image, batch.label
        c_trg = c_org[torch.randperm(len(c_org), device=c_org.device)]
        fake = self.G(with_label(x, c_trg))
        src_real, cls_real = self.D(x)
        src_fake, _ = self.D(fake)
        return {
            "adv": wasserstein_critic(src_real, src_fake),  # Eq. 8
            "gp": gradient_penalty(lambda y: self.D(y)[0], x, fake),  # Eq. 8
            "cls": domain_classification(cls_real, c_org, self.task.exclusive),  # Eq. 2
        }

    def g_losses(self, batch: Batch) -> Losses:
        """Eq. 6."""
        x, c_org = batch.image, batch.label
        c_trg = c_org[torch.randperm(len(c_org), device=c_org.device)]
        fake = self.G(with_label(x, c_trg))
        src_fake, cls_fake = self.D(fake)
        return {
            "adv": wasserstein_generator(src_fake),  # Eq. 8
            "cls": domain_classification(cls_fake, c_trg, self.task.exclusive),  # Eq. 3
            "rec": (x - self.G(with_label(fake, c_org))).abs().mean(),  # Eq. 4
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for each of G and D."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {"G": adam(self.G.parameters()), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D at every step, G at every n_critic-th."""
        c, lr = self.config, linear_decay(steps // 2, steps)
        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr,
                      weights={"adv": 1, "gp": c.w_gp, "cls": c.w_cls}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr, every=c.n_critic,
                      weights={"adv": 1, "cls": c.w_cls, "rec": c.w_rec}),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """Deterministic; D's head classifies."""
        return StarGANCore(nets["G"], nets["D"], 2**self.config.downs)


class StarGANCore(Core):
    """G behind the translator's interface."""

    def __init__(self, G: nn.Module, D: nn.Module, stride: int):
        super().__init__()
        self.G, self.D, self.stride = G, D, stride
        self.stride = stride

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """G(x, c); the style is empty."""
        return self.G(with_label(x, c)), None

    def classify(self, x: Tensor) -> Tensor:
        """D_cls."""
        return self.D(x)[1]
