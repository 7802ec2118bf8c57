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
from dragoman.worlds.faces import ATTRIBUTES, CONTENT, HAIR, IDENTITY, Faces

ALL = Faces(wanted=ATTRIBUTES)
GOLDEN = Path(__file__).with_name("golden") / "faces.png"


def flipped(world: Faces, scene, name: str):
    return world.to(scene, [v ^ (n == name) for n, v in zip(world.wanted, world.code(scene), strict=True)])


def changed(world: Faces, a, b) -> np.ndarray:
    return (world.draw(a).image != world.draw(b).image).any(2)


def within(count: int, trials: int, share: float) -> bool:
    """Whether a binomial count lies within 4.5 standard deviations: a false alarm in 150,000."""
    return abs(count - trials * share) < 4.5 * (trials * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("index", range(10))
def test_its_own_code_is_the_same_image(index: int):
    scene = ALL.scene("train", index)
    assert ALL.to(scene, ALL.code(scene)) == scene
    assert not changed(ALL, scene, ALL.to(scene, ALL.code(scene))).any()


# Rows and columns of the 64 x 64 image, from and up to, in which an attribute may change pixels: outside nothing moves
# by as much as one grey level.
REGIONS = {
    "bangs": ((16, 33), (16, 48)), "eyeglasses": ((27, 37), (15, 49)), "makeup": ((26, 48), (15, 49)),
    "smiling": ((36, 48), (17, 47)), "young": ((10, 64), (9, 55)), "male": ((10, 64), (3, 61)),
    "black_hair": ((10, 60), (10, 54)), "blond_hair": ((10, 60), (10, 54)), "brown_hair": ((10, 60), (10, 54)),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_edit_is_seen_and_stays_where_it_belongs(name: str):
    places = []
    for index in range(40):
        scene = ALL.scene("train", index)
        mask = changed(ALL, scene, flipped(ALL, scene, name))
        assert mask.mean() > 0.004
        places.append(mask)
    anywhere = np.any(places, 0)
    for (first, last), found in zip(REGIONS[name], (anywhere.any(1), anywhere.any(0)), strict=True):
        at = found.nonzero()[0]
        assert first <= at[0] and at[-1] < last, (name, at[0], at[-1])
        assert at[0] < first + 5 and at[-1] >= last - 8, "the stated region is too large to mean anything"


def test_a_hair_colour_changes_hair_and_nothing_else():
    for index in range(20):
        scene = ALL.scene("train", index)
        masks = [changed(ALL, scene, flipped(ALL, scene, name)) for name in HAIR]
        union, common = np.any(masks, 0), np.all(masks, 0)
        assert common.sum() > 0.97 * union.sum()  # the rest: corners of pixels that round to the same colour
        row = round((0.525 - 0.025) * 64)
        assert not union[row - 1 : row + 2, 30:34].any()  # between the eyes


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
        for a, b in (("bangs", "male"), ("makeup", "smiling"), ("young", "eyeglasses"), ("blond_hair", "male")):
            assert flipped(ALL, flipped(ALL, scene, a), b) == flipped(ALL, flipped(ALL, scene, b), a)
            if a not in HAIR:
                assert flipped(ALL, flipped(ALL, scene, a), a) == scene


def test_edits_of_separate_places_add_up():
    """Eyeglasses and a smile touch other pixels, so both together change what each changes alone, to the same value."""
    for index in range(10):
        scene = ALL.scene("test", index)
        eyes, smile = flipped(ALL, scene, "eyeglasses"), flipped(ALL, scene, "smiling")
        image, a, b, both = (ALL.draw(s).image.astype(int) for s in (scene, eyes, smile, flipped(ALL, eyes, "smiling")))
        assert not ((a != image) & (b != image)).any()
        assert np.array_equal(both, a + b - image)


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
        assert within(sum(s[name] for s in scenes), 2000, 0.5)
    for name in HAIR:
        assert within(sum(s[name] for s in scenes), 2000, 0.25)
    for name, classes in CONTENT.items():
        counts = Counter(s[name] for s in scenes)
        assert len(counts) == classes and all(within(n, 2000, 1 / classes) for n in counts.values())
    names = [n for n in (*ATTRIBUTES, *CONTENT) if n not in HAIR]
    table = np.corrcoef([[s[name] for name in names] for s in scenes], rowvar=False)
    assert np.abs(table - np.eye(len(names))).max() < 4.5 / 2000**0.5


def test_biased_makeup_as_in_tables_5_1_and_5_2():
    world = Faces(set="biased", images=2800, test_images=200)
    assert world.domains == (("makeup", "no_makeup"), True)
    train = Counter((s["makeup"], s["male"]) for s in (world.scene("train", i) for i in range(2800)))
    assert train == {(1, 0): 1400, (0, 1): 1330, (0, 0): 70}
    test = Counter((s["makeup"], s["male"]) for s in (world.scene("test", i) for i in range(200)))
    assert test == {(1, 0): 100, (0, 1): 100}
    scene = world.scene("train", 0)
    assert world.to(scene, [0, 1])["makeup"] == 0 and world.to(scene, [0, 1])["male"] == scene["male"]
    assert world.attributes(scene)["male"] == 0 and "makeup" not in world.attributes(scene)


def test_biased_age_as_morph_in_tables_5_1_and_5_2():
    world = Faces(set="biased", biased="age")
    assert world.domains == (("young", "old"), True)
    train = Counter((s["young"], s["male"]) for s in (world.scene("train", i) for i in range(2200)))
    assert train == {(1, 1): 1000, (1, 0): 100, (0, 1): 1000, (0, 0): 100}
    test = Counter((s["young"], s["male"]) for s in (world.scene("test", i) for i in range(800)))
    assert test == {(1, 1): 200, (1, 0): 200, (0, 1): 200, (0, 0): 200}
    scene = world.scene("train", 0)
    assert world.code(scene) == (1, 0) and world.code(world.to(scene, [0, 1])) == (0, 1)
    assert "young" not in world.attributes(scene) and world.attributes(scene)["male"] == scene["male"]


@pytest.mark.parametrize("bias", [0.0, 0.3, 0.5, 1.0])
def test_the_bias_can_be_chosen(bias: float):
    world = Faces(set="biased", bias=bias)
    train = Counter((s["makeup"], s["male"]) for s in (world.scene("train", i) for i in range(200)))
    assert (train[1, 0], train[1, 1], train[0, 1], train[0, 0]) == (100, 0, round(100 * bias), round(100 * (1 - bias)))


def test_splits_and_seeds_show_other_persons():
    persons = {ALL.scene(split, i).identity for split in ("train", "test") for i in range(200)}
    persons |= {Faces(seed=1).scene("train", i).identity for i in range(200)}
    assert len(persons) == 600


def test_every_number_of_the_identity_and_every_content_label_is_seen():
    scenes = [ALL.scene("train", i) for i in range(5)]
    for k in range(IDENTITY):
        moved = [tuple((v + 0.5 * (i == k)) % 1 for i, v in enumerate(s.identity)) for s in scenes]
        others = [type(s)(s.attributes, s.content, m, s.natural) for s, m in zip(scenes, moved, strict=True)]
        assert any(changed(ALL, s, o).any() for s, o in zip(scenes, others, strict=True)), k
    for k, (name, classes) in enumerate(CONTENT.items()):
        for s in scenes:
            content = tuple((c + (i == k)) % classes if i == k else c for i, c in enumerate(s.content))
            assert changed(ALL, s, type(s)(s.attributes, content, s.identity, s.natural)).mean() > 0.001, name


def test_any_resolution_shows_the_same_face():
    for index in range(6):
        scene = ALL.scene("train", index)
        small = Faces(size=64).draw(scene).image.astype(float)
        for factor in (2, 4, 8):
            large = Faces(size=64 * factor).draw(scene).image.astype(float)
            shrunk = large.reshape(64, factor, 64, factor, 3).mean((1, 3))
            assert np.abs(shrunk - small).mean() < 2.5
    assert Faces(size=32).draw(ALL.scene("train", 0)).image.shape == (32, 32, 3)


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
