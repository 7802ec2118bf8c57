"""A run, from an experiment to a folder with a model, pictures, metrics and a report."""

import json
import os
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from safetensors import SafetensorError

import dragoman
from dragoman import recipes
from dragoman.data.dataset import Dataset
from dragoman.data.image import write, write_whole
from dragoman.data.stream import Stream
from dragoman.engine import checkpoint, hooks
from dragoman.engine.fit import NonFinite, Run, fit
from dragoman.engine.method import Method
from dragoman.engine.runtime import Runtime
from dragoman.errors import UserError, one_line
from dragoman.inference.translator import Core, Translator
from dragoman.methods import find
from dragoman.metrics.protocol import Measure, Protocol, collect, targets
from dragoman.model import load_model, save_model
from dragoman.recipes.experiment import Experiment
from dragoman.report.grids import translations

Any_Experiment = Experiment[Any, Any]

MAY_CHANGE = {"steps", "device", "workers", "log_every", "grid_every", "save_every", "keep", "evaluate_every"}
"""Fields of `train` that may differ when a run is resumed."""


def train(experiment: Any_Experiment, out: Path, *, resume: bool = False, quiet: bool = False) -> dict[str, Any]:
    """Train, save the model, translate test images, measure, report.

    Args:
        experiment: What to run.
        out: The run's folder.
        resume: Continue the run that is in `out`, or begin it if there is none.
        quiet: No progress bar and no notes.

    Returns:
        What `metrics.json` holds.

    Raises:
        UserError: a mistake in the experiment or the folder.
    """
    started = int(os.environ.get("RANK", "0")) == 0
    console = Console(stderr=True, quiet=quiet or not started)
    data, test, split = open_data(experiment)
    method = build(experiment, data)
    runtime = Runtime.start(experiment.train.device)
    try:
        if runtime.main:
            _prepare(out, experiment, resume)
        runtime.barrier()
        run, stream = _fit(experiment, method, data, test, out, runtime, resume, console)
        for line in stream.bad:
            console.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
        return _finish(run, experiment, data, test, split, out, console) if runtime.main else {}
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"cannot write in {out}: {reason}; free space or choose another --out") from None
    except NonFinite as error:
        last = checkpoint.steps(out / "state")
        state = f"the last good state is {out / 'state' / str(last[-1])}" if last else "no state had been saved"
        raise UserError(f"{error}; {state}; lower --method.lr or the weight of that term and use --resume") from None
    finally:
        runtime.close()


def open_data(experiment: Any_Experiment) -> tuple[Dataset, Dataset, str]:
    """The train images, those to look at and measure on, and which split the latter are."""
    data = experiment.data.open("train")
    split = experiment.evaluate.split
    try:
        return data, experiment.data.open(split), split
    except UserError:
        if split != Protocol().split:  # asked for by name
            raise
        return data, data, "train"


def build(experiment: Any_Experiment, data: Dataset) -> Method:
    """Fresh networks, the same for the same seed.

    Raises:
        UserError: the method cannot work on such images.
    """
    torch.manual_seed(experiment.train.seed)
    try:
        return find(experiment.recipe.partition(".")[0])(experiment.method, data.task)
    except ValueError as error:
        raise UserError(f"{experiment.recipe}: {error}") from None


def streams(experiment: Any_Experiment, runtime: Runtime) -> tuple[Callable[[str, int, int], Any], Stream]:
    """The streams of an experiment as `fit` asks for them, and the one whose bad images are collected."""
    data = experiment.data.open("train")
    settings = experiment.train
    bad: dict[str, None] = {}

    def stream(split: str, stage: int, first: int) -> Any:
        chosen = data if split == "train" else experiment.data.open(split)
        seed = (settings.seed, stage)
        return Stream(chosen, settings.batch_size, seed, runtime.rank, runtime.world, settings.workers, bad).start(
            first
        )

    return stream, Stream(data, settings.batch_size, (settings.seed,), bad=bad)


def _fit(experiment: Any_Experiment, method: Method, data: Dataset, test: Dataset, out: Path, runtime: Runtime,
         resume: bool, console: Console) -> tuple[Run, Stream]:  # fmt: skip
    """Train with the hooks of a run."""
    settings = experiment.train
    stream, record = streams(experiment, runtime)
    probe = collect(test, 8, 0)
    pairs = [(rows[:2], codes[:2]) for _, rows, codes in targets(method.task, probe.labels)]
    rows, codes = (torch.cat(parts) for parts in zip(*pairs, strict=True))

    def draw(core: Core, step: int) -> None:
        picture, _ = translations(Translator(core, method.task), probe.images)
        write(picture, out / "samples" / f"{step:07d}.png")

    log = out / "log.jsonl"
    used: list[Any] = [
        hooks.Log(log, settings.log_every, settings.batch_size),
        hooks.Draw(settings.grid_every, draw),
        hooks.Guard(
            settings.grid_every,
            probe.images[rows],
            codes,
            lambda w: console.print(f"warning: {w}", markup=False, soft_wrap=True),
            log,
        ),
        hooks.Save(settings.save_every, settings.keep),
        Bar(console, settings.batch_size),
    ]
    if settings.evaluate_every and runtime.main:
        measure = Measure(data, test, experiment.evaluate)
        used.insert(
            1, hooks.Evaluate(settings.evaluate_every, lambda c: measure(Translator(c, method.task))["metrics"], log)
        )
    run = fit(
        method, stream, steps=settings.steps, seed=settings.seed, directory=out, runtime=runtime, hooks=used,
        ema_decay=settings.ema_decay, precision=settings.precision, resume=resume,
    )  # fmt: skip
    return run, record


def _prepare(out: Path, experiment: Any_Experiment, resume: bool) -> None:
    """Make the run's folder, or check that what is there is this run."""
    config = out / "config.json"
    if resume and config.exists():
        _same_run(read_experiment(config), experiment, out)
    elif out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; use --resume to continue that run, or another --out")
    make_folder(out)
    write_whole(config, f"{experiment.model_dump_json(indent=2)}\n".encode())


def make_folder(out: Path) -> None:
    """Make an output folder before any work is done for it.

    Raises:
        UserError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write in {out}: {error.strerror or error}; choose another --out") from None


def _same_run(before: Any_Experiment, now: Any_Experiment, out: Path) -> None:
    if before.recipe != now.recipe:
        raise UserError(
            f"{out} holds a run of {before.recipe}, not {now.recipe}; resume with that recipe or use another --out"
        )
    for part in ("method", "data", "train"):
        old, new = (e.model_dump()[part] for e in (before, now))
        for name, value in old.items():
            if value != new[name] and not (part == "train" and name in MAY_CHANGE):
                raise UserError(f"{out} was begun with --{part}.{name.replace('_', '-')} {value}, not {new[name]}; "
                                f"resume with the same value or use another --out")  # fmt: skip


def read_experiment(path: Path) -> Any_Experiment:
    """The experiment of a config.json.

    Raises:
        UserError: the file is missing, not JSON, or has a field that the recipe does not know.
    """
    try:
        text = path.read_text()
        name = str(json.loads(text)["recipe"])
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the config.json of a run") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is not the config.json of a run; give runs/<name>/config.json") from None
    try:
        return type(recipes.find(name)).model_validate_json(text)
    except ValueError as error:
        raise UserError(f"{path}: {one_line(error)}") from None


def _finish(
    run: Run, experiment: Any_Experiment, data: Dataset, test: Dataset, split: str, out: Path, console: Console
) -> dict[str, Any]:
    """Write environment, model, pictures, metrics and report."""
    facts = environment(run.runtime, run.precision_note)
    write_whole(out / "environment.json", f"{json.dumps(facts, indent=2)}\n".encode())
    console.print("saving the model", highlight=False)
    facts = {"recipe": experiment.recipe, "steps": run.step, "seed": experiment.train.seed}
    save_model(out / "model", run.method, run.averages.nets(run.method), facts)
    translator = load_model(out / "model").to(run.runtime.device)
    probe = collect(test, 10, 1)
    picture, masks = translations(translator, probe.images)
    write(picture, out / "grid.png")
    if masks is not None:
        write(masks, out / "masks.png")
    console.print("measuring (classifiers are trained on real images first)", highlight=False)
    protocol = experiment.evaluate.model_copy(update={"split": split})
    result = Measure(data, test, protocol)(translator)
    write_metrics(out, result)
    from dragoman.report.html import report

    report(out)
    return result


def write_metrics(out: Path, result: dict[str, Any]) -> None:
    """metrics.json: every number at the top, how it was measured below."""
    flat = result["metrics"] | {k: v for k, v in result.items() if k != "metrics"}
    write_whole(out / "metrics.json", f"{json.dumps(flat, indent=2)}\n".encode())


def environment(runtime: Runtime, precision: str) -> dict[str, Any]:
    """What a run ran on."""
    return {
        "dragoman": dragoman.__version__, "python": platform.python_version(), "torch": torch.__version__,
        "platform": platform.platform(), "device": str(runtime.device), "processes": runtime.world,
        "processor": processor(runtime.device), "threads": torch.get_num_threads(), "precision": precision,
    }  # fmt: skip


def processor(device: torch.device) -> str:
    """The processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


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


def plan(experiment: Any_Experiment, console: Console) -> Plan:
    """Build everything and run a few steps without writing anything: what there is, how long, how much memory."""
    data, _, _ = open_data(experiment)
    method = build(experiment, data)
    runtime = Runtime.start(experiment.train.device)
    stream, _ = streams(experiment, runtime)
    settings = experiment.train
    phases = [
        (stage.name, phase.name, ", ".join(phase.updates), phase.every, phase.repeat,
         {k: w(0) if callable(w) else w for k, w in phase.weights.items()})
        for stage in method.stages(settings.steps) for phase in stage.phases
    ]  # fmt: skip
    clock = _Clock()
    steps = 2 * max(phase[3] for phase in phases)
    run = fit(
        method, stream, steps=max(steps, len(method.stages(steps))), seed=settings.seed, runtime=runtime,
        hooks=[clock], ema_decay=settings.ema_decay, precision=settings.precision,
    )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if runtime.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**30
    found = Plan(
        {name: sum(p.numel() for p in net.parameters()) for name, net in method.named_children()}, phases, len(data),
        data.task.domains, clock.per_step(), peak, run.precision_note,
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


class _Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Any) -> str:  # type: ignore[override]
        return f"{(task.speed or 0) * task.fields['batch']:.0f} images/s"


class Bar:
    """A progress bar: stage, step, images/s, time left; nothing where there is no terminal."""

    def __init__(self, console: Console, batch_size: int):
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                   _Rate(), TimeRemainingColumn())  # fmt: skip
        shown = console.is_terminal and not console.quiet
        self.console, self.batch_size = console, batch_size
        self.progress = Progress(*columns, console=console, disable=not shown)

    def start(self, run: Run) -> None:
        """Show it."""
        self.console.print(
            f"precision {run.precision_note or 'to be measured'}, device {run.runtime.device}", highlight=False
        )
        self.task = self.progress.add_task(run.stage.name, total=run.steps, completed=run.step, batch=self.batch_size)
        self.progress.start()

    def __call__(self, run: Run) -> None:
        """One step further."""
        self.progress.update(self.task, completed=run.step, description=run.stage.name)

    def end(self, run: Run) -> None:
        """Leave it."""
        self.progress.stop()
