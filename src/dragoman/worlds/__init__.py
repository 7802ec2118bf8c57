"""Built-in benchmark images, by name."""

import shutil
from pathlib import Path

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig, Folder
from dragoman.data.manifest import Manifest
from dragoman.errors import UserError, suggest
from dragoman.worlds import digits

WORLDS = {"digits": digits}


def open_source(source: str, task: Task) -> DataConfig:
    """A data set for a translator: a folder, or a built-in world by name.

    Raises:
        UserError: it is neither, or its domains are not the translator's.
    """
    if source in WORLDS:
        found: DataConfig = WORLDS[source].Digits(size=task.size)
        domains = found.open("test").task.domains
        if domains != task.domains:
            raise UserError(f"{source} has the domains {', '.join(domains)}, the model {', '.join(task.domains)}")
        return found
    if not Path(source).exists():
        raise UserError(f"no folder {source!r}; give a data set folder or one of: {', '.join(WORLDS)}")
    return Folder(root=Path(source), size=task.size, channels=task.channels, flip=False, domains=task.domains)


def make(world: str, out: Path, size: int) -> Manifest:
    """Write a world as a data set folder.

    Raises:
        UserError: there is no such world, or the folder exists or cannot be written; then nothing is left of it.
    """
    if world not in WORLDS:
        raise UserError(f"unknown world {world!r}; {suggest(world, list(WORLDS))}")
    if out.exists():
        raise UserError(f"{out} exists; give a folder that does not")
    config = WORLDS[world].Digits(size=size)
    beside = out.with_name(f".{out.name}.tmp")
    try:
        shutil.rmtree(beside, ignore_errors=True)
        rows = WORLDS[world].make(beside, config).rows
        beside.rename(out)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise UserError(f"cannot write in {out}: {error.strerror or error}; choose another folder") from None
    return Manifest(out, rows)
