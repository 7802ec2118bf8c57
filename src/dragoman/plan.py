"""A dry run: what a run would be, how long it would take and how much memory, before it is begun."""

import sys
import time
from dataclasses import dataclass, replace

import torch
from rich.console import Console
from rich.table import Table

from dragoman.engine.fit import Run, StreamOf, fit
from dragoman.engine.method import Method, at
from dragoman.engine.runtime import Runtime
from dragoman.run import AnyExperiment, build, open_data, streams


@dataclass(frozen=True)
class PhasePlan:
    """One phase of a run."""

    stage: str
    phase: str
    updates: list[str]
    every: int
    repeat: int
    weights: dict[str, float]
    """At the stage's first step."""


@dataclass(frozen=True)
class Plan:
    """What a dry run found out."""

    recipe: str
    paper: str
    parameters: dict[str, int]
    """By network."""
    phases: list[PhasePlan]
    images: int
    domains: tuple[str, ...]
    steps: int
    batch_size: int
    seconds_per_step: float
    """On average over the stages."""
    hours: float
    memory_gib: float
    less: str
    """Options whose smaller values take less memory."""
    precision: str


def plan(experiment: AnyExperiment) -> Plan:
    """Build everything and run a few steps without writing anything.

    Raises:
        UserError: a mistake in the experiment.
    """
    data, _, _ = open_data(experiment)
    method = build(experiment, data)
    runtime = Runtime.start(experiment.train.device)
    stream, _ = streams(experiment, data, runtime)
    run, seconds = tried(experiment, method, stream, runtime)
    settings = experiment.train
    return Plan(
        recipe=experiment.recipe,
        paper=method.paper,
        parameters={name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()},
        phases=[
            PhasePlan(stage.name, phase.name, list(phase.updates), phase.every, phase.repeat,
                      {name: at(weight, 0) for name, weight in phase.weights.items()})
            for stage in method.stages(settings.steps) if stage.steps for phase in stage.phases
        ],
        images=len(data),
        domains=data.task.domains,
        steps=settings.steps,
        batch_size=settings.batch_size,
        seconds_per_step=seconds / settings.steps,
        hours=seconds / 3600,
        memory_gib=peak_gib(runtime),
        less=less(experiment),
        precision=run.precision_note,
    )  # fmt: skip


def tried(experiment: AnyExperiment, method: Method, stream: StreamOf, runtime: Runtime) -> tuple[Run, float]:
    """A run of two updates, at least, by every phase of every stage; also the seconds that a whole one would take."""
    settings, clock = experiment.train, _Clock()
    stages = [stage for stage in method.stages(settings.steps) if stage.steps]
    few = [replace(stage, steps=2 * max(phase.every for phase in stage.phases)) for stage in stages]
    run = fit(
        method, stream, steps=settings.steps, stages=few, seed=settings.seed, runtime=runtime, hooks=[clock],
        ema_decay=settings.ema_decay, precision=settings.precision,
    )  # fmt: skip
    return run, sum(stage.steps * clock.per_step(number) for number, stage in enumerate(stages))


def less(experiment: AnyExperiment) -> str:
    """The options of an experiment whose smaller values take less memory, in words."""
    fields = type(experiment.method).model_fields
    options = ["--train.batch-size", "--data.size"]
    options += ["--method.width"] if "width" in fields else []
    options += ["--method.gan.width"] if "gan" in fields else []
    return f"{', '.join(options[:-1])} or {options[-1]}"


def show(found: Plan, console: Console) -> None:
    """Print a plan for people."""
    console.print(f"{found.recipe}: {found.paper}", highlight=False, soft_wrap=True)
    table = Table("network", "parameters")
    for name, count in found.parameters.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    table = Table("stage", "phase", "updates", "every", "repeat", "weights")
    for p in found.phases:
        weights = ", ".join(f"{name} {value:g}" for name, value in p.weights.items())
        table.add_row(p.stage, p.phase, ", ".join(p.updates), str(p.every), str(p.repeat), weights)
    console.print(table)
    console.print(
        f"{found.images} images of {len(found.domains)} domains: {', '.join(found.domains)}\n"
        f"{found.steps} steps of {found.batch_size} images at {found.seconds_per_step:.3f} s: {found.hours:.2f} hours\n"
        f"precision {found.precision}; peak memory {found.memory_gib:.2f} GiB (less with a smaller {found.less})",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


class _Clock:
    """Times the second half of each stage's steps."""

    def start(self, run: Run) -> None:
        self.stages, self.times = run.stages, [time.perf_counter()]

    def __call__(self, run: Run) -> None:
        self.times.append(time.perf_counter())

    def end(self, run: Run) -> None:
        """Nothing to do."""

    def per_step(self, stage: int) -> float:
        end = sum(each.steps for each in self.stages[: stage + 1])
        half = end - self.stages[stage].steps // 2
        return (self.times[end] - self.times[half]) / (end - half)


def peak_gib(runtime: Runtime) -> float:
    """Most memory the run has held, on its GPU or in its process."""
    if runtime.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    import resource  # not on Windows, where nothing else needs it

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)  # bytes on macOS, KiB elsewhere
