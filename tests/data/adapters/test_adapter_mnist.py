"""MNIST: idx files to images."""

import gzip
import struct

import numpy as np
import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_digits(tree, refused):
    pictures = tree.rng.integers(0, 256, (4, 28, 28), np.uint8)
    tree.write("train-images-idx3-ubyte.gz", gzip.compress(idx(pictures)))
    tree.write("train-labels-idx1-ubyte.gz", gzip.compress(idx(np.array([7, 0, 77, 0], np.uint8))))
    tree.write("t10k-images-idx3-ubyte", idx(pictures[:1]))
    tree.write("t10k-labels-idx1-ubyte", idx(np.array([7], np.uint8)))
    rows, skipped = tree.run("mnist")
    assert rows == [
        {"file_name": "train/7/00000.png", "domain": "7"},
        {"file_name": "train/0/00001.png", "domain": "0"},
        {"file_name": "train/0/00003.png", "domain": "0"},
        {"file_name": "test/7/00000.png", "split": "test", "domain": "7"},
    ]
    for name, number in (("train/7/00000.png", 0), ("train/0/00003.png", 3)):
        assert (tree.pixels(name) == pictures[number]).all()
    assert len(skipped) == 1
    refused(skipped, "train image 2", "77")
    tree.loads()


def test_files_that_do_not_belong_together(tree):
    tree.write("train-images-idx3-ubyte", idx(np.zeros((2, 28, 28), np.uint8)))
    with pytest.raises(UserError, match=r"no .*train-labels-idx1-ubyte"):
        import_family("mnist", tree.src, tree.out)
    tree.write("train-labels-idx1-ubyte", idx(np.zeros(3, np.uint8)))
    with pytest.raises(UserError, match="fetch them again"):
        import_family("mnist", tree.src, tree.out)
