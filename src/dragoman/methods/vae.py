"""VAE: images from noise by an encoder and a decoder, without a discriminator."""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task
from dragoman.engine.method import Losses, Method, Phase, Stage
from dragoman.inference.sampler import GeneratorCore
from dragoman.nets.gan import classes
from dragoman.nets.wgan_resnet import with_code
from dragoman.nn.init import gaussian


class VAEConfig(Config):
    """VAE; the sizes are those of the generators that it is compared with."""

    width: int = Field(64, ge=1)
    """Channels after the encoder's first and before the decoder's last convolution."""
    z_dim: int = Field(128, ge=1)
    """Length of z."""
    variance: float = Field(0.4, gt=0)
    """Of the Gaussian p(x | z), for every pixel."""
    lr: float = Field(5e-4, gt=0)
    """Learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Of Adam."""


def widths(size: int, width: int) -> list[int]:
    """Channels from side `size` / 2 down to 4. Raises ValueError for another size than 28, 32 or 64."""
    if size not in (28, 32, 64):
        raise ValueError(f"size {size} must be 28, 32 or 64")
    return [width * w for w in (1, 2, 4, 8)[: (size - 1).bit_length() - 2]]


class Encoder(nn.Module):
    """Convs 5x5 of stride 2 down to 4 x 4 (64-128-256, at 64 pixels then 512) with ReLU, linear to 2 Z.

    Args:
        channels, size: Of the image; size 28, 32 or 64.
        width: Channels after the first conv.
        z_dim: Length of z.
        classes: K, whose code is appended to the image as constant maps; 0 for a code that is ignored.
    """

    def __init__(self, channels: int, size: int, width: int, z_dim: int, classes: int = 0):
        super().__init__()
        self.classes = classes
        wide = [channels + classes, *widths(size, width)]
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 5, 2, 2) for i, o in pairwise(wide))
        self.output = nn.Linear(16 * wide[-1], 2 * z_dim)
        gaussian(self, std=None)

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """[N, C, H, W] and codes [N, K] to the mean and the log variance, each [N, Z], of q(z | x)."""
        if self.classes:
            x = torch.cat([x, c[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[2:])], 1)
        for conv in self.convs:
            x = F.relu(conv(x))
        mean, log_variance = self.output(x.flatten(1)).float().chunk(2, 1)
        return mean, log_variance


class Decoder(nn.Module):
    """Linear to 4 x 4, transposed convs 5x5 of stride 2 (256-128-64, at 64 pixels from 512) with ReLU between, tanh.

    For 28 pixels 8 x 8 is cropped to 7 x 7, which makes it MineGAN's generator of digits.

    Args:
        channels, size, width, z_dim: As of the encoder.
        classes: K, whose code is appended to z; 0 for a code that is ignored.
    """

    def __init__(self, channels: int, size: int, width: int, z_dim: int, classes: int = 0):
        super().__init__()
        self.classes, self.cropped = classes, size == 28
        wide = [*widths(size, width)[::-1], channels]
        self.input = nn.Linear(z_dim + classes, 16 * wide[0])
        self.convs = nn.ModuleList(nn.ConvTranspose2d(i, o, 5, 2, 2, output_padding=1) for i, o in pairwise(wide))
        gaussian(self, std=None)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """z [N, Z] and codes [N, K] to the mean [N, C, H, W], in [-1, 1], of p(x | z)."""
        h = self.input(with_code(z, c) if self.classes else z).view(len(z), -1, 4, 4)
        for conv in self.convs:
            h = conv(F.relu(h))
            if self.cropped and h.shape[2] == 8:
                h = h[:, :, :7, :7]
        return torch.tanh(h)


def kl_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) | N(0, I)) of [N, Z], summed over Z and averaged over N (appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


class VAE(Method):
    """Auto-encoding variational Bayes of images, conditional where there are several domains."""

    paper = "Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014"
    needs = "images of one or more domains"
    ema = ("G",)
    generates = True
    config_type = VAEConfig
    config: VAEConfig

    def __init__(self, config: VAEConfig, task: Task):
        super().__init__(config, task)
        if not task.exclusive:
            raise ValueError(f"needs domains, got attributes ({', '.join(task.domains)}); put the images into folders")
        shape = (task.channels, task.size, config.width, config.z_dim, classes(task))
        self.E, self.G = Encoder(*shape), Decoder(*shape)

    def losses(self, batch: Batch) -> Losses:
        """The two terms of the bound on -log p(x) (Eq. 10) with one draw of z for each image."""
        x, c = batch.image, batch.label
        mean, log_variance = self.E(x, c)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)  # section 2.4
        return {
            "rec": (x - self.G(z, c)).float().square().flatten(1).sum(1).mean() / 2,  # Gaussian, up to a constant
            "kl": kl_normal(mean, log_variance),
        }

    def optimizers(self) -> dict[str, Optimizer]:
        """One Adam of encoder and decoder."""
        parameters = [*self.E.parameters(), *self.G.parameters()]
        return {"VAE": Adam(parameters, lr=self.config.lr, betas=self.config.betas, fused=True)}

    def stages(self, steps: int) -> list[Stage]:
        """One stage of one phase."""
        weights = {"rec": 1 / self.config.variance, "kl": 1.0}
        return [Stage(name="train", steps=steps, phases=[
            Phase(name="VAE", updates=["VAE"], losses=self.losses, weights=weights),
        ])]  # fmt: skip

    def sampler(self, nets: Mapping[str, nn.Module]) -> GeneratorCore:
        """The decoder."""
        return VAECore(nets["G"], self.config.z_dim)


class VAECore(GeneratorCore):
    """The decoder behind the sampler's interface."""

    def __init__(self, G: nn.Module, noise_dim: int):
        super().__init__()
        self.G, self.noise_dim = G, noise_dim

    def forward(self, u: Tensor, c: Tensor) -> Tensor:
        """The mean of p(x | z = u)."""
        return self.G(u, c)  # type: ignore[no-any-return]
