"""Progressive GAN: generator and critic grow together, from images of 4 x 4 to the final size."""

from collections.abc import Mapping
from functools import partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.sampler import GeneratorCore
from dragoman.losses.gan import wasserstein_critic, wasserstein_generator
from dragoman.losses.penalties import gradient_penalty
from dragoman.nets.gan import GANConfig
from dragoman.nets.progressive import Critic, Generator, added, level_of
from dragoman.nets.wgan_resnet import up

if TYPE_CHECKING:
    from dragoman.engine.fit import Run


class ProgressiveGANConfig(Config):
    """Progressive GAN; defaults are the published values for CelebA-HQ (appendix A.1)."""

    width: int = Field(512, ge=1)
    """Channels up to side 32, from there halved with every doubling (Table 2)."""
    z_dim: int = Field(512, ge=1)
    """Length of z."""
    first: int = Field(4, ge=4)
    """Side of the images to begin with, a power of 2."""
    fade: float = Field(1, gt=0)
    """Images shown while a size is faded in, in units of those shown while one is stabilised."""
    last: float = Field(1, gt=0)
    """Images shown while the final size is stabilised, in the same units."""
    minibatch: dict[int, float] = {256: 14 / 16, 512: 6 / 16, 1024: 3 / 16}
    """Share of each batch that is used at a size, so that large ones fit into memory; all of it at the others."""
    w_gp: float = Field(10, ge=0)
    """lambda of WGAN-GP."""
    w_drift: float = Field(1e-3, ge=0)
    """epsilon_drift (A.1)."""
    lr: float = Field(1e-3, gt=0)
    """Learning rate."""
    betas: tuple[float, float] = (0.0, 0.99)
    """Of Adam."""

    @field_validator("minibatch")
    @classmethod
    def _shares(cls, value: dict[int, float]) -> dict[int, float]:
        if any(not 0 < share <= 1 for share in value.values()):
            raise ValueError(f"minibatch must be shares of a batch, above 0 and up to 1, got {value}")
        return value

    @property
    def gan(self) -> GANConfig:
        """What a model that starts from this one must have as its networks."""
        return GANConfig(network="progressive", width=self.width, z_dim=self.z_dim)


class ProgressiveGAN(Method):
    """Progressive growing of GANs: WGAN-GP at one size after the other, each faded in over the one before."""

    paper = "Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation, ICLR 2018"
    needs = "images of one kind, square, of a side that is a power of 2"
    ema = ("G",)
    generates = True
    config_type = ProgressiveGANConfig
    config: ProgressiveGANConfig

    def __init__(self, config: ProgressiveGANConfig, task: Task):
        super().__init__(config, task)
        if len(task.domains) != 1:
            raise ValueError(f"makes images of one kind, got {len(task.domains)} domains ({', '.join(task.domains)}); "
                             "give images of one kind")  # fmt: skip
        sizes = (task.channels, task.size, config.width)
        self.G = Generator(*sizes, config.z_dim, first=config.first)
        self.D = Critic(*sizes, first=config.first)
        self.classes = 0

    def real(self, batch: Batch, level: int, alpha: float) -> Tensor:
        """Real images [M, C, S, S], downscaled to S = 4 * 2^level and faded like fakes (Fig. 2); M of the batch's N."""
        x = F.avg_pool2d(batch.image[: self._count(batch, level)], self.task.size >> (level + 2))
        return alpha * x + (1 - alpha) * up(F.avg_pool2d(x, 2)) if alpha < 1 else x

    def fake(self, batch: Batch, level: int, alpha: float) -> Tensor:
        """As many fakes [M, C, S, S]."""
        z = torch.randn(self._count(batch, level), self.config.z_dim, device=batch.image.device)
        return self.G(z, alpha=alpha, level=level)

    def _count(self, batch: Batch, level: int) -> int:
        return max(1, round(len(batch.image) * self.config.minibatch.get(4 << level, 1)))

    def d_losses(self, level: int, batch: Batch, alpha: float = 1.0) -> Losses:
        """WGAN-GP (Gulrajani et al. 2017, Eq. 3), and the drift term of appendix A.1."""
        x, y = self.real(batch, level, alpha), self.fake(batch, level, alpha)
        real, fake = self.D(x, alpha)[0], self.D(y, alpha)[0]
        return {
            "gan": wasserstein_critic(real, fake),
            "gp": gradient_penalty(lambda i: self.D(i, alpha)[0], x, y),
            "drift": real.float().square().mean(),  # A.1: E[D(x)^2]
        }

    def g_losses(self, level: int, batch: Batch, alpha: float = 1.0) -> Losses:
        """WGAN."""
        return {"gan": wasserstein_generator(self.D(self.fake(batch, level, alpha), alpha)[0])}

    @property
    def levels(self) -> range:
        """Of the sizes it grows through."""
        return range(level_of(self.config.first), level_of(self.task.size) + 1)

    def optimizers(self) -> dict[str, Optimizer]:
        """An Adam for what each size adds, and one for its image layer, so that a stage steps only what it uses."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        found: dict[str, Optimizer] = {}
        for name, net, images in (("G", self.G, self.G.to_image), ("D", self.D, self.D.from_image)):
            for level in self.levels:
                begun = range(level + 1) if level == self.levels[0] else [level]
                found[f"{name}{4 << level}"] = adam([p for each in begun for p in added(net, each)])
                found[f"{name}{4 << level}_image"] = adam(images[str(4 << level)].parameters())
        return found

    def stages(self, steps: int) -> list[Stage]:
        """Appendix A.1: the first size is trained; then each is faded in and stabilised, for equally many images."""
        c, first, last = self.config, self.levels[0], self.levels[-1]
        spans = [(level, fading) for level in self.levels for fading in (True, False) if level > first or not fading]
        images = [c.fade if fading else c.last if level == last else 1 for level, fading in spans]
        shares = [count / c.minibatch.get(4 << level, 1) for count, (level, _) in zip(images, spans, strict=True)]
        borders = [round(steps * done / sum(shares)) for done in accumulate(shares, initial=0)]
        return [self._stage(*span, end - start) for span, (start, end) in zip(spans, pairwise(borders), strict=True)]

    def _stage(self, level: int, fading: bool, steps: int) -> Stage:
        """One size, faded in over the one before or alone."""
        c, size = self.config, 4 << level
        used = [str(4 << number) for number in self.levels if number <= level]
        used += [f"{size // 2}_image"] * fading + [f"{size}_image"]
        arguments = {"alpha": partial(faded_in, steps=steps)} if fading else {}
        return Stage(
            name=f"{size}-fade" if fading else f"{size}", steps=steps,
            enter=None if fading else partial(self._enter, level),
            phases=[
                Phase(name="D", updates=[f"D{part}" for part in used], losses=partial(self.d_losses, level),
                      weights={"gan": 1, "gp": c.w_gp, "drift": c.w_drift}, arguments=arguments),
                Phase(name="G", updates=[f"G{part}" for part in used], losses=partial(self.g_losses, level),
                      weights={"gan": 1}, arguments=arguments),
            ],
        )  # fmt: skip

    def _enter(self, level: int, run: "Run") -> None:
        """Note that a size has been faded in."""
        self.G.grown.fill_(level)

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """G at the size up to which it has grown: in the end, the final one."""
        return ProgressiveGANCore(nets["G"], self.config.z_dim, int(self.G.grown))


def faded_in(step: int, steps: int) -> float:
    """alpha at step `step` of `steps`: linear from 0 to 1, taken in the middle of the step."""
    return (step + 0.5) / max(1, steps)


class ProgressiveGANCore(GeneratorCore):
    """G behind the sampler's interface; while it grows, its images are enlarged to the final size."""

    def __init__(self, G: nn.Module, noise_dim: int, level: int):
        super().__init__()
        self.G, self.noise_dim, self.level = G, noise_dim, level

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G(u); there is one kind of image, so c says nothing."""
        image = self.G(u, level=self.level)
        return F.interpolate(image, scale_factor=self.G.size // image.shape[-1], mode="nearest")  # type: ignore[operator]
