"""Published data and weights: where they lie on this machine, or where they can be downloaded from."""

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dragoman.data.image import write_whole
from dragoman.errors import UserError, one_line


@dataclass(frozen=True)
class Item:
    """A published file."""

    name: str
    """Its path below DRAGOMAN_DATA, and below the download folder."""
    url: str | None = None
    """Where to download it, if its licence and size allow that without asking."""
    sha256: str | None = None
    """Of the file that `url` gives."""


def store() -> Path:
    """The folder of downloads: $XDG_CACHE_HOME/dragoman or ~/.cache/dragoman."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dragoman"


def lookup(item: Item) -> Path | None:
    """The file in $DRAGOMAN_DATA or among the downloads, else None. Nothing is downloaded."""
    folders = [Path(root)] if (root := os.environ.get("DRAGOMAN_DATA")) else []
    return next((f / item.name for f in [*folders, store()] if (f / item.name).is_file()), None)


def fetch(item: Item) -> Path:
    """The file, downloaded and checked if it is not there yet.

    Raises:
        UserError: it is neither here nor can it be downloaded; says what to put where.
    """
    if found := lookup(item):
        return found
    place = f"put it at $DRAGOMAN_DATA/{item.name} or {store() / item.name}"
    if item.url is None or item.sha256 is None:
        raise UserError(f"no {item.name} on this machine; {place}")
    content = _download(item.url)
    if isinstance(content, str):
        raise UserError(f"cannot download {item.url} ({content}); {place}")
    if hashlib.sha256(content).hexdigest() != item.sha256:
        raise UserError(f"{item.url} is not the published file (its checksum differs); {place}")
    write_whole(store() / item.name, content)
    return store() / item.name


@cache  # a machine without a network says so once, not once per file
def _download(url: str) -> bytes | str:
    """The content, or in one line why there is none."""
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return bytes(answer.read())
    except OSError as error:
        return one_line(error)
