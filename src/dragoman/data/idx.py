"""The idx files of MNIST and its relatives."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from dragoman.errors import UserError, one_line


def read_idx(path: Path) -> np.ndarray:
    """An idx file of bytes, plain or gzipped, as a read-only uint8 array of the shape that its header gives.

    The header is two zeros, the type (8: unsigned bytes), the rank, and each side as four big-endian bytes.

    Raises:
        UserError: it cannot be read, is no idx file of bytes, or is shorter or longer than its header says.
    """
    try:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or one_line(error)}; fetch it again") from None
    except (EOFError, zlib.error) as error:
        raise UserError(f"{path}: damaged gzip file ({one_line(error)}); fetch it again") from None
    if len(content) < 4 or content[:2] != b"\0\0" or not content[3]:
        raise UserError(f"{path}: not an idx file; fetch it again")
    if content[2] != 8:
        raise UserError(f"{path}: an idx file of type {content[2]}; only type 8 (bytes) can be read")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise UserError(f"{path}: an idx file that ends within its header; fetch it again")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        sides = " x ".join(map(str, shape))
        raise UserError(f"{path}: {len(content) - start} bytes of data, its header says {sides}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
