"""The streets as modalities that are never all seen together."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from dragoman.data.modality import unpack
from dragoman.errors import UserError
from dragoman.worlds import open_source
from dragoman.worlds.streets import Streets
from dragoman.worlds.streets.modalities import StreetsModalities

FOUR = StreetsModalities(
    size=32, images=6, test_images=3, seen=(("rgb", "segmentation"), ("rgb", "depth", "nir")), seed=4
)  # fmt: skip
TRAIN, TEST = FOUR.open("train"), FOUR.open("test")


def test_scenes_show_disjoint_sets_in_turn():
    assert FOUR.task == TRAIN.task == TEST.task
    assert FOUR.task.domains == ("rgb", "depth", "nir", "segmentation")
    assert FOUR.task.channels == 3 + 1 + 1 + 13
    assert FOUR.task.seen == (("rgb", "segmentation"), ("rgb", "depth", "nir"))
    assert TRAIN.labels.tolist() == [[1, 0, 0, 1], [1, 1, 1, 0]] * 3
    assert TEST.labels.tolist() == [[1, 1, 1, 1]] * 3
    assert (len(TRAIN), len(TEST)) == (6, 3)


def test_pictures_are_those_of_the_world():
    world = Streets(set="modalities", size=32, images=6, test_images=3, seed=4).open("test")
    for index in range(3):
        view = world.view(index)
        parts = {name: part[0] for name, part in unpack(TEST.load(index)[None], FOUR.task.modalities).items()}
        np.testing.assert_allclose(parts["rgb"].permute(1, 2, 0), view.image / 127.5 - 1, atol=1e-6)
        np.testing.assert_allclose(parts["nir"][0], view.modalities["nir"] / 127.5 - 1, atol=1e-6)
        metres = (parts["depth"][0] + 1) / 2 * 100
        np.testing.assert_allclose(metres, view.modalities["depth"], atol=1 / 512 + 1e-4)
        assert np.array_equal(parts["segmentation"].argmax(0), view.modalities["segmentation"])
        assert torch.equal(parts["segmentation"].sum(0), torch.ones(32, 32))


def test_what_a_scene_does_not_show_is_zero():
    for index in range(2):
        parts = unpack(TRAIN.load(index)[None], FOUR.task.modalities)
        assert [float(part.any()) for part in parts.values()] == TRAIN.labels[index].tolist()


def test_the_same_numbers_give_the_same_scenes():
    again = FOUR.open("train")
    for index in range(3):
        first = TRAIN.load(index)
        assert torch.equal(first, TRAIN.load(index))
        assert torch.equal(first, again.load(index, np.random.default_rng(index)))
    other = FOUR.model_copy(update={"seed": 5}).open("train")
    assert not torch.equal(other.load(0), TRAIN.load(0))


def test_as_it_is_by_default():
    task = StreetsModalities().task
    assert (task.domains, task.size) == (("rgb", "depth", "segmentation"), 64)
    assert task.seen == (("rgb", "depth"), ("rgb", "segmentation"))
    assert task.modalities[2].classes == Streets.classes
    assert task.modalities[2].palette == Streets.palette


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ((("rgb", "dpth"),), "no modality 'dpth'; did you mean depth?"),
        ((("rgb", "depth"), ("nir", "segmentation")), "connected through modalities that they share"),
        ((("rgb",),), "two modalities or more"),
        ((), "got none"),
    ],
)
def test_sets_that_do_not_work(seen, says):
    with pytest.raises(ValidationError, match=says):
        StreetsModalities(seen=seen)


def test_too_few_scenes_and_unknown_splits():
    with pytest.raises(UserError, match=r"images 1 leaves a set of --data\.seen without a scene; use at least 2"):
        StreetsModalities(images=1).open("train")
    with pytest.raises(UserError, match="no split 'validation'"):
        FOUR.open("validation")


def test_a_model_of_modalities_finds_its_data(tmp_path):
    found = open_source("streets", FOUR.task)
    assert isinstance(found, StreetsModalities)
    assert found.task == FOUR.task
    folder = open_source(str(tmp_path), FOUR.task)
    assert (folder.modalities, folder.furthest, folder.flip) == (FOUR.task.domains, 100, False)
    with pytest.raises(UserError, match="no folder 'nowhere'"):
        open_source("nowhere", FOUR.task)
