"""A run, from an experiment to a folder with a model, pictures, metrics and a report."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors import SafetensorError

from dragoman import recipes
from dragoman.data.batch import Batch
from dragoman.data.dataset import Dataset
from dragoman.data.image import write, write_whole
from dragoman.data.stream import Stream
from dragoman.engine import checkpoint, hooks
from dragoman.engine.fit import NonFinite, Run, StreamOf, fit
from dragoman.engine.method import Method
from dragoman.engine.progress import Bar
from dragoman.engine.runtime import Runtime, environment
from dragoman.errors import UserError, one_line
from dragoman.exhibits import Generations, Scenes, Translations
from dragoman.methods import find
from dragoman.metrics.protocol import Protocol
from dragoman.model import load_method, load_model, save_model
from dragoman.recipes.experiment import Experiment
from dragoman.report import evaluation

AnyExperiment = Experiment[Any, Any]
Exhibit = Translations | Scenes | Generations

MAY_CHANGE = {"steps", "device", "workers", "log_every", "grid_every", "save_every", "keep", "evaluate_every"}
"""Fields of `train` that may differ when a run is resumed."""

POINTS = 400
"""Most images in the plot of features: t-SNE takes them in about a second."""


def train(experiment: AnyExperiment, out: Path, *, resume: bool = False, quiet: bool = False) -> dict[str, Any]:
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
        protocol = experiment.evaluate.model_copy(update={"split": split})
        kind = Generations if method.generates else Scenes if method.task.modalities else Translations
        shown: Exhibit = kind(method.task, data, test, protocol)
        run, bad = _fit(experiment, method, data, shown, out, runtime, resume, console)
        for line in bad:
            console.print(f"left out: {line}", markup=False, highlight=False, soft_wrap=True)
        return _finish(run, experiment, shown, out, console) if runtime.main else {}
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise UserError(f"cannot write in {out}: {reason}; free space or choose another --out") from None
    except NonFinite as error:
        last = checkpoint.steps(out / "state")
        state = f"the last good state is {out / 'state' / str(last[-1])}" if last else "no state had been saved"
        raise UserError(f"{error}; {state}; begin again with a lower --method.lr or weight") from None
    finally:
        runtime.close()


def open_data(experiment: AnyExperiment) -> tuple[Dataset, Dataset, str]:
    """The train images, those to look at and measure on, and which split the latter are."""
    data = experiment.data.open("train")
    split = experiment.evaluate.split
    try:
        return data, experiment.data.open(split), split
    except UserError:
        if split != Protocol().split:  # asked for by name
            raise
        return data, data, "train"


def build(experiment: AnyExperiment, data: Dataset) -> Method:
    """Fresh networks, the same for the same seed.

    Raises:
        UserError: the method cannot work on such images.
    """
    torch.manual_seed(experiment.train.seed)
    try:
        method = find(experiment.recipe.partition(".")[0])(experiment.method, data.task)
        method.need_images(len(data))
        method.adopt([load_method(path)[0] for path in method.sources()])
        return method
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{experiment.recipe}: {error}") from None


def streams(experiment: AnyExperiment, data: Dataset, runtime: Runtime) -> tuple[StreamOf, dict[str, None]]:
    """The streams of an experiment as `fit` asks for them, and where they collect what was wrong with bad images.

    Args:
        experiment: The run.
        data: Its train split.
        runtime: Gives each rank its own part.
    """
    settings = experiment.train
    by_domain = find(experiment.recipe.partition(".")[0]).by_domain
    bad: dict[str, None] = {}

    def stream(split: str, stage: int, first: int) -> Iterator[Batch]:
        chosen = data if split == "train" else experiment.data.open(split)
        seed = (settings.seed, stage)
        made = Stream(chosen, settings.batch_size, seed, runtime.rank, runtime.world, settings.workers, by_domain, bad)
        return made.start(first)

    return stream, bad


def _fit(experiment: AnyExperiment, method: Method, data: Dataset, shown: Exhibit, out: Path, runtime: Runtime,
         resume: bool, console: Console) -> tuple[Run, dict[str, None]]:  # fmt: skip
    """Train with the hooks of a run; also what was wrong with the images it left out."""
    settings = experiment.train
    stream, bad = streams(experiment, data, runtime)
    log = out / "log.jsonl"

    def draw(core: Any, step: int) -> None:
        write(shown.pictures(core)["grid"], out / "samples" / f"{step:07d}.png")

    def warn(line: str) -> None:
        console.print(f"warning: {line}", markup=False, soft_wrap=True)

    used: list[Any] = [
        hooks.Log(log, settings.log_every, settings.batch_size),
        hooks.Draw(settings.grid_every, draw),
        hooks.Guard(settings.grid_every, shown.warnings, warn, log),
        hooks.Save(settings.save_every, settings.keep),
    ]
    if settings.evaluate_every and runtime.main:
        used.insert(1, hooks.Evaluate(settings.evaluate_every, lambda core: shown.numbers(core)["metrics"], log))
    with Bar(console, settings.batch_size) as bar:
        run = fit(
            method, stream, steps=settings.steps, seed=settings.seed, directory=out, runtime=runtime,
            hooks=[*used, bar], ema_decay=settings.ema_decay, precision=settings.precision, resume=resume,
        )  # fmt: skip
    return run, bad


def _prepare(out: Path, experiment: AnyExperiment, resume: bool) -> None:
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


def _same_run(before: AnyExperiment, now: AnyExperiment, out: Path) -> None:
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


def read_experiment(path: Path) -> AnyExperiment:
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


def _finish(run: Run, experiment: AnyExperiment, shown: Exhibit, out: Path, console: Console) -> dict[str, Any]:
    """Write environment, model, pictures, metrics and report."""
    facts = environment(run.runtime, run.precision_note)
    write_whole(out / "environment.json", f"{json.dumps(facts, indent=2)}\n".encode())
    console.print("saving the model", highlight=False)
    facts = {"recipe": experiment.recipe, "steps": run.step, "seed": experiment.train.seed}
    with run.leaving():  # settled
        save_model(out / "model", run.method, run.averages.nets(run.method), facts)
    core: Any = load_model(out / "model").to(run.runtime.device).core
    for name, picture in shown.pictures(core, 10, 1).items():
        write(picture, out / f"{name}.png")
    console.print("measuring (classifiers are trained on real images first)", highlight=False)
    kept = evaluation.kept(run.method.task, POINTS)
    result = shown.numbers(core, kept)
    features, result["features"] = evaluation.plot(kept)
    evaluation.save(evaluation.Place(out, out / "metrics.json"), result, {"features": features})
    from dragoman.report.html import report

    try:
        report(out)
    except UserError as error:  # without the libraries for it, the run is still whole
        console.print(f"no report: {error}", markup=False, highlight=False, soft_wrap=True)
    return result
