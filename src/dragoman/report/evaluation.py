"""What a measurement leaves in a folder: its numbers as JSON, and its pictures."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dragoman.data.batch import Task
from dragoman.data.image import write, write_whole
from dragoman.errors import UserError
from dragoman.inference.modal import ModalTranslator
from dragoman.inference.translator import Translator
from dragoman.metrics.embedding import project
from dragoman.metrics.features import Kept
from dragoman.metrics.protocol import Samples
from dragoman.report.grids import translations
from dragoman.report.html import EVALUATIONS, MissingLibrary, beside, is_run, report
from dragoman.report.scatter import scatter
from dragoman.report.scenes import scenes

POINTS = 2000
"""Most images in the plot of an evaluation."""
EACH = 400
"""Most images of each domain in a plot, real and translated."""
SHOWN = 10
"""Inputs in the grid."""
FEWEST = 91
"""Images that t-SNE of perplexity 30 needs; below, principal components are shown."""


@dataclass(frozen=True)
class Place:
    """Where an evaluation is written."""

    folder: Path
    """Of the report."""
    record: Path
    """The numbers; pictures stand beside them."""


def place(model: Path, data: str, split: str, out: Path | None) -> Place | None:
    """Where the evaluation of a model on a data set goes: `out`, else the run that the model is in, else nowhere.

    In the folder of a run it goes to evaluations/DATA-SPLIT.json; the run's own metrics.json stays as it is.

    Raises:
        UserError: a config.json that is no JSON.
    """
    model = model if model.name not in ("", "..") else model.resolve()
    folder = model.parent if out is None else out
    if is_run(folder):
        name = re.sub(r"[^\w.-]+", "_", f"{Path(data).resolve().name}-{split}")
        return Place(folder, folder / EVALUATIONS / f"{name}.json")
    return None if out is None else Place(folder, folder / "metrics.json")


def kept(task: Task, points: int = POINTS) -> Kept:
    """What a measurement is to keep for a plot of at most so many points."""
    groups = 2 * len(task.domains) if task.exclusive else 1 + len(task.domains)
    return Kept(max(1, min(EACH, points // groups)))


def plot(kept: Kept) -> tuple[Image.Image | None, str]:
    """A scatter plot of kept features, and what it shows; or None, and why there is none."""
    if not (kept.real and kept.translated):
        return None, "no plot: none of the metrics measured compares features of real and translated images"
    verb = "flipped" if "" in kept.real else "to"  # attributes: real images are of no domain
    groups = {f"real {name}".rstrip(): x for name, x in kept.real.items()}
    groups |= {f"{verb} {name}": x for name, x in kept.translated.items()}
    labels = [name for name, x in groups.items() for _ in range(len(x))]
    enough = len(labels) >= FEWEST
    try:
        picture = scatter(project(torch.cat(list(groups.values())), "tsne" if enough else "pca"), labels)
    except (UserError, ValueError) as error:
        return None, f"no plot: {error}"
    return picture, (
        f"{'t-SNE' if enough else 'Principal components'} of {len(labels)} images, at most {kept.most} of each kind. "
        f"Features: {kept.text}; translations: the first style."
    )


def write_metrics(path: Path, result: dict[str, Any]) -> None:
    """Every number at the top, how it was measured below."""
    flat = result["metrics"] | {k: v for k, v in result.items() if k != "metrics"}
    write_whole(path, f"{json.dumps(flat, indent=2)}\n".encode())


def save(place: Place, result: dict[str, Any], pictures: dict[str, Image.Image | None]) -> list[Path]:
    """Write the numbers, and pictures by name; a picture that there is none of any more is removed.

    Returns:
        The files.
    """
    write_metrics(place.record, result)
    written = [place.record]
    for name, picture in pictures.items():
        path = beside(place.record, name)
        if picture is None:
            path.unlink(missing_ok=True)
        else:
            write(picture, path)
            written.append(path)
    return written


def write_evaluation(
    place: Place,
    about: dict[str, str],
    result: dict[str, Any],
    translator: Translator | ModalTranslator,
    inputs: Samples,
    kept: Kept,
    warn: Callable[[str], None],
) -> list[Path]:
    """Write the numbers of an evaluation, a plot of features, a grid of translations, and the report with them.

    Args:
        place: From `place`.
        about: What was evaluated: model, data, split.
        result: From `Measure` or `MeasureScenes`.
        translator: The model.
        inputs: What it was measured on; the first are in the grid.
        kept: Features from the measurement.
        warn: Called with a line if there can be no report.

    Returns:
        The files.

    Raises:
        UserError: a file cannot be written.
    """
    features, text = plot(kept)
    images, labels = inputs.images[:SHOWN], inputs.labels[:SHOWN]
    if isinstance(translator, ModalTranslator):
        grid = scenes(translator, images, labels)
    else:
        grid, _ = translations(translator, images, labels)
    facts = {"evaluated": about | {"sha256": str(translator.facts.get("sha256", ""))}, "features": text}
    written = save(place, result | facts, {"grid": grid, "features": features})
    try:
        written.append(report(place.folder))
    except MissingLibrary as error:
        warn(f"no report: {error}")
    return written
