"""Published files: found here, or downloaded once and checked; never half-written."""

import hashlib
from pathlib import Path

import pytest

from dragoman.data.store import Item, fetch, lookup, store
from dragoman.errors import UserError

CONTENT = b"the published bytes"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path / "data"))
    return tmp_path


def published(folder: Path, content: bytes = CONTENT) -> Item:
    """A file that can be downloaded, with the checksum of CONTENT."""
    (folder / "server.bin").write_bytes(content)
    return Item("sets/file.bin", (folder / "server.bin").as_uri(), hashlib.sha256(CONTENT).hexdigest())


def test_the_users_folder_comes_first(places: Path):
    item = published(places)
    assert lookup(item) is None
    for folder in (store(), places / "data"):
        (folder / "sets").mkdir(parents=True)
        (folder / item.name).write_bytes(b"mine")
        assert fetch(item) == lookup(item) == folder / item.name


def test_downloaded_once(places: Path):
    item = published(places)
    assert fetch(item).read_bytes() == CONTENT
    (places / "server.bin").unlink()
    assert fetch(item) == store() / item.name == places / "cache/dragoman/sets/file.bin"


def test_a_wrong_checksum_is_refused_and_leaves_nothing(places: Path):
    with pytest.raises(UserError, match=r"checksum differs\); put it at \$DRAGOMAN_DATA/sets/file.bin"):
        fetch(published(places, b"something else"))
    assert not store().exists()


def test_what_cannot_be_downloaded(places: Path):
    with pytest.raises(UserError, match=r"cannot download file:.*put it at"):
        fetch(Item("gone.bin", (places / "gone").as_uri(), "0" * 64))
    with pytest.raises(UserError, match=r"no weights/x on this machine; put it at .*cache/dragoman/weights/x"):
        fetch(Item("weights/x"))


def test_without_the_users_folder(places: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DRAGOMAN_DATA")
    assert lookup(Item("sets/file.bin")) is None
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert store() == Path.home() / ".cache/dragoman"
