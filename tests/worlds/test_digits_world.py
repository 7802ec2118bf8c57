"""The digits: the same for ever, and split as promised."""

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dragoman import worlds
from dragoman.cli import main
from dragoman.data.batch import Task
from dragoman.data.dataset import Folder
from dragoman.data.image import to_uint8
from dragoman.errors import UserError
from dragoman.worlds.digits import BACKGROUND, COLOURS, Digits

TRAIN, TEST = Digits().open("train"), Digits().open("test")


def test_numbers_of_images():
    assert (len(TRAIN), len(TEST)) == (4 * 1438, 359)  # 1,797 digits, four fifths of them in four shades
    assert TRAIN.images.shape == (5752, 32, 32, 3)
    assert TRAIN.task.domains == ("blue", "green", "red", "yellow")
    assert TRAIN.labels.sum(0).sub(5752 / 4).abs().max() <= 4
    assert TEST.labels.sum(0).sub(359 / 4).abs().max() <= 1


def test_deterministic_in_the_seed():
    again = Digits().open("train")
    assert np.array_equal(again.images, TRAIN.images)
    other = Digits(seed=1).open("train")
    assert not torch.equal(other.labels, TRAIN.labels)
    assert not np.array_equal(other.images, TRAIN.images)


GOLDEN = {
    "domains": [3, 2, 1, 1, 1, 0, 0, 2, 2, 2, 0, 1],
    "digits": [4, 9, 4, 9, 4, 9, 6, 9, 7, 0, 2, 3],
    "domain checksum": 94992,
    "digit checksum": 310763,
    "mean colour": [222.023, 222.396, 216.685],
    "spread": 78.216,
}


def test_golden():
    """A change of the world makes every recorded result another; the pixels may differ by rounding only."""
    domains, digits = TEST.labels.argmax(1), TEST.attributes["digit"]
    assert domains[:12].tolist() == GOLDEN["domains"]
    assert digits[:12].tolist() == GOLDEN["digits"]
    weights = torch.arange(1, 360)
    assert int((weights * domains).sum()) == GOLDEN["domain checksum"]
    assert int((weights * digits).sum()) == GOLDEN["digit checksum"]
    assert TEST.images.mean((0, 1, 2)) == pytest.approx(GOLDEN["mean colour"], abs=0.01)
    assert TEST.images[:, 8:24, 8:24].astype(float).std() == pytest.approx(GOLDEN["spread"], abs=0.01)


def test_every_fifth_digit_is_for_testing():
    """... from the fifth on; nothing is shuffled."""
    from sklearn.datasets import load_digits

    numbers = load_digits().target
    assert TEST.attributes["digit"].tolist() == numbers[4::5].tolist()
    assert TRAIN.attributes["digit"][:1438].tolist() == np.delete(numbers, np.s_[4::5]).tolist()
    assert TRAIN.attributes["digit"].tolist() == TRAIN.attributes["digit"][:1438].tolist() * 4


def shapes(images: np.ndarray) -> np.ndarray:
    """Where the ink is [M, size, size]: what colour cannot change."""
    return images.astype(int).min(-1) < round(255 * BACKGROUND) - 40


def test_train_and_test_digits_are_disjoint():
    train = {shape.tobytes() for shape in shapes(TRAIN.images)}
    test = {shape.tobytes() for shape in shapes(TEST.images)}
    assert len(test) > 350
    assert not train & test


def test_the_background_is_flat():
    background = round(255 * BACKGROUND)
    border = np.ones((32, 32), bool)
    border[4:28, 4:28] = False
    assert (TRAIN.images[:, border] == background).all()
    assert (TEST.images[:, border] == background).all()


def test_each_digit_is_in_one_domain_only():
    domains = TRAIN.labels.argmax(1).view(4, 1438)  # variants follow each other
    assert (domains == domains[0]).all()
    first, second = (TRAIN.images[v * 1438 : (v + 1) * 1438] for v in (0, 1))
    assert (shapes(first) == shapes(second)).mean() > 0.99
    assert not np.array_equal(first, second)  # ... in another shade


def test_the_domain_is_the_hue():
    import colorsys

    ink = TEST.images.astype(int).reshape(359, -1, 3)
    darkest = ink[np.arange(359), ink.sum(-1).argmin(1)] / 255
    hues = [360 * colorsys.rgb_to_hsv(*colour)[0] for colour in darkest]
    middles = list(COLOURS.values())
    for hue, domain in zip(hues, TEST.labels.argmax(1).tolist(), strict=True):
        assert abs((hue - middles[domain] + 180) % 360 - 180) < 18


@pytest.mark.parametrize("size", [16, 48])
def test_other_sizes(size: int):
    data = Digits(size=size, variants=1).open("test")
    assert data.load(0).shape == (3, size, size)
    assert np.array_equal(data.labels, TEST.labels)


def test_bad_settings():
    with pytest.raises(UserError, match="no split 'val'"):
        Digits().open("val")
    with pytest.raises(ValidationError):
        Digits(size=8)
    with pytest.raises(ValidationError):
        Digits(variants=0)


def test_the_written_folder_reads_back_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "digits"
    assert main(["data", "make", "digits", str(out), "--size", "16"]) == 0
    assert capsys.readouterr().out == f"6111 images in {out}; next: dragoman data check {out}\n"
    assert [p.name for p in tmp_path.iterdir()] == ["digits"]
    data = Folder(root=out, size=16, flip=False).open("test")
    made = Digits(size=16).open("test")
    assert data.task == made.task
    assert torch.equal(data.labels, made.labels)
    assert torch.equal(data.attributes["digit"], made.attributes["digit"])
    for index in (0, 100, 358):
        assert torch.equal(to_uint8(data.load(index)), to_uint8(made.load(index)))
    assert main(["data", "make", "digits", str(out)]) == 2
    assert capsys.readouterr().err == f"dragoman: {out} exists; give a folder that does not\n"


def test_a_world_for_a_model():
    task = Task(domains=tuple(COLOURS), size=16)
    assert worlds.open_source("digits", task).open("test").task == task
    with pytest.raises(UserError, match="digits has the domains blue"):
        worlds.open_source("digits", Task(domains=("day", "night"), size=16))
    with pytest.raises(UserError, match="no folder 'digit'"):
        worlds.open_source("digit", task)
