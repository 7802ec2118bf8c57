"""A dry run: what a run would be, how long it would take and how much memory, before it is begun."""

import sys
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from dragoman.engine.fit import Run, fit
from dragoman.engine.method import at
from dragoman.engine.runtime import Runtime
from dragoman.run import AnyExperiment, build, open_data, streams


@dataclass
class Plan:
    """What a dry run found out."""

    parameters: dict[str, int]
    phases: list[tuple[str, str, str, int, int, dict[str, float]]]
    images: int
    domains: tuple[str, ...]
    seconds_per_step: float
    memory_gib: float
    precision: str


def plan(experiment: AnyExperiment, console: Console) -> Plan:
    """Build everything and run a few steps without writing anything: what there is, how long, how much memory."""
    data, _, _ = open_data(experiment)
    method = build(experiment, data)
    runtime = Runtime.start(experiment.train.device)
    stream, _ = streams(experiment, data, runtime)
    settings = experiment.train
    phases = [
        (stage.name, phase.name, ", ".join(phase.updates), phase.every, phase.repeat,
         {name: at(weight, 0) for name, weight in phase.weights.items()})
        for stage in method.stages(settings.steps) for phase in stage.phases
    ]  # fmt: skip
    clock = _Clock()
    steps = 2 * max(phase[3] for phase in phases)
    run = fit(
        method, stream, steps=max(steps, len(method.stages(steps))), seed=settings.seed, runtime=runtime,
        hooks=[clock], ema_decay=settings.ema_decay, precision=settings.precision,
    )  # fmt: skip
    found = Plan(
        {name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()}, phases, len(data),
        data.task.domains, clock.per_step(), _peak_gib(runtime), run.precision_note,
    )  # fmt: skip
    table = Table("network", "parameters", title=f"{experiment.recipe}: {method.paper}")
    for name, count in found.parameters.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    table = Table("stage", "phase", "updates", "every", "repeat", "weights")
    for stage, phase, updates, every, repeat, weights in phases:
        table.add_row(
            stage, phase, updates, str(every), str(repeat), ", ".join(f"{k} {v:g}" for k, v in weights.items())
        )
    console.print(table)
    hours = found.seconds_per_step * settings.steps / 3600
    console.print(
        f"{found.images} images of {len(found.domains)} domains: {', '.join(found.domains)}\n"
        f"{settings.steps} steps of {settings.batch_size} images at {found.seconds_per_step:.3f} s: {hours:.2f} hours\n"
        f"precision {found.precision}; peak memory {found.memory_gib:.2f} GiB "
        "(less with a smaller --train.batch-size, --data.size or --method.width)", highlight=False,
    )  # fmt: skip
    return found


class _Clock:
    """Times the second half of a run's steps."""

    def start(self, run: Run) -> None:
        self.times = [time.perf_counter()]

    def __call__(self, run: Run) -> None:
        self.times.append(time.perf_counter())

    def end(self, run: Run) -> None:
        """Nothing to do."""

    def per_step(self) -> float:
        half = len(self.times) // 2
        return (self.times[-1] - self.times[half]) / max(1, len(self.times) - 1 - half)


def _peak_gib(runtime: Runtime) -> float:
    """Most memory the run has held, on its GPU or in its process."""
    if runtime.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    import resource  # not on Windows, where nothing else needs it

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)  # bytes on macOS, KiB elsewhere
