"""Which generator and critic a GAN has: the choice that a model shares with those it is transferred to."""

from typing import Literal

from pydantic import Field
from torch import nn

from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.nets import wgan_mnist, wgan_resnet

BATCHES, BATCH = 16, 64
"""Of noise, from which the statistics of batch norm are collected when networks leave."""


class GANConfig(Config):
    """Generator and critic; a model that starts from another must have the same."""

    network: Literal["wgan_resnet", "wgan_mnist"] = "wgan_resnet"
    """wgan_resnet for 32 and 64 pixels, wgan_mnist for 28."""
    width: int = Field(64, ge=1)
    """Channels before the generator's last convolution, and after the critic's first."""
    z_dim: int = Field(128, ge=1)
    """Length of z."""
    condition: Literal["bnorm", "concat"] = "bnorm"
    """How several domains are told apart: a batch norm for each, or the code appended to z (wgan_mnist: always)."""

    @property
    def appended(self) -> bool:
        """Whether the code is appended to z."""
        return self.network == "wgan_mnist" or self.condition == "concat"


def classes(task: Task) -> int:
    """K of a conditional GAN, 0 for one domain."""
    return len(task.domains) if len(task.domains) > 1 else 0


def generator(config: GANConfig, task: Task) -> nn.Module:
    """G(z, c).

    Raises:
        ValueError: the network cannot make such images.
    """
    if config.network == "wgan_mnist":
        _need_28(task)
        return wgan_mnist.Generator(task.channels, config.width, config.z_dim, classes(task))
    return wgan_resnet.Generator(
        task.channels, task.size, config.width, config.z_dim, classes(task), config.condition
    )  # fmt: skip


def critic(config: GANConfig, task: Task) -> nn.Module:
    """D(x), with an auxiliary classifier where there are several domains."""
    if config.network == "wgan_mnist":
        _need_28(task)
        return wgan_mnist.Critic(task.channels, config.width, classes(task))
    return wgan_resnet.Critic(task.channels, task.size, config.width, classes(task))


def _need_28(task: Task) -> None:
    if task.size != 28:
        raise ValueError(f"size {task.size} must be 28 for network wgan_mnist; wgan_resnet makes 32 and 64")
