"""Which generator and critic a GAN has: the choice that a model shares with those it is transferred to."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.nets import biggan, progressive, sngan, wgan_mnist, wgan_resnet

RANDOM = Path("random")
"""In place of a source's folder: a generator with random weights, for tests."""

BATCHES, BATCH = 16, 64
"""Of noise, from which the statistics of batch norm are collected when networks leave."""


class GANConfig(Config):
    """Generator and critic; a model that starts from another must have the same."""

    network: Literal["wgan_resnet", "wgan_mnist", "sngan", "biggan", "progressive"] = "wgan_resnet"
    """wgan_resnet for 32 and 64 pixels, wgan_mnist for 28; sngan and biggan for 32, 64 and 128, with hinge losses;
    progressive, fully grown, for powers of 2."""
    width: int = Field(64, ge=1)
    """Channels before the generator's last convolution, and after the critic's first; of progressive, up to side 32."""
    z_dim: int = Field(128, ge=1)
    """Length of z."""
    condition: Literal["bnorm", "concat"] = "bnorm"
    """How wgan_resnet tells several domains apart: a batch norm for each, or the code appended to z."""
    embed_dim: int = Field(128, ge=1)
    """Length of biggan's class embedding."""
    attention: int = Field(0, ge=0)
    """Side of biggan's features with self-attention, 0 for none; published 64 at 128 pixels."""

    @property
    def appended(self) -> bool:
        """Whether the code is appended to z."""
        return self.network in ("wgan_mnist", "progressive") or (
            self.network == "wgan_resnet" and self.condition == "concat"
        )

    @property
    def hinge(self) -> bool:
        """Whether it is trained with hinge losses and spectral norm, instead of WGAN-GP."""
        return self.network in ("sngan", "biggan")


def classes(task: Task) -> int:
    """K of a conditional GAN, 0 for one domain."""
    return len(task.domains) if len(task.domains) > 1 else 0


def generator(config: GANConfig, task: Task) -> nn.Module:
    """G(z, c).

    Raises:
        ValueError: the network cannot make such images.
    """
    sizes = (task.channels, task.size)
    if config.network == "wgan_mnist":
        _need_28(task)
        return wgan_mnist.Generator(task.channels, config.width, config.z_dim, classes(task))
    if config.network == "wgan_resnet":
        return wgan_resnet.Generator(*sizes, config.width, config.z_dim, classes(task), config.condition)
    if config.network == "progressive":
        return progressive.Generator(*sizes, config.width, config.z_dim, classes(task))
    if config.network == "sngan":
        return sngan.Generator(*sizes, config.width, config.z_dim, classes(task))
    return biggan.Generator(*sizes, len(task.domains), config.width, config.z_dim, config.embed_dim, config.attention)


def critic(config: GANConfig, task: Task) -> nn.Module:
    """D(x), with an auxiliary classifier where there are several domains; or D(x, c) of those that take the label."""
    sizes = (task.channels, task.size)
    if config.network == "wgan_mnist":
        _need_28(task)
        return wgan_mnist.Critic(task.channels, config.width, classes(task))
    if config.network == "wgan_resnet":
        return wgan_resnet.Critic(*sizes, config.width, classes(task))
    if config.network == "progressive":
        return progressive.Critic(*sizes, config.width, classes(task))
    if config.network == "sngan":
        return sngan.Discriminator(*sizes, config.width, classes(task), projection=True)
    return biggan.Discriminator(*sizes, len(task.domains), config.width, config.attention)


def judge(D: nn.Module, config: GANConfig, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """The value [N] of images [N, C, H, W], and the logits [N, K] of an auxiliary classifier if D has one.

    A discriminator with projection sees the label c [N, K], or none.
    """
    value, logits = D(x, c) if config.hinge else D(x)
    return value, logits


def need_like(source: GANConfig, theirs: Task, gan: GANConfig, task: Task) -> None:
    """Raise ValueError unless a source and its images are like those of a target."""
    told = classes(theirs) and gan.network == "wgan_resnet"  # an unconditional GAN has no condition yet
    skipped = set() if told else {"condition"}
    for name in set(GANConfig.model_fields) - skipped:
        if (own := getattr(source, name)) != (wanted := getattr(gan, name)):
            flag = f"--method.gan.{name.replace('_', '-')}"
            raise ValueError(f"the source has gan.{name} {own}, not {wanted}; add {flag} {own}")
    for name in ("size", "channels"):
        if (own := getattr(theirs, name)) != (wanted := getattr(task, name)):
            raise ValueError(f"the source makes images of {name} {own}, not {wanted}; add --data.{name} {own}")


def inherited(net: nn.Module, source: nn.Module) -> dict[str, Tensor]:
    """The state of a source, but for what `net` does without: the image layers that only growing needs."""
    own = net.state_dict()
    return {key: value for key, value in source.state_dict().items() if key in own}


def _need_28(task: Task) -> None:
    if task.size != 28:
        raise ValueError(f"size {task.size} must be 28 for network wgan_mnist; wgan_resnet makes 32 and 64")
