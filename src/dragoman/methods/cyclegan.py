"""CycleGAN: a generator each way between two domains, held together by the way back."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import linear_decay
from dragoman.inference.translator import Core
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.nets.cyclegan import Generator, ImagePool
from dragoman.nets.patchgan import PatchGAN
from dragoman.nn.init import gaussian


class CycleGANConfig(Config):
    """CycleGAN; defaults are the published values (256 x 256)."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of every network."""
    downs: int = Field(2, ge=0, le=2)
    """Strided convolutions of G and F, and as many transposed ones; fewer keep small images sharp."""
    blocks: int = Field(9, ge=0)
    """Residual blocks of G and F; published: 9, and 6 at 128 x 128."""
    d_layers: int = Field(3, ge=1)
    """Strided convolutions of the discriminators; 3 see 70 x 70 pixels, 2 see 34 x 34, 1 sees 16 x 16."""
    pool: int = Field(50, ge=1)
    """Earlier translations kept for each discriminator."""
    w_rec: float = Field(10, ge=0)
    """lambda, Eq. 3."""
    w_idt: float = Field(5, ge=0)
    """Weight of the identity loss (section 5.2), published as 0.5 lambda; 0 leaves it out."""
    lr: float = Field(2e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""


class CycleGAN(Method):
    """Unpaired image-to-image translation with cycle-consistent adversarial networks. X and Y are the two domains."""

    paper = "Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, ICCV 2017"
    needs = "unpaired images of two domains"
    ema = ("G", "F")
    memories = ("pools",)
    by_domain = True
    config_type = CycleGANConfig
    config: CycleGANConfig

    def __init__(self, config: CycleGANConfig, task: Task):
        super().__init__(config, task)
        task.need_two()
        if task.size % 2**config.downs or task.size >> config.d_layers < 3:
            raise ValueError(f"size {task.size} must be a multiple of {2**config.downs} for downs {config.downs} "
                             f"and at least {3 * 2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip
        shape = (task.channels, task.channels, config.width, config.downs, config.blocks)
        self.G, self.F = Generator(*shape), Generator(*shape)
        self.D_X = PatchGAN(task.channels, config.width, config.d_layers)
        self.D_Y = PatchGAN(task.channels, config.width, config.d_layers)
        self.pools = nn.ModuleDict({domain: ImagePool(config.pool, task) for domain in ("X", "Y")})
        gaussian(self)

    def d_losses(self, batch: Batch) -> Losses:
        """The discriminators' part of Eq. 3, as least squares, on translations out of the pools."""
        x, y = batch.sides()
        of_x = least_squares_discriminator(self.D_X(x), self.D_X(self.pools["X"](self.F(y))))
        of_y = least_squares_discriminator(self.D_Y(y), self.D_Y(self.pools["Y"](self.G(x))))
        return {"adv": of_x + of_y}  # Eq. 1

    def g_losses(self, batch: Batch) -> Losses:
        """The generators' part of Eq. 3, and the identity loss of section 5.2; each the sum of both directions."""
        x, y = batch.sides()
        to_y, to_x = self.G(x), self.F(y)
        losses = {
            "adv": least_squares_generator(self.D_Y(to_y)) + least_squares_generator(self.D_X(to_x)),  # Eq. 1
            "rec": (self.F(to_y) - x).abs().mean() + (self.G(to_x) - y).abs().mean(),  # Eq. 2
        }
        if self.config.w_idt:
            losses["idt"] = (self.G(y) - y).abs().mean() + (self.F(x) - x).abs().mean()
        return losses

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for both generators, one for both discriminators."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {
            "G": adam([*self.G.parameters(), *self.F.parameters()]),
            "D": adam([*self.D_X.parameters(), *self.D_Y.parameters()]),
        }

    def stages(self, steps: int) -> list[Stage]:
        """D, then G, at every step."""
        c, lr = self.config, linear_decay(steps // 2, steps)
        return [
            Stage(name="train", steps=steps, phases=[
                # Section 4: D's loss is halved, so that it learns more slowly.
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"adv": 0.5}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr,
                      weights={"adv": 1, "rec": c.w_rec} | ({"idt": c.w_idt} if c.w_idt else {})),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """G to the second domain, F to the first; deterministic."""
        return CycleGANCore(nets["G"], nets["F"], 2**self.config.downs)


class CycleGANCore(Core):
    """G and F behind the translator's interface."""

    one_way: ClassVar[bool] = True

    def __init__(self, G: nn.Module, F: nn.Module, stride: int):
        super().__init__()
        self.G, self.F, self.stride = G, F, stride

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """F(x) where c names the first domain, G(x) where the second; the style is empty."""
        image = torch.empty_like(x)
        for net, rows in zip((self.F, self.G), c.unbind(1), strict=True):
            chosen = rows.nonzero()[:, 0]
            if len(chosen):
                image[chosen] = net(x[chosen]).to(image.dtype)
        return image, None
