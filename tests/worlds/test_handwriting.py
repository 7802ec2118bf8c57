"""Where handwriting comes from, in which order, and that it says so; no test downloads."""

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dragoman.data.store import Item
from dragoman.errors import UserError
from dragoman.nets.classifier import train_classifier
from dragoman.worlds import handwriting
from dragoman.worlds.handwriting import EMNIST, MNIST, Handwriting, digits, letters

REAL = os.environ.get("DRAGOMAN_DATA")


def idx(array: np.ndarray) -> bytes:
    """A gzipped idx file of bytes."""
    header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28))
LABELS = np.arange(20) % 10


def publish(folder: Path, items: dict[str, tuple[Item, Item]], labels: np.ndarray = LABELS) -> None:
    """The files of both splits: 20 images for training, the first 5 for testing."""
    for split, count in (("train", 20), ("test", 5)):
        for item, array in zip(items[split], (IMAGES, labels), strict=True):
            path = folder / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(idx(array[:count]))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DRAGOMAN_DATA, no downloads yet, and a server that has nothing."""
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    nowhere = {
        split: tuple(Item(item.name, (tmp_path / "server" / item.name).as_uri(), item.sha256) for item in pair)
        for split, pair in MNIST.items()
    }
    monkeypatch.setattr(handwriting, "MNIST", nowhere)
    return tmp_path / "data"


def test_where_the_published_files_are():
    """The names below DRAGOMAN_DATA, a secure address that ends in the same name, and a whole checksum."""
    for item in [*MNIST["train"], *MNIST["test"]]:
        assert item.url.startswith("https://") and item.url.endswith("/" + item.name)
        assert len(item.sha256) == 64
    assert all(item.url is None for pair in EMNIST.values() for item in pair)


def test_mnist_from_the_users_folder(data: Path):
    publish(data, MNIST)
    for source in ("auto", "mnist"):
        hand = digits("train", source)
        assert np.array_equal(hand.ink, IMAGES) and np.array_equal(hand.labels, LABELS)
        assert np.array_equal(digits("test", source).ink, IMAGES[:5])
        assert np.array_equal(np.round(255 * hand.at([3, 7], 28)), IMAGES[[3, 7]])  # as it is


def test_mnist_downloaded_once_and_checked(data: Path, monkeypatch: pytest.MonkeyPatch):
    server = data.parent / "server"
    publish(server, MNIST)
    served = {
        split: tuple(
            Item(i.name, (server / i.name).as_uri(), hashlib.sha256((server / i.name).read_bytes()).hexdigest())
            for i in pair
        )
        for split, pair in MNIST.items()
    }
    monkeypatch.setattr(handwriting, "MNIST", served)
    assert np.array_equal(digits("train").ink, IMAGES)
    assert (data.parent / "cache/dragoman/mnist/train-images-idx3-ubyte.gz").is_file()
    for split in served.values():
        for item in split:
            (server / item.name).unlink()
    assert np.array_equal(digits("test").ink, IMAGES[:5])


def test_without_mnist_one_line_says_so(data: Path, capsys: pytest.CaptureFixture[str]):
    for split, count in (("train", 1438), ("test", 359), ("train", 1438)):
        assert len(digits(split)) == count
    line, empty = capsys.readouterr().err.split("\n")  # said once
    assert not empty
    assert line.startswith("dragoman: cannot download file:")
    assert "put it at $DRAGOMAN_DATA/mnist/train-images-idx3-ubyte.gz" in line
    assert line.endswith("scikit-learn's 1,797 digits stand in for MNIST")
    with pytest.raises(UserError, match=r"cannot download .*put it at"):
        digits("train", "mnist")


def test_never_one_split_of_each_kind(data: Path):
    publish(data, MNIST)
    (data / MNIST["test"][0].name).unlink()
    assert len(digits("train")) == 1438


def test_small_is_small_even_where_mnist_is(data: Path):
    publish(data, MNIST)
    images, numbers = load_digits(return_X_y=True)
    hand = digits("test", "small")
    assert np.array_equal(hand.ink.reshape(-1, 64), images[4::5]) and np.array_equal(hand.labels, numbers[4::5])
    assert len(letters("test", "small")) == 2600


@pytest.mark.parametrize("source", ["auto", "mnist"])
def test_damage_is_an_error_and_not_a_reason_to_do_without(data: Path, source: str):
    publish(data, MNIST)
    (data / MNIST["train"][0].name).write_bytes(idx(IMAGES[:, :8]))
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte.gz: shape 20 x 8 x 28, expected M x 28 x 28"):
        digits("train", source)
    for labels in (LABELS[:19], LABELS + 1):
        publish(data / "more", MNIST, labels)
        os.environ["DRAGOMAN_DATA"] = str(data / "more")
        with pytest.raises(UserError, match=r"train-labels-idx1-ubyte.gz: not 20 labels from 0 to 9"):
            digits("train", source)


def test_unknown_splits():
    with pytest.raises(UserError, match="the digits have no split 'val'; there is: train, test"):
        digits("val", "small")
    with pytest.raises(UserError, match="the letters have no split 'val'"):
        letters("val", "small")


def test_emnist_is_turned_the_right_way_and_counts_from_a(data: Path):
    publish(data, EMNIST, LABELS + 1)
    hand = letters("train")
    assert np.array_equal(hand.ink, IMAGES.transpose(0, 2, 1))  # its files are transposed
    assert np.array_equal(hand.labels, LABELS)


def test_without_emnist_letters_are_drawn_and_one_line_says_so(data: Path, capsys: pytest.CaptureFixture[str]):
    for _ in range(2):
        assert np.array_equal(letters("test").ink, letters("test", "small").ink)
    line, _ = capsys.readouterr().err.split("\n")
    assert line.startswith("dragoman: no emnist/emnist-letters-train-images-idx3-ubyte.gz on this machine; put it at")
    assert line.endswith("letters drawn from fonts stand in for EMNIST")
    with pytest.raises(UserError, match=r"no emnist/.* on this machine; put it at"):
        letters("test", "mnist")


@pytest.mark.parametrize("size", [16, 28, 32, 45, 64])
def test_sizes_keep_the_shape_and_the_edges(size: int):
    """A disc stays a disc: its area scales, its edge stays about a pixel wide."""
    y, x = np.mgrid[:28, :28] - 13.5
    disc = np.clip(8.5 - np.hypot(x, y), 0, 1)
    ink = Handwriting(np.round(255 * disc).astype(np.uint8)[None], np.zeros(1, np.int64)).at([0], size)[0]
    assert ink.shape == (size, size) and ink.dtype == np.float32
    assert ink.min() == 0 and ink.max() == 1
    assert ink.mean() == pytest.approx(np.pi * 8**2 / 28**2, rel=0.05)
    edge = ((ink > 0.02) & (ink < 0.98)).sum()
    assert edge < 1.6 * 2 * np.pi * 8 * size / 28  # pixels along the circumference
    assert np.abs(ink - ink[::-1]).max() < 1e-4 and np.abs(ink - ink.T).max() < 1e-4  # in the middle


def test_drawn_letters_are_as_large_and_as_thick_as_mnist():
    train, test = letters("train", "small"), letters("test", "small")
    assert np.bincount(train.labels).tolist() == [400] * 26 and np.bincount(test.labels).tolist() == [100] * 26
    assert not {image.tobytes() for image in train.ink} & {image.tobytes() for image in test.ink}
    ink = test.ink > 127
    assert 0.10 < ink.mean() < 0.17  # MNIST: 0.13
    assert ink[:, [0, -1]].any((1, 2)).mean() < 0.01 and ink[:, :, [0, -1]].any((1, 2)).mean() < 0.01
    longer = np.maximum(ink.any(2).sum(1), ink.any(1).sum(1))
    assert 17 < np.median(longer) < 22  # MNIST: 20
    assert all(len({image.tobytes() for image in test.ink[test.labels == k]}) == 100 for k in range(26))


@pytest.mark.slow
def test_drawn_letters_can_be_read():
    (x, y), (seen, truth) = (
        (torch.from_numpy(hand.ink).float()[:, None] / 127.5 - 1, torch.from_numpy(hand.labels))
        for hand in (letters("train", "small"), letters("test", "small"))
    )
    net = train_classifier(x, y, 26, steps=600)
    assert (net(seen).argmax(1) == truth).float().mean() > 0.95  # I and l are written alike


@pytest.mark.skipif(not REAL or not Path(REAL, "mnist").is_dir(), reason="no mnist in DRAGOMAN_DATA")
def test_the_real_mnist(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRAGOMAN_DATA", str(REAL))
    train, test = digits("train", "mnist"), digits("test", "mnist")
    assert (train.ink.shape, test.ink.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert train.ink.mean() == pytest.approx(33.318, abs=0.001)  # 0.1307 of 255, as everybody normalises by
    for item in [*MNIST["train"], *MNIST["test"]]:
        assert hashlib.sha256(Path(REAL, item.name).read_bytes()).hexdigest() == item.sha256
