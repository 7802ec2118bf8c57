"""BSA: a frozen generator learns few images by new scales and shifts of its hidden layers, without a discriminator."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.sampler import GeneratorCore
from dragoman.methods.transfer_gan import TransferGAN
from dragoman.nets.frozen import shared
from dragoman.nets.gan import RANDOM, GANConfig, generator, inherited, need_like
from dragoman.nn.statistics_norm import BatchNorm

TARGETS = 10
"""Draws from N(0, I) for each latent vector that is to look like one of them."""

DROP = 0.1
"""Factor on the learning rate at each drop."""


class BSAConfig(Config):
    """BSA; defaults are those that its authors publish for SNGAN at 128 x 128."""

    gan: GANConfig = GANConfig(network="sngan")
    """The source's networks: wgan_mnist, wgan_resnet or sngan."""
    source: Path | None = None
    """Model folder of the pretrained GAN. `random` is one that learnt nothing."""
    labels: int = Field(0, ge=0)
    """Domains of a conditional source, of whose scales and shifts the mean is the start; 0 for an unconditional one."""
    images: int = Field(25, ge=1)
    """Images to learn: as many as the train split has, since each gets a latent vector."""
    vgg: Literal["vgg19", "vgg19_distilled", "random"] = "vgg19"
    """Network of the perceptual loss; random is a small one with random weights, for tests."""
    w_perceptual: float = Field(0.06, gt=0)
    """Of each layer of the perceptual loss; published 0.001, for a VGG that sees 0 to 255, 57 times as large."""
    w_z: float = Field(0.1, gt=0)
    """Of the distance between latent vectors and N(0, I)."""
    w_affine: float = Field(0.02, ge=0)
    """Of the squared distance of scales from 1 and of shifts from 0."""
    noise: float = Field(0.01, ge=0)
    """Standard deviation of the noise on latent vectors in training."""
    truncation: float = Field(0.3, gt=0)
    """Images are made from a normal distribution that is cut at plus and minus this."""
    lr: float = Field(0.03, gt=0)
    """Learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""
    drop_every: int = Field(3000, ge=1)
    """Steps after which the learning rate falls to a tenth, again and again."""

    @field_validator("gan")
    @classmethod
    def _adaptable(cls, gan: GANConfig) -> GANConfig:
        if gan.network not in ("wgan_mnist", "wgan_resnet", "sngan"):
            raise ValueError(f"gan.network must be wgan_mnist, wgan_resnet or sngan, got {gan.network}")
        return gan


CHANNELS = {nn.ConvTranspose2d: 1, BatchNorm: -1}
"""Where the weights of a layer have its output channels, if not in front."""


class Affine(nn.Module):
    """The scale and the shift of each channel of a hidden layer, at first 1 and 0; kept as the distance from these."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels
        self.scale, self.shift = nn.Parameter(torch.zeros(channels)), nn.Parameter(torch.zeros(channels))

    def of(self, layer: nn.Module) -> dict[str, Tensor]:
        """The weight and bias with which a layer computes gamma h + beta, channel by channel, in place of h."""
        weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
        places = 1 if isinstance(layer, BatchNorm) else len(bias) // self.channels  # 16 of a linear layer, else 1
        gamma, beta = (v.repeat_interleave(places) for v in (1 + self.scale, self.shift))
        shape = [1] * weight.ndim
        shape[CHANNELS.get(type(layer), 0)] = -1
        return {"weight": gamma.view(shape) * weight, "bias": gamma * bias + beta}


def hidden_layers(G: nn.Module) -> dict[str, int]:
    """The layers of a generator that get scales and shifts, by name, with their channels.

    Its batch norms; of a generator without any, every layer before a ReLU: all but the last.
    """
    norms = {name: layer.channels for name, layer in G.named_modules() if isinstance(layer, BatchNorm)}
    if norms:
        return norms
    channels: dict[str, int] = {}
    for name, layer in G.named_modules():
        if isinstance(layer, nn.Linear):
            channels[name] = layer.out_features // 16  # a map of 4 x 4
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            channels[name] = layer.out_channels
    channels.popitem()
    return channels


class Adaptation(nn.Module):
    """gamma and beta of every hidden layer of a generator (the batch statistics of the paper's title)."""

    def __init__(self, G: nn.Module):
        super().__init__()
        found = hidden_layers(G)
        self.names = tuple(found)
        self.affines = nn.ModuleList(Affine(channels) for channels in found.values())

    def forward(self, G: nn.Module, z: Tensor, labels: int = 0) -> Tensor:
        """G_adapt(z), with gamma h + beta for every hidden layer h of G: [N, Z] to [N, C, H, W].

        A conditional G of `labels` domains gets the mean of their codes.
        """
        changed = {
            f"{name}.{key}": value
            for name, affine in zip(self.names, self.affines, strict=True)
            for key, value in affine.of(G.get_submodule(name)).items()  # type: ignore[operator]
        }
        c = z.new_full((len(z), labels), 1 / labels) if labels else None
        return functional_call(G, changed, (z, c))  # type: ignore[no-any-return]


class Latents(nn.Module):
    """z_i, the latent vector of training image i, at first 0."""

    def __init__(self, images: int, z_dim: int):
        super().__init__()
        self.z = nn.Parameter(torch.zeros(images, z_dim))

    def forward(self, index: Tensor) -> Tensor:
        """Numbers of images [N] to their latent vectors [N, Z]."""
        return F.embedding(index, self.z)


def features(vgg: str, image: Tensor) -> list[Tensor]:
    """relu1_1 ... relu5_1 of images [N, C, H, W]; sides below 32 pixels are continued to 32, which relu5_1 needs."""
    height, width = (max(0, 32 - side) for side in image.shape[2:])
    return shared(vgg, image.device)(F.pad(image, (0, width, 0, height), mode="replicate"))


def matching(z: Tensor, r: Tensor) -> Tensor:
    """mean_i min_j |z_i - r_j|^2 + mean_j min_i |z_i - r_j|^2 of [N, Z] and [R, Z], in fp32."""
    with torch.autocast(z.device.type, enabled=False):
        z, r = z.float(), r.float()
        distances = z.square().sum(1, keepdim=True) - 2 * z @ r.T + r.square().sum(1)
        return distances.amin(1).mean() + distances.amin(0).mean()


class BSA(Method):
    """Image generation from small datasets via batch statistics adaptation."""

    paper = "Noguchi and Harada, Image Generation from Small Datasets via Batch Statistics Adaptation, ICCV 2019"
    needs = "about 25 to 100 images of one kind, and a model trained on many images to start from"
    ema = ("A",)
    frozen = ("G",)
    generates = True
    fits = "l1"
    config_type = BSAConfig
    config: BSAConfig

    def __init__(self, config: BSAConfig, task: Task):
        super().__init__(config, task)
        if len(task.domains) != 1:
            raise ValueError(f"adapts to one target, got {len(task.domains)} domains ({', '.join(task.domains)}); "
                             "give images of one kind")  # fmt: skip
        source = task.model_copy(update={"domains": tuple(map(str, range(config.labels or 1)))})
        self.G = generator(config.gan, source)
        self.A = Adaptation(self.G)
        self.Z = Latents(config.images, config.gan.z_dim)

    def sources(self) -> Sequence[Path]:
        """The pretrained GAN.

        Raises:
            ValueError: there is none.
        """
        if self.config.source is None:
            raise ValueError("adapts a pretrained generator: name its model folder with --method.source DIR")
        return () if self.config.source == RANDOM else (self.config.source,)

    def adopt(self, models: Sequence[Method]) -> None:
        """Take the source's generator, with the statistics of its batch norms.

        Raises:
            ValueError: the source is of another kind, or of other networks, sizes or labels.
        """
        for model in models:
            if not isinstance(model, TransferGAN):
                raise ValueError(f"the source {self.config.source} must be a model of transfer_gan, got {model.paper}")
            need_like(model.config.gan, model.task, self.config.gan, self.task)
            if model.classes != self.config.labels:
                raise ValueError(f"the source has {model.classes} labels, not {self.config.labels}; "
                                 f"add --method.labels {model.classes}")  # fmt: skip
            self.G.load_state_dict(inherited(self.G, model.G))

    def need_images(self, count: int) -> None:
        """As the base class: there must be a latent vector for each image."""
        if count != self.config.images:
            raise ValueError(f"there are {count} images, not {self.config.images}; add --method.images {count}")

    def losses(self, batch: Batch) -> Losses:
        """The supervised losses between image i and G_adapt(z_i + epsilon), and that of z_i."""
        assert batch.index is not None
        c, x, z = self.config, batch.image, self.Z(batch.index)
        y = self.A(self.G, z + c.noise * torch.randn_like(z), c.labels)
        ours, theirs = features(c.vgg, y), features(c.vgg, x)
        r = torch.randn(TARGETS * len(z), z.shape[1], device=z.device)
        return {
            "l1": (x - y).abs().mean(),
            "perceptual": torch.stack([(a - b).abs().mean() for a, b in zip(ours, theirs, strict=True)]).sum(),
            "z": matching(z, r),
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam; its weight decay is the gradient of w_affine sum_l (mean (gamma_l - 1)^2 + mean beta_l^2)."""
        groups = [
            {"params": list(a.parameters()), "weight_decay": 2 * self.config.w_affine / a.channels}  # type: ignore[operator]
            for a in self.A.affines
        ]
        groups.append({"params": list(self.Z.parameters())})
        return {"A": Adam(groups, lr=self.config.lr, betas=self.config.betas, fused=True)}

    def stages(self, steps: int) -> list[Stage]:
        """One stage of one phase."""
        c = self.config
        return [
            Stage(name="adapt", steps=steps, phases=[
                Phase(name="A", updates=["A"], losses=self.losses, lr=lambda step: DROP ** (step // c.drop_every),
                      weights={"l1": 1, "perceptual": c.w_perceptual, "z": c.w_z}),
            ])
        ]  # fmt: skip

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """G with its scales and shifts."""
        return BSACore(nets["G"], nets["A"], self.config)


class BSACore(GeneratorCore):
    """G and A behind the sampler's interface."""

    def __init__(self, G: nn.Module, A: nn.Module, config: BSAConfig):
        super().__init__()
        self.G, self.A, self.config, self.noise_dim = G, A, config, config.gan.z_dim

    def sample_noise(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """N(0, I), every number of it drawn anew until it is within the truncation."""
        u, cut = torch.empty(count, self.noise_dim), self.config.truncation
        return nn.init.trunc_normal_(u, a=-cut, b=cut, generator=generator)

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """G_adapt(u)."""
        return self.A(self.G, u, self.config.labels)  # type: ignore[no-any-return]
