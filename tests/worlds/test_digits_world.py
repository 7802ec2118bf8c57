"""The digits: the same for ever, split as promised, and in every colour the same digit."""

import colorsys
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
from dragoman.nets.classifier import train_classifier
from dragoman.worlds.digits import BACKGROUND, COLOURS, ELEVEN, PAPER, Coloured, Digits

TRAIN, TEST = Digits().open("train"), Digits().open("test")


def test_numbers_of_images():
    assert (len(TRAIN), len(TEST)) == (4 * 1438, 359)  # 1,797 digits, four fifths of them in four shades
    assert TRAIN.images.shape == (5752, 32, 32, 3)
    assert TRAIN.task.domains == ("blue", "green", "red", "yellow")
    assert TRAIN.labels.sum(0).sub(5752 / 4).abs().max() <= 4
    assert TEST.labels.sum(0).sub(359 / 4).abs().max() <= 1


def test_deterministic_in_the_seed():
    again = Digits().open("test")
    assert np.array_equal(again.images, TEST.images)
    other = Digits(seed=1).open("test")
    assert not torch.equal(other.labels, TEST.labels)
    assert not np.array_equal(other.images, TEST.images)


GOLDEN = {
    "domains": [3, 2, 1, 1, 1, 0, 0, 2, 2, 2, 0, 1],
    "digits": [4, 9, 4, 9, 4, 9, 6, 9, 7, 0, 2, 3],
    "domain checksum": 94992,
    "digit checksum": 310763,
    "mean colour": [222.023, 222.396, 216.685],
    "spread": 78.216,
    "pixels": [
        [[245, 245, 245], [193, 199, 14], [175, 184, 41]],
        [[203, 209, 237], [193, 199, 14], [175, 184, 41]],
        [[245, 245, 245], [218, 221, 124], [208, 213, 139]],
    ],
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
    for place, pixels in zip(((12, 16), (16, 12), (20, 18)), GOLDEN["pixels"], strict=True):
        assert np.abs(TRAIN.images[[0, 1437, 5751], *place] - np.array(pixels)).max() <= 1


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


BIG, BIG_TEST = (Digits(colours="eleven", variants=1).open(split) for split in ("train", "test"))


def ink_colours(data: Coloured) -> np.ndarray:
    """[M, 3] in [0, 1]: of the pixel that is farthest from the paper."""
    pixels = data.images.reshape(len(data), -1, 3) / 255
    far = np.abs(pixels - pixels[:, :1]).sum(-1).argmax(1)
    return pixels[np.arange(len(data)), far]


def test_eleven_colours_are_of_their_ranges():
    assert Digits(colours="eleven", source="mnist").task == BIG.task  # known without opening
    assert BIG.task.domains == tuple(sorted(ELEVEN))
    assert BIG_TEST.labels.sum(0).sub(359 / 11).abs().max() <= 1
    assert torch.equal(BIG_TEST.attributes["digit"], TEST.attributes["digit"])
    assert (BIG_TEST.images[:, 0, 0] == np.round(255 * PAPER["eleven"])).all()
    for colour, domain in zip(ink_colours(BIG_TEST), BIG_TEST.labels.argmax(1).tolist(), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        low, high = list(ELEVEN.values())[domain]
        assert low[1] - 0.02 <= saturation <= high[1] + 0.02
        assert low[2] - 0.01 <= value <= high[2] + 0.01
        if high[0] - low[0] < 360:
            middle, half = (low[0] + high[0]) / 2, (high[0] - low[0]) / 2
            assert abs((360 * hue - middle + 180) % 360 - 180) < half + 2


def test_ink_of_every_colour_is_seen_on_the_paper():
    for low, high in ELEVEN.values():
        shades = [(h, s, v) for h in (low[0], high[0]) for s in (low[1], high[1]) for v in (low[2], high[2])]
        contrast = [np.abs(colorsys.hsv_to_rgb(h / 360 % 1, s, v) - PAPER["eleven"]).max() for h, s, v in shades]
        assert min(contrast) > 0.2


def test_no_two_of_the_eleven_colours_overlap():
    colours, domains = ink_colours(BIG), BIG.labels.argmax(1).numpy()
    nearest = np.array([
        [np.abs(colours[domains == a][:, None] - colours[domains == b]).max(-1).min() for b in range(11)]
        for a in range(11)
    ])  # fmt: skip
    assert nearest[~np.eye(11, dtype=bool)].min() > 0.05


@pytest.mark.parametrize("colours", ["four", "eleven"])
def test_a_small_classifier_reads_the_colour(colours: str):
    train, test = (Digits(size=16, variants=1, colours=colours).open(split) for split in ("train", "test"))
    (x, y), (seen, truth) = (
        (torch.stack([data.load(i) for i in range(len(data))]), data.labels.argmax(1)) for data in (train, test)
    )
    net = train_classifier(x, y, len(train.task.domains), steps=200)
    assert (net(seen).argmax(1) == truth).float().mean() >= 0.98


@pytest.mark.parametrize("data", [TEST, BIG_TEST], ids=["four", "eleven"])
def test_counterfactuals_change_nothing_but_the_colour(data: Coloured):
    """Re-derived from two pictures: ink = (pixel - paper) / (colour - paper) is the same in both."""
    codes = torch.eye(len(data.task.domains))
    paper = data.load(0)[:, 0, 0]
    for index in range(0, 60, 7):
        assert torch.equal(data.counterfactual(index, data.labels[index]), data.load(index))
        inks = []
        for code in codes:
            image = data.counterfactual(index, code)
            assert torch.equal(image, data.counterfactual(index, code))
            away = image - paper[:, None, None]
            flat = away.flatten(1)
            full = flat[:, flat.abs().sum(0).argmax()]
            inks.append((away * full[:, None, None]).sum(0) / full.square().sum())
        assert torch.stack(inks).std(0).max() < 0.05  # rounding to bytes, of colours near the paper's
        assert (data.counterfactual(index, codes[0]) != data.counterfactual(index, codes[1])).any()


def test_a_counterfactual_keeps_the_place_in_the_colours_range():
    index = int(TEST.labels[:, 2].argmax())  # red
    red, yellow = (
        min(TEST.counterfactual(index, torch.eye(4)[k]).flatten(1).T.tolist(), key=lambda pixel: sum(pixel))
        for k in (2, 3)
    )
    (h, s, v), (h2, s2, v2) = (colorsys.rgb_to_hsv(*((c + 1) / 2 for c in pixel)) for pixel in (red, yellow))
    assert ((h2 - h) * 360 - 50 + 180) % 360 - 180 == pytest.approx(0, abs=2)
    assert (s2, v2) == pytest.approx((s, v), abs=0.02)


def test_colours_of_one_digit_are_the_same_whether_few_or_many_are_painted():
    again = Digits(colours="eleven", variants=1).open("test")
    assert torch.equal(again.load(358), BIG_TEST.load(358))  # the first that it paints
    assert np.array_equal(again.images, BIG_TEST.images)
