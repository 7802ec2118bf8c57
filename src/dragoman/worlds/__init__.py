"""Built-in benchmark images, by name."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig, Folder
from dragoman.data.manifest import Manifest
from dragoman.data.modal import ModalFolder
from dragoman.errors import UserError, suggest
from dragoman.worlds.digits import Digits
from dragoman.worlds.faces import Faces
from dragoman.worlds.mnist import MNIST, MNISTMultiple, MNISTSingle
from dragoman.worlds.streets import Streets
from dragoman.worlds.streets.modalities import StreetsModalities
from dragoman.worlds.world import SPLITS, BuiltIn
from dragoman.worlds.writer import write

__all__ = ["SPLITS", "WORLDS", "find", "make", "open_source", "summary"]

WORLDS: dict[str, type[BuiltIn]] = {
    "digits": Digits,
    "faces": Faces,
    "mnist": MNIST,
    "mnist-multiple": MNISTMultiple,
    "mnist-single": MNISTSingle,
    "streets": Streets,
}


def find(name: str) -> type[BuiltIn]:
    """A world by name.

    Raises:
        UserError: there is no such world.
    """
    if name not in WORLDS:
        raise UserError(f"unknown world {name!r}; {suggest(name, list(WORLDS))}")
    return WORLDS[name]


def summary(name: str) -> str:
    """What a world shows, in one line."""
    return (find(name).__doc__ or "").splitlines()[0]


def open_source(source: str, task: Task) -> DataConfig:
    """A data set for a translator: a folder, or a built-in world by name, set to show the translator's domains.

    Raises:
        UserError: it is neither, or does not have these domains.
    """
    if task.modalities and source == "streets":
        return StreetsModalities(size=task.size, seen=task.seen)
    if source in WORLDS:
        world = WORLDS[source]
        shown = []
        for settings in _variants(world, task.domains):
            try:
                found = world.model_validate({"size": task.size} | settings)
            except ValidationError:
                continue
            shown.append(found.task)
            if (shown[-1].domains, shown[-1].channels) == (task.domains, task.channels):
                return found
        raise UserError(f"{source} has the domains {', '.join(shown[0].domains)}, the model {', '.join(task.domains)}")
    if not Path(source).exists():
        raise UserError(f"no folder {source!r}; give a data set folder or one of: {', '.join(WORLDS)}")
    if task.modalities:
        furthest = max(m.furthest for m in task.modalities) or None
        return ModalFolder(root=Path(source), size=task.size, flip=False, modalities=task.domains, furthest=furthest)
    return Folder(root=Path(source), size=task.size, channels=task.channels, flip=False, domains=task.domains)


def _variants(world: type[BuiltIn], domains: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Settings that may change a world's domains: none, each value of a choice, the domains themselves."""
    yield {}
    for name, field in world.model_fields.items():
        if get_origin(field.annotation) is Literal:
            yield from ({name: value} for value in get_args(field.annotation))
        elif field.annotation == tuple[str, ...]:
            yield {name: domains}


def make(world: DataConfig, out: Path, advance: Callable[[int], None] = lambda _: None) -> Manifest:
    """Write a world as a data set folder.

    Raises:
        UserError: the folder exists or cannot be written; then nothing is left of it.
    """
    if out.exists():
        raise UserError(f"{out} exists; give a folder that does not")
    beside = out.with_name(f".{out.name}.tmp")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        rows = write(world, beside, advance).rows
        beside.rename(out)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"cannot write in {out}: {error.strerror or error}; choose another folder") from None
    return Manifest(out, rows)
