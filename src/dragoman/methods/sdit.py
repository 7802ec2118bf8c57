"""SDIT: scalable (one generator for every domain) and diverse (a latent code in the norms), localised by attention."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

import torch
from pydantic import Field, model_validator
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
from dragoman.nets.stargan import Decoder, Encoder, Trunk, check_size, with_label
from dragoman.nn.blocks import CINResBlock, ResBlock
from dragoman.nn.init import gaussian
from dragoman.nn.norm import InstanceNorm


class SDITConfig(Config):
    """SDIT; defaults are the published values (128 x 128)."""

    width: int = Field(64, ge=1)
    """Channels of the first layer of E and D."""
    downs: int = Field(2, ge=1, le=4)
    """Strided convolutions of E, and transposed ones of G; fewer keep small images sharp."""
    blocks: int = Field(6, ge=1)
    """Residual blocks of each of E, T^c and T^a."""
    cin_blocks: int = Field(4, ge=1)
    """Residual blocks of T^c, from the first, whose norms are conditional; M has 4 F numbers for each."""
    d_layers: int = Field(6, ge=1)
    """Strided convolutions of D; size / 2^d_layers pixels remain."""
    z_dim: int = Field(8, ge=1)
    """Length of the latent code z."""
    cin: Literal["both", "beta", "gamma", "none"] = "both"
    """What of CIN (Eq. 6.10) depends on z (Fig. 6.6): beta and gamma, one of them, or neither."""
    attention: bool = True
    """Whether Eq. 6.9 combines by attention; without, h = f."""
    attention_channels: Literal["one", "features"] = "one"
    """One attention map, or one per feature."""
    n_critic: int = Field(5, ge=1)
    """D is updated this many times as often as E, M and G."""
    w_gan: float = 1
    """lambda_GAN, Eq. 6.8."""
    w_gp: float = 10
    """Weight of the gradient penalty."""
    w_real: float = 1
    """lambda_REAL, Eq. 6.8."""
    w_fake: float = 1
    """lambda_FAKE, Eq. 6.8."""
    w_lat: float = Field(800, ge=0)
    """lambda_LAT, Eq. 6.8; the thesis prints the values of lambda_LAT and lambda_REC swapped."""
    w_lat_d: float | None = Field(None, gt=0)
    """lambda_LAT in D's step, if it is to differ: a large one there turns D from a critic into a regressor of z."""
    w_rec: float = 10
    """lambda_REC, Eq. 6.8."""
    w_idt: float = Field(0, ge=0)
    """Weight of |x - G(E(x, l_sc), M(z))|, CycleGAN's identity loss, falling to 0 over the first half of the steps.

    Not in SDIT: it keeps the colours of short runs, and later would only keep z from showing.
    """
    lr: float = Field(1e-4, gt=0)
    """Learning rate, decaying linearly to 0 over the last half of the steps."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""

    @property
    def features(self) -> int:
        """Channels F of the bottleneck."""
        return self.width * 2**self.downs

    @model_validator(mode="after")
    def _consistent(self) -> "SDITConfig":
        if self.cin_blocks > self.blocks:
            raise ValueError(f"cin_blocks {self.cin_blocks} must be at most blocks {self.blocks}")
        if self.cin == "none" and self.w_lat > 0:
            raise ValueError("cin none leaves no way for z into the image: set w_lat to 0 as well")
        return self


class MLP(nn.Sequential):
    """M(z): two fully connected layers, 256 and 4096 units (6.4), giving the gamma and beta of every CIN block."""

    def __init__(self, z_dim: int, features: int, blocks: int):
        last = nn.Linear(256, 4 * features * blocks)
        super().__init__(nn.Linear(z_dim, 256), nn.ReLU(True), last)
        gaussian(self, std=None)  # at the 0.02 of the convolutions z would leave no trace for F_rec to find
        # Each block reads two gamma, then two beta; like every norm's scale, gamma starts at 1.
        last.bias.data.view(blocks, 2, -1)[:, 0] = 1


class Generator(nn.Module):
    """G(e, M(z)): T^c with CIN, T^a with a sigmoid, Eq. 6.9, and the fractionally strided convolutions."""

    def __init__(self, channels: int, config: SDITConfig):
        super().__init__()
        self.cin, width = config.cin, config.features
        conditional = 0 if config.cin == "none" else config.cin_blocks
        self.content = nn.ModuleList(
            CINResBlock(width) if i < conditional else ResBlock(width) for i in range(config.blocks)
        )
        maps = 1 if config.attention_channels == "one" else width
        self.attention = (
            nn.Sequential(
                *(ResBlock(width) for _ in range(config.blocks)),
                nn.Conv2d(width, maps, 3, padding=1, bias=False), InstanceNorm(maps), nn.Sigmoid(),
            )
            if config.attention
            else None
        )  # fmt: skip
        self.decoder = Decoder(channels, config.width, config.downs)

    def forward(self, e: Tensor, m: Tensor) -> tuple[Tensor, Tensor | None]:
        """e = E(x, l) [N, F, h, w] and M(z) to the image [N, C, H, W] and the attention a [N, 1 or F, h, w]."""
        f, width = e, e.shape[1]
        styles: list[Tensor | None] = list(m.split(width, 1))
        for number, block in enumerate(self.content):  # f = T^c(e, M(z))
            if isinstance(block, CINResBlock):
                gamma, beta = styles[4 * number : 4 * number + 2], styles[4 * number + 2 : 4 * number + 4]
                fixed: list[Tensor | None] = [None, None]
                f = block(f, gamma if self.cin in ("both", "gamma") else fixed,
                          beta if self.cin in ("both", "beta") else fixed)  # Eq. 6.10  # fmt: skip
            else:
                f = block(f)
        if self.attention is None:
            return self.decoder(f), None
        a = self.attention(e)  # a = T^a(e)
        return self.decoder((1 - a) * e + a * f), a  # Eq. 6.9


class Discriminator(nn.Module):
    """D(x) -> {D_src(x), D_cls(x), F_rec(x)} (6.3.1): one trunk, three heads of one conv 3x3 (6.4)."""

    def __init__(self, task: Task, config: SDITConfig):
        super().__init__()
        self.trunk = Trunk(task.channels, config.width, config.d_layers)
        width, left = self.trunk.out_channels, task.size >> config.d_layers
        self.src = nn.Conv2d(width, 1, 3, padding=1, bias=False)
        self.cls = nn.Conv2d(width, len(task.domains), 3, padding=1, bias=False)
        self.rec = nn.Conv2d(width, 8, 3, padding=1, bias=False)
        self.rec_fc = nn.Linear(8 * left * left, config.z_dim)  # 32 -> 8 at 128 x 128

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, C, size, size] to realness [N, 1, h, w], domain logits [N, K] and the code [N, Z]."""
        h = self.trunk(x)
        return self.src(h), self.cls(h).mean((2, 3)), self.rec_fc(self.rec(h).flatten(1))


class SDIT(Method):
    """Scalable and Diverse Cross-domain Image Translation."""

    paper = "Wang et al., SDIT: Scalable and Diverse Cross-domain Image Translation, ACM MM 2019; thesis ch. 6"
    needs = "unpaired images of two or more domains, or images with attributes"
    ema = ("E", "M", "G")
    config_type = SDITConfig
    config: SDITConfig

    def __init__(self, config: SDITConfig, task: Task):
        super().__init__(config, task)
        check_size(task, config.downs, config.d_layers)
        self.E = Encoder(task.channels + len(task.domains), config.width, config.blocks, config.downs)
        self.G = Generator(task.channels, config)
        self.D = Discriminator(task, config)
        gaussian(self)
        self.M = MLP(config.z_dim, config.features, config.cin_blocks) if config.cin != "none" else nn.Identity()

    def translate(self, x: Tensor, label: Tensor, z: Tensor) -> Tensor:
        """G(E(x, l), M(z))."""
        return self.G(self.E(with_label(x, label)), self.M(z))[0]

    def _targets(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """l_tg, the batch's labels shuffled, and z ~ N(0, I)."""
        label = batch.label
        z = torch.randn(len(label), self.config.z_dim, device=label.device)
        return label[torch.randperm(len(label), device=label.device)], z

    def d_losses(self, batch: Batch) -> Losses:
        """D's part of Eq. 6.8."""
        x, l_sc = batch.image, batch.label
        l_tg, z = self._targets(batch)
        y = self.translate(x, l_tg, z)
        src_real, cls_real, _ = self.D(x)
        src_fake, _, z_rec = self.D(y)
        losses = {
            "gan": wasserstein_critic(src_real, src_fake),  # Eq. 6.1, as WGAN-GP
            "gp": gradient_penalty(lambda i: self.D(i)[0], x, y),
            "real": domain_classification(cls_real, l_sc, self.task.exclusive),  # Eq. 6.4
        }
        return losses | ({"lat": (z_rec - z).abs().mean()} if self.config.w_lat else {})  # Eq. 6.6

    def g_losses(self, batch: Batch) -> Losses:
        """The part of Eq. 6.8 of E, M and G."""
        x, l_sc = batch.image, batch.label
        l_tg, z = self._targets(batch)
        y = self.translate(x, l_tg, z)
        src_fake, cls_fake, z_rec = self.D(y)
        losses = {
            "gan": wasserstein_generator(src_fake),  # Eq. 6.1
            "fake": domain_classification(cls_fake, l_tg, self.task.exclusive),  # Eq. 6.3
            "rec": (x - self.translate(y, l_sc, z)).abs().mean(),  # Eq. 6.7
        }
        if self.config.w_idt:
            losses["idt"] = (x - self.translate(x, l_sc, z)).abs().mean()
        return losses | ({"lat": (z_rec - z).abs().mean()} if self.config.w_lat else {})  # Eq. 6.6

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam for E, M and G, one for D."""
        adam = partial(Adam, lr=self.config.lr, betas=self.config.betas, fused=True)
        generator = [p for net in (self.E, self.M, self.G) for p in net.parameters()]
        return {"G": adam(generator), "D": adam(self.D.parameters())}

    def stages(self, steps: int) -> list[Stage]:
        """D at every step, E, M and G at every n_critic-th."""
        c, lr = self.config, linear_decay(steps // 2, steps)
        fall = linear_decay(0, steps // 2)
        idt = {"idt": lambda step: c.w_idt * fall(step)} if c.w_idt else {}
        lat, lat_d = ({"lat": w} if c.w_lat else {} for w in (c.w_lat, c.w_lat_d or c.w_lat))
        return [
            Stage(name="train", steps=steps, phases=[
                Phase(name="D", updates=["D"], losses=self.d_losses, lr=lr,
                      weights={"gan": c.w_gan, "gp": c.w_gp, "real": c.w_real} | lat_d),
                Phase(name="G", updates=["G"], losses=self.g_losses, lr=lr, every=c.n_critic,
                      weights={"gan": c.w_gan, "fake": c.w_fake, "rec": c.w_rec} | idt | lat),
            ])
        ]  # fmt: skip

    def translator(self, nets: Mapping[str, nn.Module]) -> Core:
        """The style is z, if anything depends on it; the mask the attention map; D's head classifies."""
        style_dim = 0 if self.config.cin == "none" else self.config.z_dim
        return SDITCore(nets["E"], nets["M"], nets["G"], nets["D"], style_dim, 2**self.config.downs)


class SDITCore(Core):
    """E, M and G behind the translator's interface."""

    def __init__(self, E: nn.Module, M: nn.Module, G: nn.Module, D: nn.Module, style_dim: int, stride: int):
        super().__init__()
        self.E, self.M, self.G, self.D = E, M, G, D
        self.style_dim, self.stride = style_dim, stride

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """G(E(x, c), M(s)) and the attention, averaged over features and upsampled."""
        image, attention = self.G(self.E(with_label(x, c)), self.M(s))
        if attention is None:
            return image, None
        mask = attention.mean(1, keepdim=True)
        return image, nn.functional.interpolate(mask, x.shape[2:], mode="bilinear", align_corners=False)

    def classify(self, x: Tensor) -> Tensor:
        """D_cls."""
        return self.D(x)[1]
