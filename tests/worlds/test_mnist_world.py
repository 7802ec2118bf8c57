"""EGSC-IT's two sets as the paper says, their true answers derived again from masks; and subsets for transfer."""

import colorsys
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.image import to_uint8
from dragoman.data.stream import Stream
from dragoman.errors import UserError
from dragoman.nets.classifier import train_classifier
from dragoman.worlds import handwriting
from dragoman.worlds.mnist import MNIST, MNISTMultiple, MNISTSingle

REAL = os.environ.get("DRAGOMAN_DATA")
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
SINGLE = {split: MNISTSingle(source="small").open(split) for split in ("train", "test")}
MULTIPLE = {split: MNISTMultiple(source="small").open(split) for split in ("train", "test")}


def pixels(image: Tensor) -> np.ndarray:
    """[H, W, 3] uint8."""
    return to_uint8(image).permute(1, 2, 0).numpy()


def colours(image: Tensor) -> tuple[tuple[int, ...], set[tuple[int, ...]]]:
    """The background, which fills the border, and all other colours of an image."""
    found = pixels(image)
    everything = {tuple(map(int, colour)) for colour in np.unique(found.reshape(-1, 3), axis=0)}
    background = tuple(map(int, found[0, 0]))
    return background, everything - {background}


def test_numbers_of_images_and_labels():
    for data, size in ((SINGLE, 28), (MULTIPLE, 112)):
        assert (len(data["train"]), len(data["test"])) == (2 * 1438, 2 * 359)
        assert data["test"].task == Task(domains=("black_white", "coloured"), size=size)
        assert data["test"].labels.argmax(1).tolist() == [0] * 359 + [1] * 359
        assert data["test"].load(0).shape == (3, size, size)


@pytest.mark.parametrize("split", ["train", "test"])
def test_single_has_the_papers_colours(split: str):
    data, seen = SINGLE[split], set()
    for index in range(len(data)):
        background, (foreground,) = colours(data.load(index))
        digit = int(data.attributes["digit"][index])
        domain = int(data.labels[index].argmax())
        seen.add((domain, digit > 4, foreground, background))
    bw = set(itertools.permutations((BLACK, WHITE), 2))
    pairs = set(itertools.permutations((RED, GREEN, BLUE), 2))
    high = {(RED, GREEN)} if split == "train" else pairs  # 5 to 9: red on green when training
    expected = {(0, h, *c) for h in (False, True) for c in bw}
    expected |= {(1, False, *c) for c in pairs} | {(1, True, *c) for c in high}
    assert seen == expected


def test_single_colours_are_equally_likely():
    test = SINGLE["test"]
    for domain, kinds in ((0, 2), (1, 6)):
        palettes = test.palettes[test.labels[:, domain].bool().numpy()].reshape(359, -1)
        counts = np.unique(palettes, axis=0, return_counts=True)[1]
        assert len(counts) == kinds
        assert np.abs(counts - 359 / kinds).max() < 4 * np.sqrt(359 / kinds)


def test_single_ink_is_cut_at_half_and_every_digit_is_in_both_domains_once():
    hand = handwriting.digits("test", "small")
    masks = {(mask > 0.5).tobytes() for mask in hand.at(slice(None), 28)}
    for domain in (0, 1):
        indices = SINGLE["test"].labels[:, domain].nonzero()[:, 0].tolist()
        seen = {
            (pixels(SINGLE["test"].load(i)) != pixels(SINGLE["test"].load(i))[0, 0]).any(2).tobytes() for i in indices
        }
        assert seen == masks
        digits = SINGLE["test"].attributes["digit"][indices]
        assert digits.bincount().tolist() == np.bincount(hand.labels).tolist()
    a, b = SINGLE["test"].attributes["digit"].view(2, -1)
    assert (a == b).float().mean() < 0.2  # unpaired


def test_the_threshold_of_grey_levels_is_127_and_a_half():
    hand = handwriting.Handwriting(np.full((1, 28, 28), 127, np.uint8), np.zeros(1, np.int64))
    hand.ink[0, 5, 5] = 128
    assert (hand.at([0], 28)[0] > 0.5).sum() == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_truth_of_single_is_the_sources_shape_in_the_exemplars_two_colours(split: str):
    data, rng = SINGLE[split], np.random.default_rng(0)
    half = len(data) // 2
    for a, b in zip(rng.integers(half, size=40).tolist(), (half + rng.integers(half, size=40)).tolist(), strict=True):
        for source, exemplar in ((a, b), (b, a)):
            shape = pixels(data.load(source))
            shape = (shape != shape[0, 0]).any(2)
            background, (foreground,) = colours(data.load(exemplar))
            expected = np.where(shape[..., None], foreground, background)
            assert np.array_equal(pixels(data.truth(source, exemplar)), expected)


@pytest.mark.parametrize("data", [SINGLE["test"], MULTIPLE["test"]], ids=["single", "multiple"])
def test_truth_with_itself_or_with_the_same_colours_is_the_image(data):
    for index in (0, 100, 400, 700):
        assert torch.equal(data.truth(index, index), data.load(index))
        same = [k for k in range(len(data)) if np.array_equal(data.palettes[k], data.palettes[index])]
        for other in same[:3]:
            assert torch.equal(data.truth(index, other), data.load(index))
    assert data.counterfactual(0, torch.tensor([0.0, 1.0])) is None  # there are many
    there = data.truth(0, 400)
    assert torch.equal(data.truth(400, 0), data.truth(400, 0))
    assert not torch.equal(there, data.load(0)) and not torch.equal(there, data.load(400))


def test_multiple_shows_all_ten_digits_once_each_on_the_grid():
    hand = handwriting.digits("test", "small")
    shapes = {(mask > 0.5).tobytes(): label for mask, label in zip(hand.at(slice(None), 28), hand.labels, strict=True)}
    used = set()
    for index in (*range(30), *range(359, 389)):
        image = pixels(MULTIPLE["test"].load(index))
        ink = (image != image[0, 0]).any(2)
        cells = [ink[28 * r : 28 * r + 28, 28 * c : 28 * c + 28] for r in range(4) for c in range(4)]
        shown = [shapes[np.ascontiguousarray(cell).tobytes()] for cell in cells if cell.any()]
        assert sorted(shown) == list(range(10))
        regions = MULTIPLE["test"].regions(index)
        assert np.array_equal(regions > 0, ink)
        assert set(np.unique(regions).tolist()) == set(range(11))
        for cell, numbers in zip(cells, regions.reshape(4, 28, 4, 28).swapaxes(1, 2).reshape(16, -1), strict=True):
            if cell.any():
                assert numbers.max() == 1 + shapes[np.ascontiguousarray(cell).tobytes()]
        used.add(tuple(k for k, cell in enumerate(cells) if cell.any()))
    assert len(used) > 50  # of 8,008 choices of ten cells


def test_multiple_in_black_and_white():
    data, backgrounds = MULTIPLE["train"], set()
    for index in range(0, 359, 9):
        background, others = colours(data.load(index))
        assert (background, others) in ((BLACK, {WHITE}), (WHITE, {BLACK}))
        backgrounds.add(background)
    assert backgrounds == {BLACK, WHITE}


def test_multiple_in_colour():
    """Digit d is of hue d / 10, saturation and value within 40 % of a half, the background black or white."""
    data, jitter = MULTIPLE["test"], []
    for index in range(359, 718, 7):
        image, regions = pixels(data.load(index)), data.regions(index)
        assert tuple(map(int, image[regions == 0][0])) in (BLACK, WHITE)
        for digit in range(10):
            assert len(np.unique(image[regions == 1 + digit], axis=0)) == 1
            hue, saturation, value = colorsys.rgb_to_hsv(*(image[regions == 1 + digit][0] / 255))
            assert abs((hue - digit / 10 + 0.5) % 1 - 0.5) < 0.02
            jitter.append((saturation, value))
    low, high = np.min(jitter, 0), np.max(jitter, 0)
    assert low == pytest.approx([0.3, 0.3], abs=0.02) and high == pytest.approx([0.7, 0.7], abs=0.02)
    assert np.mean(jitter, 0) == pytest.approx([0.5, 0.5], abs=0.03)
    assert 0.4 < (data.palettes[:, 0, 0] == 255).mean() < 0.6  # backgrounds, both domains


def test_truth_of_multiple_gives_each_digit_the_exemplars_colour_of_that_digit():
    data, rng = MULTIPLE["test"], np.random.default_rng(0)
    for a, b in rng.integers(359, size=(10, 2)).tolist():
        for source, exemplar in ((a, 359 + b), (359 + b, a)):
            shown, style = data.regions(source), pixels(data.load(exemplar))
            expected = np.empty((112, 112, 3), np.uint8)
            for region in range(11):
                expected[shown == region] = style[data.regions(exemplar) == region][0]
            assert np.array_equal(pixels(data.truth(source, exemplar)), expected)


LETTERED = {kind: MNISTSingle(source="small", letters=kind).open("test") for kind in ("a", "b", "both")}


@pytest.mark.parametrize(("kind", "counts"), [("a", (2600, 359)), ("b", (359, 2600)), ("both", (2600, 2600))])
def test_letters_in_either_domain(kind: str, counts: tuple[int, int]):
    """The three tasks of Fig. 10, by the same rules as digits."""
    data = LETTERED[kind]
    assert tuple(data.labels.sum(0).int().tolist()) == counts
    shown = data.attributes["character"].split(counts)
    for characters, letters in zip(shown, (kind != "b", kind != "a"), strict=True):
        assert characters.unique().tolist() == (list(range(10, 36)) if letters else list(range(10)))
    hand = handwriting.letters("test", "small")
    for source, exemplar in ((1, len(data) - 2), (len(data) - 2, 1)):
        truth, (background, (foreground,)) = pixels(data.truth(source, exemplar)), colours(data.load(exemplar))
        shape = (pixels(data.load(source)) != pixels(data.load(source))[0, 0]).any(2)
        assert np.array_equal(truth, np.where(shape[..., None], foreground, background))
    if kind == "both":
        masks = {(image > 127.5).tobytes() for image in hand.ink}
        assert all((data.regions(i) > 0).tobytes() in masks for i in range(0, 5200, 100))


def test_letters_when_training():
    """The first five classes of any two colours, the others red on green: the digits' rule."""
    data = MNISTSingle(source="small", letters="b").open("train")
    character, coloured = data.attributes["character"], data.labels[:, 1].bool()
    red_on_green = torch.from_numpy((data.palettes == np.array([GREEN, RED])).all((1, 2)))
    assert red_on_green[coloured & (character > 14)].all()
    assert red_on_green[coloured & (character <= 14)].float().mean() == pytest.approx(1 / 6, abs=0.04)


@pytest.mark.parametrize("world", [MNISTSingle, MNISTMultiple])
def test_deterministic_and_the_first_images_are_the_same_however_many(world):
    whole, few, other = (
        world(source="small", **more).open("test") for more in ({}, {"test_images": 20}, {"seed": 1, "test_images": 20})
    )
    assert len(few) == 40
    for index in (0, 7, 19):
        assert torch.equal(few.load(index), whole.load(index))
        assert torch.equal(few.load(20 + index), whole.load(359 + index))
    assert not all(torch.equal(few.load(i), other.load(i)) for i in range(5))
    assert len(world(source="small", images=30).open("train")) == 60
    assert world(source="mnist").task == whole.task  # known without opening
    assert len(world(source="small", test_images=5000).open("test")) == 718  # there are no more


@pytest.mark.parametrize(("world", "size"), [(MNISTSingle, 32), (MNISTMultiple, 64), (MNISTMultiple, 128)])
def test_other_sizes(world, size: int):
    data = world(source="small", size=size).open("test")
    assert data.load(500).shape == (3, size, size) and data.task.size == size
    _, others = colours(data.load(500))
    assert len(others) == (1 if world is MNISTSingle else 10)  # still no mixed colours


def test_streams():
    stream = Stream(SINGLE["train"], batch_size=8, seed=(0, 1)).start()
    batch = next(stream)
    assert batch.image.shape == (8, 3, 28, 28) and 0 < batch.label[:, 0].sum() < 8


def test_a_classifier_reads_digits_of_any_colours():
    data = MNISTSingle(source="small").open("test")
    a, b = (torch.stack([data.truth(i, 359 + (i + shift) % 359) for i in range(359)]) for shift in (0, 9))
    digits = data.attributes["digit"][:359]
    net = train_classifier(torch.cat([a, b]), digits.repeat(2), 10, steps=200, batch=32)
    again = torch.stack([data.truth(i, 359 + (i + 50) % 359) for i in range(359)])
    assert (net(again).argmax(1) == digits).float().mean() > 0.9  # truth keeps the digit


def test_bad_settings():
    for config in (MNISTSingle(source="small"), MNISTMultiple(source="small"), MNIST(source="small")):
        with pytest.raises(UserError, match="no split 'val'"):
            config.open("val")
    for wrong in ({"size": 8}, {"images": 0}, {"letters": "c"}):
        with pytest.raises(ValidationError):
            MNISTSingle(**wrong)
    with pytest.raises(ValidationError, match="multiple of 4"):
        MNISTMultiple(size=110)


def test_grey_digits_of_every_class():
    data = MNIST(source="small").open("train")
    assert data.task == Task(domains=tuple("0123456789"), size=28, channels=1)
    assert len(data) == 1438 and data.load(0).shape == (1, 28, 28)
    assert torch.equal(data.labels.argmax(1), data.attributes["digit"])
    assert (
        data.attributes["digit"].bincount().tolist()
        == np.bincount(handwriting.digits("train", "small").labels).tolist()
    )
    assert data.load(0).min() == -1 and data.load(0).max() == 1 and data.load(0)[0, 0, 0] == -1  # white on black
    assert data.counterfactual(0, data.labels[1]) is None


def test_on_and_off_manifold():
    """Targets of one digit; sources of all or of all others."""
    target = MNIST(source="small", digits=(9,), images=100, conditional=False).open("train")
    assert target.task.domains == ("digits",) and target.labels.tolist() == [[1.0]] * 100
    assert target.attributes["digit"].tolist() == [9] * 100
    assert len({image.tobytes() for image in target.images}) == 100
    source = MNIST(source="small", digits=tuple(range(9))).open("train")
    assert source.task.domains == tuple("012345678") and 9 not in source.attributes["digit"]
    assert len(MNIST(source="small", digits=(9,), images=100).open("test")) == 42  # never limited


def test_more_target_images_include_the_fewer():
    few, more, other = (
        MNIST(source="small", images=n, seed=s).open("train").images for n, s in ((100, 0), (500, 0), (100, 1))
    )
    assert {image.tobytes() for image in few} < {image.tobytes() for image in more}
    assert {image.tobytes() for image in few} != {image.tobytes() for image in other}
    assert np.array_equal(few, MNIST(source="small", images=100).open("train").images)


def test_mixtures():
    config = MNIST(source="small", digits=(3, 8), weights=(0.3, 0.7), images=101, conditional=False)
    data = config.open("train")
    assert data.attributes["digit"].bincount(minlength=10)[[3, 8]].tolist() == [30, 71]
    test = config.open("test").attributes["digit"]
    assert (test == 3).float().mean() == pytest.approx(0.3, abs=0.02)  # as many as the shares allow
    assert (test == 8).sum() == (handwriting.digits("test", "small").labels == 8).sum()


def test_a_stream_keeps_the_mixture():
    config = MNIST(source="small", digits=(0, 1), weights=(0.2, 0.8), conditional=False)
    data = config.open("train")
    draws = Stream(data, batch_size=500, seed=(0,)).start()
    zeros = data.images[(data.attributes["digit"] == 0).numpy()]
    known = {image.tobytes() for image in zeros}
    images = to_uint8(next(draws).image)[:, 0].numpy()
    assert np.mean([image.tobytes() in known for image in images]) == pytest.approx(0.2, abs=0.06)


def test_padding_to_32():
    small, padded = (MNIST(source="small", size=size, images=10).open("train") for size in (28, 32))
    assert np.array_equal(padded.images[:, 2:30, 2:30], small.images)
    assert padded.images.sum() == small.images.sum() and padded.load(3).shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"digits": ()}, "digits must be different numbers from 0 to 9"),
        ({"digits": (3, 3)}, "digits must be different"),
        ({"digits": (10,)}, "digits must be different"),
        ({"weights": (0.5, 0.5), "digits": (1, 2)}, "a stream draws every domain equally often"),
        ({"weights": (0.5, 0.6), "digits": (1, 2), "conditional": False}, "2 positive shares that sum to 1"),
        ({"weights": (1.0,), "digits": (1, 2), "conditional": False}, "2 positive shares"),
        ({"weights": (1.5, -0.5), "digits": (1, 2), "conditional": False}, "2 positive shares"),
    ],
)
def test_bad_subsets(fields: dict, complaint: str):
    with pytest.raises(ValidationError, match=complaint):
        MNIST(**fields)


def test_more_images_than_there_are():
    line = "there are 138 train images of the digit 9, 1000 are asked for; take --data.images 138 or less"
    with pytest.raises(UserError, match=line):
        MNIST(source="small", digits=(9,), images=1000).open("train")
    assert len(MNIST(source="small", digits=(9,), images=138).open("train")) == 138


@pytest.mark.skipif(not REAL or not Path(REAL, "mnist").is_dir(), reason="no mnist in DRAGOMAN_DATA")
def test_with_the_real_mnist():
    """60,000 and 10,000 images of each domain, painted when asked for; 1,000 targets of any digit."""
    for world, size in ((MNISTSingle, 28), (MNISTMultiple, 112)):
        train, test = (world(source="mnist").open(split) for split in ("train", "test"))
        assert (len(train), len(test)) == (120_000, 20_000)
        assert train.truth(0, 119_999).shape == (3, size, size)
        held = sum(part.nbytes for part in vars(train).values() if isinstance(part, np.ndarray))
        assert held < 30e6  # not 60,000 pictures
    for digit in range(10):
        config = MNIST(source="mnist", digits=(digit,), images=1000, conditional=False)
        assert len(config.open("train")) == 1000
        assert 892 <= len(config.open("test")) <= 1135
