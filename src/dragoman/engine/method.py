"""What a method declares: its networks, its losses with their weights, and the order of optimisation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from dragoman.config import Config
from dragoman.data.batch import Batch, Task

if TYPE_CHECKING:
    from dragoman.engine.fit import Run
    from dragoman.inference.modal import ModalCore
    from dragoman.inference.sampler import GeneratorCore
    from dragoman.inference.translator import Core

Losses = dict[str, Tensor]
"""Named, raw, scalar terms, each to be minimised; signs live in the loss."""

Weight = float | Callable[[int], float]
"""A constant, or a pure function of the step within the stage."""


def at(weight: Weight, step: int) -> float:
    """The value of a weight at a step of its stage."""
    return weight(step) if callable(weight) else weight


def weigh(losses: Losses, weights: Mapping[str, Weight], step: int) -> Tensor:
    """The full objective of one phase: the sum of weight times loss. The only place where the two meet.

    Raises:
        ValueError: the losses and the weights do not have the same names.
    """
    if losses.keys() != weights.keys():
        raise ValueError(f"losses {sorted(losses)} and weights {sorted(weights)} must have the same names")
    terms = [at(weights[name], step) * loss for name, loss in losses.items()]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One optimisation within a step."""

    name: str
    """Prefix of its terms in the log: "D", "G"."""
    updates: Sequence[str]
    """Names of optimisers; the trainable parameters of the phase are exactly theirs."""
    losses: Callable[..., Losses]
    """A function of the batch and of `arguments`, usually a bound method."""
    weights: Mapping[str, Weight]
    """Same keys as the losses: the paper's full objective."""
    every: int = 1
    """Run on every n-th step (n_critic, lazy regularisation)."""
    repeat: int = 1
    """Updates per step, each on a fresh batch."""
    lr: Weight = 1.0
    """Factor on the optimisers' own learning rates."""
    arguments: Mapping[str, Weight] = field(default_factory=dict)
    """Further arguments of `losses` by name, where these vary in time (how far a layer is faded in)."""

    def __post_init__(self) -> None:
        if self.every < 1 or self.repeat < 1:
            raise ValueError(f"phase {self.name}: every and repeat must be at least 1")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A span of steps. What none of its phases updates is frozen and in eval mode."""

    name: str
    steps: int
    phases: Sequence[Phase]
    data: str = "train"
    """The split of the data it learns from."""
    enter: Callable[["Run"], None] | None = None
    """Called once before the stage's first step; whatever it makes must live in buffers, so that it resumes."""


class Method(nn.Module):
    """A paper: its networks, its losses, the order of optimisation, and what it is for.

    A method knows no device, rank, logger, path, parser or data set. Its networks are its direct children.
    """

    paper: ClassVar[str]
    """Authors, title, venue, year."""
    needs: ClassVar[str]
    """The data it needs, in words."""
    ema: ClassVar[Sequence[str]] = ()
    """Networks of which a running average is kept."""
    frozen: ClassVar[Sequence[str]] = ()
    """Networks that no stage updates (feature extractors)."""
    generates: ClassVar[bool] = False
    """Whether it makes images from noise: what leaves is then a sampler instead of a translator."""
    memories: ClassVar[Sequence[str]] = ()
    """Children that only serve training and hold training images; states have them, model folders do not."""
    by_domain: ClassVar[bool] = False
    """Whether a batch holds equally many images of each domain, in the domains' order, instead of a random mix."""
    fits: ClassVar[str] = "rec"
    """The term that falls when a few images are learnt by heart."""
    config_type: ClassVar[type[Config]]
    """Its configuration; the defaults are the published values."""

    config: Config
    task: Task

    def __init__(self, config: Config, task: Task):
        super().__init__()
        self.config = config
        self.task = task

    def optimizers(self) -> dict[str, Optimizer]:
        """Optimisers by name; together they hold every parameter that is ever trained, each once."""
        raise NotImplementedError

    def stages(self, steps: int) -> list[Stage]:
        """The stages of a run of `steps` steps in all."""
        raise NotImplementedError

    def translator(self, nets: Mapping[str, nn.Module]) -> "Core | ModalCore":
        """What leaves: a translator made of the given networks, live or averaged, keyed as the method's children.

        Of a modal task it is between modalities.
        """
        raise NotImplementedError

    def sampler(self, nets: Mapping[str, nn.Module]) -> "GeneratorCore":
        """What leaves of a method that generates, made of the given networks."""
        raise NotImplementedError

    def settle(self, nets: Mapping[str, nn.Module]) -> None:
        """Make the given networks ready to leave, without gradients: statistics of batch norm, for example."""

    def need_images(self, count: int) -> None:
        """Raise ValueError unless it can learn from a train split of so many images."""

    def sources(self) -> Sequence[Path]:
        """Model folders whose networks a new run starts from."""
        return ()

    def adopt(self, models: Sequence["Method"]) -> None:
        """Take over what it needs of the models of its sources, in their order.

        Raises:
            ValueError: they do not fit.
        """


__all__ = ["Batch", "Losses", "Method", "Phase", "Stage", "Weight", "at", "weigh"]
