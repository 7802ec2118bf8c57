"""UNIT: two VAE-GANs with a shared latent space translate between two domains without pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.engine.schedules import polynomial_decay
from dragoman.inference.translator import Core
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.losses.latent import kl_unit_variance
from dragoman.nets.unit import Discriminators, Encoders, Generators, noisy
from dragoman.nn.init import gaussian


class UNITConfig(Config):
    """UNIT; defaults are the published values."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of E and D."""
    downs: int = Field(2, ge=0, le=4)
    """Strided convolutions of E and transposed ones of G; 0 for digits (n_1 counts one more)."""
    blocks: int = Field(4, ge=2)
    """Residual blocks of each of E and G, one of them shared (n_2)."""
    d_layers: int = Field(4, ge=1)
    """Strided convolutions of D (n_3 counts one more)."""
    w_gan: float = Field(10, ge=0)
    """lambda_0."""
    w_kl: float = Field(0.1, ge=0)
    """lambda_1."""
    w_rec: float = Field(100, ge=0)
    """lambda_2."""
    w_kl_cyc: float = Field(0.1, ge=0)
    """lambda_3."""
    w_cyc: float = Field(100, ge=0)
    """lambda_4."""
    g_updates: int = Field(1, ge=1)
    """Updates of E and G, each on a fresh batch, for one of D."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate."""
    power: float = Field(0, ge=0)
    """Of the polynomial decay of the learning rate; 0 keeps it constant."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""

    @property
    def features(self) -> int:
        """Channels F of the latent code."""
        return self.width * 2**self.downs


@dataclass(frozen=True)
class Flows:
    """Everything that a batch (x_a, x_b) becomes: f are its guides, h the means of latent codes, x_ab is A's in B."""

    f_a: Tensor | None
    f_b: Tensor | None
    h_a: Tensor
    h_b: Tensor
    x_aa: Tensor
    x_bb: Tensor
    x_ab: Tensor
    x_ba: Tensor
    h_ab: Tensor
    h_ba: Tensor
    x_aba: Tensor
    x_bab: Tensor


class UNIT(Method):
    """Unsupervised Image-to-Image Translation Networks."""

    paper = "Liu, Breuel, Kautz: Unsupervised Image-to-Image Translation Networks, NIPS 2017"
    needs = "unpaired images of two domains"
    ema = ("E", "G")
    by_domain = True
    config_type = UNITConfig
    config: UNITConfig

    def __init__(self, config: UNITConfig, task: Task):
        super().__init__(config, task)
        task.need_two()
        if task.size % 2**config.downs or task.size <= 2**config.d_layers:
            raise ValueError(f"size {task.size} must be a multiple of {2**config.downs} for downs {config.downs} "
                             f"and above {2**config.d_layers} for d_layers {config.d_layers}")  # fmt: skip
        sizes = (task.channels, config.width, config.downs, config.blocks)
        self.E = Encoders(*sizes)
        self.G = Generators(*sizes)
        self.D = Discriminators(task.channels, config.width, config.d_layers)
        self.initialise()

    def initialise(self) -> None:
        """Draw all weights: N(0, 0.02) at the published width, and so that signals keep that size at any other."""
        gaussian(self, 0.02 * (64 / self.config.width) ** 0.5)

    def guides(self, a: Tensor, b: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """What else of the images of A and B goes into decoding: nothing in UNIT."""
        return None, None

    def decode(self, z: Tensor, domain: int, source: Tensor | None = None, exemplar: Tensor | None = None) -> Tensor:
        """A latent code [N, F, h, w] to an image [N, C, H, W] of a domain, with the guides of source and exemplar."""
        return self.G(self.G.content(z), domain)

    def translations(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """x_ab and x_ba."""
        f_a, f_b = self.guides(a, b)
        z_a, z_b = noisy(self.E(a, 0)), noisy(self.E(b, 1))
        return self.decode(z_a, 1, f_a, f_b), self.decode(z_b, 0, f_b, f_a)

    def flows(self, a: Tensor, b: Tensor) -> Flows:
        """The four flows A-A, B-B, A-B, B-A, and the two cycles. A cycle is guided by its own first image."""
        f_a, f_b = self.guides(a, b)
        h_a, h_b = self.E(a, 0), self.E(b, 1)
        z_a, z_b = noisy(h_a), noisy(h_b)
        x_ab, x_ba = self.decode(z_a, 1, f_a, f_b), self.decode(z_b, 0, f_b, f_a)
        h_ab, h_ba = self.E(x_ab, 1), self.E(x_ba, 0)
        return Flows(
            f_a, f_b, h_a, h_b, self.decode(z_a, 0, f_a, f_a), self.decode(z_b, 1, f_b, f_b), x_ab, x_ba, h_ab, h_ba,
            self.decode(noisy(h_ab), 0, f_a, f_a), self.decode(noisy(h_ba), 1, f_b, f_b),
        )  # fmt: skip

    def d_losses(self, batch: Batch) -> Losses:
        """The GAN loss of D_A and D_B."""
        a, b = batch.sides()
        x_ab, x_ba = self.translations(a, b)
        of_a = least_squares_discriminator(self.D(a, 0), self.D(x_ba, 0))
        return {"gan": of_a + least_squares_discriminator(self.D(b, 1), self.D(x_ab, 1))}

    def g_losses(self, batch: Batch) -> Losses:
        """The VAE, GAN and cycle losses of E and G, each the sum of both domains' or directions'."""
        a, b = batch.sides()
        return self.terms(a, b, self.flows(a, b))

    def terms(self, a: Tensor, b: Tensor, x: Flows) -> Losses:
        """The losses of the flows `x` of images a and b."""
        return {
            "gan": least_squares_generator(self.D(x.x_ab, 1)) + least_squares_generator(self.D(x.x_ba, 0)),
            "kl": kl_unit_variance(x.h_a) + kl_unit_variance(x.h_b),
            "rec": (x.x_aa - a).abs().mean() + (x.x_bb - b).abs().mean(),
            "kl_cyc": kl_unit_variance(x.h_ab) + kl_unit_variance(x.h_ba),
            "cyc": (x.x_aba - a).abs().mean() + (x.x_bab - b).abs().mean(),
        }

    def weights(self) -> dict[str, float]:
        """Of `g_losses`."""
        c = self.config
        return {"gan": c.w_gan, "kl": c.w_kl, "rec": c.w_rec, "kl_cyc": c.w_kl_cyc, "cyc": c.w_cyc}

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for E and G, one for D."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        return {"G": adam([*self.E.parameters(), *self.G.parameters()]), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D once, then E and G `g_updates` times."""
        return [self.translating(steps)]

    def translating(self, steps: int) -> Stage:
        """The stage that trains E, G and D."""
        c, lr = self.config, polynomial_decay(steps, self.config.power)
        return Stage(name="translate", steps=steps, phases=[
            Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"gan": c.w_gan / 2}),
            Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr, weights=self.weights(), repeat=c.g_updates),
        ])  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """E of the other domain, then G of the target's, without noise."""
        return UNITCore(nets["E"], nets["G"], 2**self.config.downs)


class UNITCore(Core):
    """E and G behind the translator's interface."""

    one_way: ClassVar[bool] = True

    def __init__(self, E: nn.Module, G: nn.Module, stride: int):
        super().__init__()
        self.E, self.G, self.stride = E, G, stride

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """G_c(E_other(x)); each image on its own side."""
        image = torch.empty_like(x)
        for target, rows in enumerate(c.unbind(1)):
            chosen = rows.nonzero()[:, 0]
            if len(chosen):
                content = self.G.content(self.E(x[chosen], 1 - target))  # type: ignore[operator]
                image[chosen] = self.G(content, target).to(image.dtype)
        return image, None
