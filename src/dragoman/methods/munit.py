"""MUNIT: content that two domains share, and a style of each, exchanged through adaptive instance norms."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.translator import Core
from dragoman.losses.gan import least_squares_discriminator, least_squares_generator
from dragoman.nn.blocks import ReflectResBlock
from dragoman.nn.init import gaussian
from dragoman.nn.norm import PlainInstanceNorm


class MUNITConfig(Config):
    """MUNIT; defaults are the published values (256 x 256)."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of every network but the MLP."""
    downs: int = Field(2, ge=0, le=2)
    """Strided convolutions of E^c, and upsamplings of G; E^s has two more. Fewer keep small images sharp."""
    blocks: int = Field(4, ge=1)
    """Residual blocks of each of E^c and G."""
    style_dim: int = Field(8, ge=1)
    """Length of the style code."""
    scales: int = Field(3, ge=1)
    """Discriminators of each domain, each on images of half the size of the one before."""
    d_layers: int = Field(4, ge=1)
    """Strided convolutions of each discriminator."""
    w_x: float = Field(10, ge=0)
    """lambda_x, Eq. 5."""
    w_c: float = Field(1, ge=0)
    """lambda_c, Eq. 5."""
    w_s: float = Field(1, ge=0)
    """lambda_s, Eq. 5."""
    w_cyc: float = Field(0, ge=0)
    """Weight of the style-augmented cycle consistency; 0 leaves it out, 10 was used between synthetic and real streets
    and between summer and winter."""
    lr: float = Field(1e-4, gt=0)
    """Learning rate."""
    halve_every: int = Field(100_000, ge=1)
    """Steps after which the learning rate is halved, again and again."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""
    weight_decay: float = Field(1e-4, ge=0)
    """Of Adam, as an L2 penalty."""

    @property
    def features(self) -> int:
        """Channels F of the content code."""
        return self.width * 2**self.downs


class LayerNorm(nn.Module):
    """(x - mean) / (std + eps) over channels, height and width of each image, in fp32, scaled and shifted per channel.

    std is the unbiased one. The scale starts uniform in [0, 1].
    """

    EPS = 1e-5

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] to the same shape."""
        y = x.float()
        std, mean = torch.std_mean(y, (1, 2, 3), keepdim=True)
        return ((y - mean) / (std + self.EPS) * self.gamma + self.beta).to(x.dtype)


def strided(channels: int, out: int) -> nn.Conv2d:
    """Conv 4x4 of stride 2, padding by reflection."""
    return nn.Conv2d(channels, out, 4, 2, 1, padding_mode="reflect")


class ContentEncoder(nn.Sequential):
    """E^c: conv 7x7, `downs` convs 4x4 of stride 2, each with IN and ReLU, and residual blocks: [N, F, h, w]."""

    def __init__(self, channels: int, config: MUNITConfig):
        width = config.width
        body = [nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect"), PlainInstanceNorm(), nn.ReLU(True)]
        for _ in range(config.downs):
            body += [strided(width, 2 * width), PlainInstanceNorm(), nn.ReLU(True)]
            width *= 2
        super().__init__(*body, *(ReflectResBlock(width) for _ in range(config.blocks)))


class StyleEncoder(nn.Sequential):
    """E^s: conv 7x7, `downs` + 2 convs 4x4 of stride 2, each with ReLU; mean over the pixels; linear: [N, style_dim].

    There is no IN, which would remove the statistics that carry the style.
    """

    def __init__(self, channels: int, config: MUNITConfig):
        wide = [config.width * 2**level for level in range(config.downs + 1)] + [config.features] * 2
        body = [nn.Conv2d(channels, wide[0], 7, padding=3, padding_mode="reflect"), nn.ReLU(True)]
        for here, after in pairwise(wide):
            body += [strided(here, after), nn.ReLU(True)]
        super().__init__(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide[-1], config.style_dim))


class Decoder(nn.Module):
    """G: residual blocks whose norms an MLP of the style sets (AdaIN); upsamplings with conv 5x5, LN, ReLU; conv 7x7.

    LN keeps the means and variances of the channels, relative to each other, which AdaIN has set.
    """

    def __init__(self, channels: int, config: MUNITConfig):
        super().__init__()
        width = config.features
        self.mlp = nn.Sequential(
            nn.Linear(config.style_dim, 256), nn.ReLU(True), nn.Linear(256, 256), nn.ReLU(True),
            nn.Linear(256, 4 * width * config.blocks),
        )  # fmt: skip
        self.blocks = nn.ModuleList(ReflectResBlock(width) for _ in range(config.blocks))
        body: list[nn.Module] = []
        for _ in range(config.downs):
            conv = nn.Conv2d(width, width // 2, 5, padding=2, padding_mode="reflect")
            body += [nn.Upsample(scale_factor=2), conv, LayerNorm(width // 2), nn.ReLU(True)]
            width //= 2
        self.ups = nn.Sequential(*body, nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh())

    def forward(self, c: Tensor, s: Tensor) -> Tensor:
        """Content [N, F, h, w] and style [N, style_dim] to images [N, C, H, W]."""
        styles = self.mlp(s).split(c.shape[1], 1)
        for number, block in enumerate(self.blocks):
            c = block(c, styles[4 * number : 4 * number + 2], styles[4 * number + 2 : 4 * number + 4])
        return self.ups(c)


class Discriminator(nn.ModuleList):
    """The same network at each scale: convs 4x4 of stride 2, width doubling, LeakyReLU 0.2, no norm; conv 1x1."""

    def __init__(self, channels: int, config: MUNITConfig):
        wide = [channels, *(config.width * 2**layer for layer in range(config.d_layers))]
        super().__init__()
        for _ in range(config.scales):
            body: list[nn.Module] = []
            for here, after in pairwise(wide):
                body += [strided(here, after), nn.LeakyReLU(0.2, True)]
            self.append(nn.Sequential(*body, nn.Conv2d(wide[-1], 1, 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, C, H, W] to the realness [N, 1, h, w] at each scale, the full one first."""
        found = []
        for net in self:
            found.append(net(x))
            x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
        return found


class Both(nn.ModuleList):
    """A network of each domain."""

    def forward(self, domain: int, *inputs: Tensor) -> Tensor:
        """The output of the network of domain 0 or 1."""
        return self[domain](*inputs)


def total(terms: list[Tensor]) -> Tensor:
    """Their sum."""
    return torch.stack(terms).sum()


def check_size(task: Task, config: MUNITConfig) -> None:
    """Raise ValueError unless G gives back the size and something remains after each discriminator's convolutions."""
    shrinks = config.scales - 1 + config.d_layers
    if task.size % 2**config.downs or task.size < 2**shrinks:
        raise ValueError(
            f"size {task.size} must be a multiple of {2**config.downs} for downs {config.downs} and at least "
            f"{2**shrinks} for scales {config.scales} and d_layers {config.d_layers}"
        )


class MUNIT(Method):
    """Multimodal unsupervised image-to-image translation. The paper's domains 1 and 2 are 0 and 1 here."""

    paper = "Huang et al., Multimodal Unsupervised Image-to-Image Translation, ECCV 2018"
    needs = "unpaired images of two domains"
    ema = ("E_c", "E_s", "G")
    by_domain = True
    config_type = MUNITConfig
    config: MUNITConfig

    def __init__(self, config: MUNITConfig, task: Task):
        super().__init__(config, task)
        task.need_two()
        check_size(task, config)
        self.E_c = Both(ContentEncoder(task.channels, config) for _ in range(2))
        self.E_s = Both(StyleEncoder(task.channels, config) for _ in range(2))
        self.G = Both(Decoder(task.channels, config) for _ in range(2))
        self.D = nn.ModuleList(Discriminator(task.channels, config) for _ in range(2))
        for net in (self.E_c, self.E_s, self.G):
            gaussian(net, std=None)
        # N(0, 0.02) at the published width. D has no norms: at another width, too, signals shall keep that size.
        gaussian(self.D, 0.02 * (64 / config.width) ** 0.5)

    def styles(self, x: Tensor) -> Tensor:
        """s ~ N(0, I) for each image: [N, style_dim]."""
        return torch.randn(len(x), self.config.style_dim, device=x.device)

    def d_losses(self, batch: Batch) -> Losses:
        """The discriminators' part of Eq. 5, as least squares, summed over scales and domains."""
        x, terms = batch.sides(), list[Tensor]()
        for i in (0, 1):
            fake = self.G(i, self.E_c(1 - i, x[1 - i]), self.styles(x[i]))
            terms += map(least_squares_discriminator, self.D[i](x[i]), self.D[i](fake))
        return {"adv": total(terms)}  # Eq. 4

    def g_losses(self, batch: Batch) -> Losses:
        """The part of Eq. 5 of the encoders and decoders; each term is the sum of both domains'."""
        x = batch.sides()
        content = [self.E_c(i, x[i]) for i in (0, 1)]
        style = [self.E_s(i, x[i]) for i in (0, 1)]
        terms: dict[str, list[Tensor]] = {name: [] for name in self.weights()}
        for i in (0, 1):
            other, s = 1 - i, self.styles(x[i])
            fake = self.G(i, content[other], s)
            back = self.E_c(i, fake)
            terms["rec"].append((self.G(i, content[i], style[i]) - x[i]).abs().mean())  # Eq. 1
            terms["rec_c"].append((back - content[other]).abs().mean())  # Eq. 2
            terms["rec_s"].append((self.E_s(i, fake) - s).abs().mean())  # Eq. 3
            terms["adv"] += map(least_squares_generator, self.D[i](fake))  # Eq. 4
            if self.config.w_cyc:
                terms["cyc"].append((self.G(other, back, style[other]) - x[other]).abs().mean())
        return {name: total(found) for name, found in terms.items()}

    def weights(self) -> dict[str, float]:
        """Of `g_losses`."""
        c = self.config
        return {"adv": 1, "rec": c.w_x, "rec_c": c.w_c, "rec_s": c.w_s} | ({"cyc": c.w_cyc} if c.w_cyc else {})

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for the encoders and decoders, one for the discriminators."""
        c = self.config
        adam = partial(Adam, lr=c.lr, betas=c.betas, weight_decay=c.weight_decay, fused=True)
        nets = (self.E_c, self.E_s, self.G)
        return {"G": adam([p for net in nets for p in net.parameters()]), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D, then the encoders and decoders, at every step."""

        def lr(step: int) -> float:
            return 0.5 ** (step // self.config.halve_every)

        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr, weights={"adv": 1}),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr, weights=self.weights()),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """Content of the input, style of the target: drawn, or an exemplar's."""
        return MUNITCore(nets["E_c"], nets["E_s"], nets["G"], self.config.style_dim, 2**self.config.downs)


class MUNITCore(Core):
    """E^c, E^s and G behind the translator's interface."""

    one_way: ClassVar[bool] = True

    def __init__(self, E_c: nn.Module, E_s: nn.Module, G: nn.Module, style_dim: int, stride: int):
        super().__init__()
        self.E_c, self.E_s, self.G = E_c, E_s, G
        self.style_dim, self.stride = style_dim, stride

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        """G_c(E^c_other(x), s), each image on its own side."""
        image = torch.empty_like(x)
        for target, rows in enumerate(c.unbind(1)):
            chosen = rows.nonzero()[:, 0]
            if len(chosen):
                image[chosen] = self.G(target, self.E_c(1 - target, x[chosen]), s[chosen]).to(image.dtype)
        return image, None

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        """E^s_c(exemplar)."""
        style = exemplar.new_empty(len(exemplar), self.style_dim)
        for target, rows in enumerate(c.unbind(1)):
            chosen = rows.nonzero()[:, 0]
            if len(chosen):
                style[chosen] = self.E_s(target, exemplar[chosen]).to(style.dtype)
        return style
