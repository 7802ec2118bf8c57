"""Faces: exact edits that stay where they belong, stated joint distributions, and labels that can be read."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from dragoman.metrics.classification import predict
from dragoman.metrics.mask import changed_region
from dragoman.nets.classifier import train_classifier
from dragoman.worlds.faces import ATTRIBUTES, CONTENT, HAIR, Faces

ALL = Faces(wanted=ATTRIBUTES)
GOLDEN = Path(__file__).with_name("golden") / "faces.png"


def flipped(world: Faces, scene, name: str):
    return world.to(scene, [v ^ (n == name) for n, v in zip(world.wanted, world.code(scene), strict=True)])


def changed(world: Faces, a, b) -> np.ndarray:
    return (world.draw(a).image != world.draw(b).image).any(2)


@pytest.mark.parametrize("index", range(10))
def test_its_own_code_is_the_same_image(index: int):
    scene = ALL.scene("train", index)
    assert ALL.to(scene, ALL.code(scene)) == scene
    assert not changed(ALL, scene, ALL.to(scene, ALL.code(scene))).any()


# Rows of the 64 x 64 image in which an attribute may change pixels: nothing else moves by as much as one grey level.
REGIONS = {
    "bangs": (8, 40), "blond_hair": (4, 64), "eyeglasses": (24, 42), "makeup": (24, 54), "smiling": (36, 58),
    "young": (4, 64), "male": (4, 64), "black_hair": (4, 64), "brown_hair": (4, 64),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_edit_is_seen_and_stays_where_it_belongs(name: str):
    first, last = REGIONS[name]
    shares = []
    for index in range(30):
        scene = ALL.scene("train", index)
        mask = changed(ALL, scene, flipped(ALL, scene, name))
        rows = mask.any(1).nonzero()[0]
        assert len(rows) and rows[0] >= first and rows[-1] < last
        assert not mask[:, 0].any() and not mask[:, -1].any()  # the background's border
        shares.append(mask.mean())
    assert 0.005 < np.mean(shares) < 0.5


def test_the_changed_region_is_the_counterfactuals():
    data = Faces(images=4, test_images=4).open("test")
    for index in range(4):
        code = data.labels[index].clone()
        code[2] = 1 - code[2]  # eyeglasses
        truth = data.counterfactual(index, code)
        region = changed_region(data.load(index)[None], truth[None])[0, 0]
        other = data.world.draw(data.world.to(data.scenes[index], code.int().tolist())).image
        different = np.abs(other.astype(int) - data.view(index).image).max(2) > 2
        assert np.array_equal(region.numpy(), different)


def test_edits_commute_and_undo_each_other():
    for index in range(10):
        scene = ALL.scene("test", index)
        for a, b in (("bangs", "male"), ("makeup", "smiling"), ("young", "eyeglasses")):
            assert flipped(ALL, flipped(ALL, scene, a), b) == flipped(ALL, flipped(ALL, scene, b), a)
            assert flipped(ALL, flipped(ALL, scene, a), a) == scene


def test_at_most_one_hair_colour_and_a_new_one_replaces_the_old():
    for index in range(40):
        scene = ALL.scene("train", index)
        own = [name for name in HAIR if scene[name]]
        assert len(own) <= 1
        for name in HAIR:
            now = [n for n in HAIR if flipped(ALL, scene, name)[n]]
            assert now == ([] if own == [name] else [name])
    only_blond = Faces(wanted=("blond_hair",))
    scene = next(s for s in (ALL.scene("train", i) for i in range(40)) if s["black_hair"])
    assert [only_blond.to(scene, [1])[n] for n in HAIR] == [0, 1, 0]
    assert only_blond.to(scene, [0]) == scene
    assert only_blond.to(only_blond.to(scene, [1]), [0]) == scene  # the person's own colour returns
    blond = next(s for s in (ALL.scene("train", i) for i in range(40)) if s["blond_hair"])
    assert [only_blond.to(blond, [0])[n] for n in HAIR] == [0, 0, 0]
    assert only_blond.to(only_blond.to(blond, [0]), [1]) == blond


def test_no_edit_touches_content():
    world = Faces()
    assert set(CONTENT) <= set(world.attributes(world.scene("train", 0)))
    for index in range(20):
        scene = world.scene("train", index)
        for name in world.wanted:
            assert world.attributes(flipped(world, scene, name)) == world.attributes(scene)
            assert flipped(world, scene, name).identity == scene.identity


def test_attributes_that_are_no_domain_are_content():
    assert {"makeup"} == set(Faces().attributes(ALL.scene("train", 0))) - set(CONTENT)
    assert set(Faces(wanted=("male",)).attributes(ALL.scene("train", 0))) - set(CONTENT) == set(ATTRIBUTES) - {"male"}


def test_attributes_and_content_are_independent_and_even():
    scenes = [ALL.scene("train", index) for index in range(2000)]
    for name in set(ATTRIBUTES) - set(HAIR):
        assert np.mean([s[name] for s in scenes]) == pytest.approx(0.5, abs=0.05)
    for name in HAIR:
        assert np.mean([s[name] for s in scenes]) == pytest.approx(0.25, abs=0.05)
    for name, classes in CONTENT.items():
        counts = Counter(s[name] for s in scenes)
        assert len(counts) == classes and min(counts.values()) > 0.8 * 2000 / classes
    table = np.corrcoef(
        [[s[name] for name in ("makeup", "male", "young", "hat", "moustache")] for s in scenes], rowvar=False
    )
    assert np.abs(table - np.eye(5)).max() < 0.08


def test_biased_as_in_table_5_1_and_5_2():
    world = Faces(set="biased", images=2000, test_images=400)
    assert world.domains == (("makeup", "no_makeup"), True)
    train = [(s["makeup"], s["male"]) for s in (world.scene("train", i) for i in range(2000))]
    counts = Counter(train)
    assert counts[1, 0] == 1000 and counts[1, 1] == 0  # A: women with makeup
    assert counts[0, 1] == pytest.approx(950, abs=25)  # B: 1330 men and 70 women of 1400
    test = Counter((s["makeup"], s["male"]) for s in (world.scene("test", i) for i in range(400)))
    assert test == {(1, 0): 200, (0, 1): 200}
    scene = world.scene("train", 0)
    assert world.to(scene, [0, 1])["makeup"] == 0 and world.to(scene, [0, 1])["male"] == scene["male"]
    assert world.attributes(scene)["male"] == 0 and "makeup" not in world.attributes(scene)


def test_splits_and_seeds_show_other_persons():
    persons = {ALL.scene(split, i).identity for split in ("train", "test") for i in range(200)}
    persons |= {Faces(seed=1).scene("train", i).identity for i in range(200)}
    assert len(persons) == 600


def test_any_resolution_shows_the_same_face():
    for index in range(4):
        small, large = (Faces(size=size).draw(ALL.scene("train", index)).image.astype(float) for size in (64, 256))
        shrunk = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
        assert np.abs(shrunk - small).mean() < 4


def test_golden():
    """A change of the world makes every recorded result another; the pixels may differ by rounding only."""
    image = np.concatenate([np.concatenate([ALL.draw(ALL.scene("train", 4 * r + c)).image for c in range(4)], 1)
                            for r in range(2)])  # fmt: skip
    assert [ALL.code(ALL.scene("train", i)) for i in (0, 1)] == [
        (0, 0, 0, 0, 0, 0, 0, 1, 1), (0, 0, 1, 0, 0, 0, 1, 0, 1),
    ]  # fmt: skip
    expected = np.asarray(Image.open(GOLDEN)).astype(int)
    assert np.abs(image - expected).max() <= 1


@pytest.mark.parametrize("wrong", [(), ("hat",), ("male", "male")])
def test_wanted_must_be_attributes(wrong: tuple[str, ...]):
    with pytest.raises(ValidationError, match="wanted must be distinct names"):
        Faces(wanted=wrong)


@pytest.mark.slow
def test_labels_can_be_read_and_wrong_ones_are_found():
    world = Faces(wanted=ATTRIBUTES, size=64, images=5000, test_images=600)
    train, test = world.open("train"), world.open("test")
    x, y = (torch.stack([d.load(i) for i in range(len(d))]) for d in (train, test))
    names, classes = [*ATTRIBUTES, *CONTENT], [2] * len(ATTRIBUTES) + list(CONTENT.values())
    known = [
        torch.cat([d.labels.long(), torch.stack([d.attributes[n] for n in CONTENT], 1)], 1) for d in (train, test)
    ]  # fmt: skip
    net = train_classifier(x, known[0], classes, steps=1500)
    read = torch.stack([part.argmax(1) for part in predict(net, y).split(classes, 1)], 1)
    right = dict(zip(names, (read == known[1]).double().mean(0).tolist(), strict=True))
    assert min(right[name] for name in ATTRIBUTES) >= 0.98, right
    assert min(right[name] for name in CONTENT) >= 0.95, right
    image, place = torch.arange(600), torch.arange(600) % len(names)
    wrong = known[1].clone()
    wrong[image, place] = (wrong[image, place] + 1) % torch.tensor(classes)[place]
    assert (read[image, place] != wrong[image, place]).double().mean() >= 0.95
