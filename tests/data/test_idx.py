"""idx files: what was written is read, and damage is named."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dragoman.data.idx import read_idx
from dragoman.errors import UserError

VALUES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
HEADER = b"\0\0\x08\x03" + struct.pack(">III", 2, 3, 4)
WHOLE = HEADER + VALUES.tobytes()


def write(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "some-idx3-ubyte").write_bytes(content)
    return tmp_path / "some-idx3-ubyte"


@pytest.mark.parametrize("packed", [False, True])
def test_reads_what_was_written(tmp_path: Path, packed: bool):
    found = read_idx(write(tmp_path, gzip.compress(WHOLE) if packed else WHOLE))
    assert found.dtype == np.uint8
    assert np.array_equal(found, VALUES)


def test_labels_and_an_empty_file_of_labels(tmp_path: Path):
    labels = b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\x07\x02\x01"
    assert read_idx(write(tmp_path, labels)).tolist() == [7, 2, 1]
    assert read_idx(write(tmp_path, b"\0\0\x08\x01" + struct.pack(">I", 0))).shape == (0,)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an idx file"),
        (b"\x89PNG\r\n\x1a\n", "not an idx file"),
        (b"\0\0\x08\0", "not an idx file"),
        (b"\0\0\x0d" + WHOLE[3:], r"type 13; only type 8 \(bytes\)"),
        (HEADER[:-1], "ends within its header"),
        (WHOLE[:-1], "23 bytes of data, its header says 2 x 3 x 4"),
        (WHOLE + b"\0", "25 bytes of data, its header says 2 x 3 x 4"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "0 bytes of data, its header says 4294967295 x"),
        (gzip.compress(WHOLE, mtime=0)[:-9], "damaged gzip file"),
        (gzip.compress(WHOLE, mtime=0)[:12] + b"\xff" * 30, "damaged gzip file"),
        (b"\x1f\x8bnothing", "fetch it again"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, content: bytes, complaint: str):
    with pytest.raises(UserError, match=rf"some-idx3-ubyte.*{complaint}"):
        read_idx(write(tmp_path, content))


def test_no_file(tmp_path: Path):
    with pytest.raises(UserError, match=r"cannot read .*gone: No such file"):
        read_idx(tmp_path / "gone")
