"""Measuring where images were taken and what stands in them: poses, SIFT, recall, instances."""

import math

import pytest
import torch
from translators import Nothing

from dragoman.data.manifest import Box
from dragoman.inference.translator import Translator
from dragoman.metrics.measure import Measure
from dragoman.metrics.measurements import METRES, crops
from dragoman.metrics.protocol import Protocol
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets

WORLD = Streets(size=64, images=60, test_images=40, conditions="day_night", set="weak-pairs")
PROTOCOL = Protocol(inputs=40, styles=1, classifier_images=60, classifier_steps=20, least=2)
PLACES = ("sift", "recall", "instances")


@pytest.fixture(scope="module")
def measure() -> Measure:
    return Measure(WORLD.open("train"), WORLD.open("test"), PROTOCOL, PLACES)


def test_distances_between_poses(measure):
    rows, others = torch.tensor([0, 5]), torch.tensor([1, 2, 3])
    metres, degrees = measure.apart(rows, others)
    for r, row in enumerate(rows.tolist()):
        for o, other in enumerate(others.tolist()):
            (ax, ay, a), (bx, by, b) = (WORLD.open("test").scenes[measure.test.rows[n]].pose for n in (row, other))
            assert metres[r, o].item() == pytest.approx(math.hypot(ax - bx, ay - by), abs=1e-3)
            turn = abs(math.degrees(a - b)) % 360
            assert degrees[r, o].item() == pytest.approx(min(turn, 360 - turn), abs=1e-3)


def test_doing_nothing_is_found_again_as_often_as_the_input(measure):
    result = measure(Translator(Nothing(), WORLD.task))
    assert list(result["per_domain"]) == ["day", "night"]
    for values in result["per_domain"].values():
        for metres in METRES:
            assert values[f"recall_{metres}m"] == values[f"recall_{metres}m_untranslated"]
        shares = [values[f"recall_{metres}m"] for metres in METRES]
        assert 0 <= shares[0] <= shares[1] <= shares[2] <= 1
        assert 0 <= values["sift_unmatched"] <= 1
        assert values["fd_classifier_instances"] > 0


def test_what_the_data_lack_is_said():
    faces = Faces(size=32, images=8, test_images=8)
    measure = Measure(faces.open("train"), faces.open("test"), PROTOCOL, PLACES)
    assert measure.left_out == dict.fromkeys(PLACES, "exclusive domains")
    biased = Faces(size=32, images=8, test_images=8, set="biased")
    measure = Measure(biased.open("train"), biased.open("test"), PROTOCOL, PLACES)
    poses, boxes = "poses of the images", "boxes of instances"
    assert measure.left_out == {"sift": poses, "recall": poses, "instances": boxes}


def test_crops_by_hand():
    image = torch.arange(64.0).view(1, 1, 8, 8).repeat(2, 1, 1, 1)
    boxes = [[Box.model_validate({"class": "car", "box": (2, 4, 4, 6)})], []]
    (crop,) = crops(image, boxes)
    assert crop.shape == (1, 8, 8)
    assert crop[0, 0, 0] == image[0, 0, 4, 2] and crop[0, -1, -1] == image[0, 0, 5, 3]
    assert crops(image, [[], []]).shape == (0, 1, 8, 8)
