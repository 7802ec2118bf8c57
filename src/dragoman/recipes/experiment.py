"""What a recipe returns: method, data, training and evaluation, all typed and frozen."""

from typing import Generic, Literal, TypeVar

from pydantic import Field

from dragoman.config import Config
from dragoman.data.dataset import DataConfig
from dragoman.metrics.protocol import Protocol

M = TypeVar("M", bound=Config)
D = TypeVar("D", bound=DataConfig)


class Train(Config):
    """How long, how large, how often to look."""

    steps: int = Field(1000, ge=1)
    """Steps in all."""
    batch_size: int = Field(16, ge=1)
    """Images per step and process."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of everything random."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto measures once and takes bf16 only where it is faster."""
    ema_decay: float = Field(0.0, ge=0, lt=1)
    """Decay of the running averages of the generator; 0 keeps none."""
    workers: int = Field(0, ge=0)
    """Processes that read images; 0 reads in the main one."""
    log_every: int = Field(50, ge=1)
    """Steps between lines of log.jsonl."""
    grid_every: int = Field(500, ge=1)
    """Steps between pictures in samples/ and checks of the outputs."""
    save_every: int = Field(500, ge=1)
    """Steps between states to resume from."""
    keep: int = Field(2, ge=1)
    """States kept."""
    evaluate_every: int | None = Field(None, ge=1)
    """Steps between measurements during training; none if not given."""


class Experiment(Config, Generic[M, D]):
    """A run, before it runs."""

    recipe: str
    """The recipe it comes from."""
    method: M
    data: D
    train: Train = Train()
    evaluate: Protocol = Protocol()
