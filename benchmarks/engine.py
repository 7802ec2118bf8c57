"""What the engine costs over a loop written by hand, and what each of its fast settings gives on this processor.

Both run the same phases of the same networks on the same batches with the same seeds, and must end in the same
parameters; the batches are made beforehand. `fit` does more in a step: it watches for non-finite numbers, follows the
running averages of the recipe and calls hooks. Exits with 1 if that costs over 5 %.
"""

import copy
import itertools
import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

from dragoman import recipes, run
from dragoman.data.batch import Batch
from dragoman.engine.fit import Run, fit
from dragoman.engine.method import Method, at, weigh
from dragoman.engine.runtime import Runtime, processor
from dragoman.errors import UserError

LIMIT = 0.05


@dataclass(frozen=True)
class Setting:
    """What a hand-written loop runs with; the defaults are what `fit` uses in fp32."""

    name: str
    channels_last: bool = True
    bf16: bool = False
    fused: bool = True


AS_FIT = Setting("fp32, channels_last, fused Adam")
SWITCHED = (
    Setting("without channels_last", channels_last=False),
    Setting("without fused Adam", fused=False),
    Setting("with bf16 autocast", bf16=True),
)


class Clock:
    """A hook that times the steps after the warm-up."""

    def __init__(self, warmup: int):
        self.warmup = warmup

    def start(self, run: Run) -> None:
        """A run without warm-up starts here."""
        self.begin = time.perf_counter()

    def __call__(self, run: Run) -> None:
        """The last step of the warm-up starts the clock again."""
        if run.step == self.warmup:
            self.begin = time.perf_counter()
        self.finish = time.perf_counter()

    def end(self, run: Run) -> None:
        """Nothing to do."""


def by_fit(method: Method, batches: Sequence[Batch], warmup: int, ema_decay: float) -> float:
    """Seconds per step of `fit`."""
    clock = Clock(warmup)

    def stream(split: str, stage: int, first: int) -> Iterator[Batch]:
        return itertools.cycle(batches)

    steps = len(batches)
    fit(method, stream, steps=steps, runtime=_cpu(), hooks=[clock], ema_decay=ema_decay, precision="fp32")
    return (clock.finish - clock.begin) / (steps - warmup)


def by_hand(method: Method, batches: Sequence[Batch], warmup: int, setting: Setting) -> float:
    """Seconds per step of the shortest loop that trains the same phases."""
    runtime = _cpu()
    runtime.precision = "bf16" if setting.bf16 else "fp32"
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    method.to(memory_format=layout)  # type: ignore[call-overload]
    optimizers = method.optimizers()
    parameters = {
        name: [p for group in optimizer.param_groups for p in group["params"]] for name, optimizer in optimizers.items()
    }
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    for optimizer in optimizers.values():
        optimizer.param_groups[0]["fused"] = setting.fused
    (stage,) = method.stages(len(batches))
    method.train()
    begin = time.perf_counter()
    for step, batch in enumerate(batches):
        if step == warmup:
            begin = time.perf_counter()
        batch = Batch(image=batch.image.contiguous(memory_format=layout), label=batch.label)
        for number, phase in enumerate(stage.phases):
            if (step + 1) % phase.every:
                continue
            for name, tensors in parameters.items():
                for p in tensors:
                    p.requires_grad_(name in phase.updates)
            for name in phase.updates:
                optimizers[name].zero_grad()
            runtime.seed(0, step, number, 0)
            with runtime.autocast():
                losses = phase.losses(batch)
            weigh(losses, phase.weights, step).backward()
            for name in phase.updates:
                optimizers[name].param_groups[0]["lr"] = rates[name] * at(phase.lr, step)
                optimizers[name].step()
    return (time.perf_counter() - begin) / (len(batches) - warmup)


def _cpu() -> Runtime:
    return Runtime(torch.device("cpu"))


def measure(recipe: str, steps: int, warmup: int, repeats: int, console: Console) -> dict[str, Any]:
    """Every setting `repeats` times in turn, in alternating order, each from the same networks.

    Returns:
        recipe, steps, warmup, repeats, threads, processor; seconds: per step, the median over the repetitions, by
        setting; overhead: of `fit`, the median over the repetitions, as a share; same_parameters: whether `fit` and
        the loop by hand ended in the same numbers.

    Raises:
        UserError: there is no such recipe, or it has stages or repeated phases, which the loop by hand does not do.
    """
    experiment = recipes.find(recipe)
    data = experiment.data.open("train")
    fresh = run.build(experiment, data)
    stages = fresh.stages(1)
    if len(stages) > 1 or any(phase.repeat > 1 for phase in stages[0].phases):
        raise UserError(f"{recipe} has several stages or repeated phases; choose a recipe with one plain stage")
    cycle = math.lcm(*(phase.every for phase in stages[0].phases))
    steps, warmup = (-(-count // cycle) * cycle for count in (steps, warmup))
    stream = run.streams(experiment, data, _cpu())[0]("train", 0, 0)
    batches = [next(stream).to(torch.device("cpu")) for _ in range(warmup + steps)]
    seconds: dict[str, list[float]] = {name: [] for name in ("fit", AS_FIT.name, *(s.name for s in SWITCHED))}
    same = True
    for repeat in range(repeats):
        ended = {}
        for name in list(seconds)[:: -1 if repeat % 2 else 1]:
            console.print(f"repetition {repeat + 1} of {repeats}: {name}", highlight=False)
            method = copy.deepcopy(fresh)
            if name == "fit":
                seconds[name].append(by_fit(method, batches, warmup, experiment.train.ema_decay))
            else:
                setting = next(s for s in (AS_FIT, *SWITCHED) if s.name == name)
                seconds[name].append(by_hand(method, batches, warmup, setting))
            ended[name] = torch.cat([p.detach().flatten() for p in method.parameters()])
        same = same and torch.equal(ended["fit"], ended[AS_FIT.name])
    pairs = zip(seconds["fit"], seconds[AS_FIT.name], strict=True)
    return {
        "recipe": recipe, "steps": steps, "warmup": warmup, "repeats": repeats, "threads": torch.get_num_threads(),
        "processor": processor(torch.device("cpu")), "torch": torch.__version__,
        "seconds": {name: statistics.median(values) for name, values in seconds.items()},
        "overhead": statistics.median(ours / theirs for ours, theirs in pairs) - 1, "same_parameters": same,
    }  # fmt: skip


def show(result: dict[str, Any], console: Console) -> None:
    """The numbers as a table."""
    table = Table("loop", "s / step", "against by hand", title=f"{result['recipe']} on {result['processor']}")
    base = result["seconds"][AS_FIT.name]
    for name, value in result["seconds"].items():
        change = result["overhead"] if name == "fit" else value / base - 1
        table.add_row(name if name == "fit" else f"by hand, {name}", f"{value:.4f}", f"{change:+.1%}")
    console.print(table)
    console.print(
        f"medians of {result['repeats']} repetitions of {result['steps']} steps, {result['threads']} threads; "
        f"fit costs {result['overhead']:+.1%} (at most {LIMIT:.0%} is allowed); "
        f"{'the same' if result['same_parameters'] else 'NOT the same'} parameters at the end", highlight=False,
    )  # fmt: skip


def main(
    recipe: str = "sdit.digits",
    steps: int = 20,
    warmup: int = 4,
    repeats: int = 7,
    file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> int:
    """Measure the engine on this processor.

    Args:
        recipe: What to train.
        steps: Timed steps of each repetition.
        warmup: Steps before those.
        repeats: Repetitions of each setting.
        file: Where to write the numbers as well.

    Returns:
        1 if `fit` costs more than allowed or computes something else than the loop by hand; 2 for a mistake in the
        arguments.
    """
    try:
        if min(steps, warmup, repeats) < 1:
            raise UserError("--steps, --warmup and --repeats must be at least 1")
        result = measure(recipe, steps, warmup, repeats, Console(stderr=True))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    show(result, Console())
    if file:
        file.write_text(json.dumps(result, indent=2) + "\n")
    return int(result["overhead"] > LIMIT or not result["same_parameters"])


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
