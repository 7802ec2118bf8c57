"""Built-in benchmark images, by name."""

import shutil
from collections.abc import Callable
from pathlib import Path

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig, Folder
from dragoman.data.manifest import Manifest
from dragoman.errors import UserError, suggest
from dragoman.worlds.digits import Digits
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets
from dragoman.worlds.world import SPLITS
from dragoman.worlds.writer import write

__all__ = ["SPLITS", "WORLDS", "find", "make", "open_source", "summary"]

WORLDS: dict[str, type[DataConfig]] = {"digits": Digits, "faces": Faces, "streets": Streets}


def find(name: str) -> type[DataConfig]:
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
    """A data set for a translator: a folder, or a built-in world by name.

    Raises:
        UserError: it is neither, or its domains are not the translator's.
    """
    if source in WORLDS:
        found = WORLDS[source].model_validate({"size": task.size})
        domains = found.open("test").task.domains
        if domains != task.domains:
            raise UserError(f"{source} has the domains {', '.join(domains)}, the model {', '.join(task.domains)}")
        return found
    if not Path(source).exists():
        raise UserError(f"no folder {source!r}; give a data set folder or one of: {', '.join(WORLDS)}")
    return Folder(root=Path(source), size=task.size, channels=task.channels, flip=False, domains=task.domains)


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
