"""What modalities are, packed into one tensor, and batches of their sets."""

import pytest
import torch
from pydantic import ValidationError

from dragoman.data.batch import Task
from dragoman.data.modality import Modality, check_sets, known, ordered, pack, sets_of, spread, unpack
from dragoman.data.stream import Stream
from dragoman.errors import UserError
from dragoman.worlds.streets.modalities import StreetsModalities

RGB = Modality(name="rgb")
NIR = Modality(name="nir", channels=1)
DEPTH = Modality(name="depth", kind="depth", furthest=10)
CLASSES = Modality(name="segmentation", kind="segmentation", classes=("sky", "road", "car"))
ALL = (RGB, DEPTH, NIR, CLASSES)


def test_channels_and_colours_follow_from_the_kind():
    assert [m.channels for m in ALL] == [3, 1, 1, 3]
    assert len(set(CLASSES.palette)) == 3
    assert torch.equal(CLASSES.colours, torch.tensor(CLASSES.palette) / 127.5 - 1)
    assert Modality.model_validate_json(CLASSES.model_dump_json()) == CLASSES


def test_many_colours_are_all_different():
    assert len(set(spread(100))) == 100
    assert all(0 <= value <= 255 for colour in spread(100) for value in colour)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"name": "x", "channels": 2}, "x: channels must be 1 or 3, got 2"),
        ({"name": "x", "kind": "depth"}, "furthest must be above 0 metres"),
        ({"name": "x", "furthest": 3.0}, "furthest must be above 0 metres for depth and not be given for others"),
        ({"name": "x", "kind": "depth", "furthest": 1, "channels": 3}, "channels must be 1, got 3"),
        ({"name": "x", "kind": "segmentation", "classes": ("sky",)}, "needs 2 to 254 classes, got 1"),
        ({"name": "x", "kind": "segmentation", "classes": ("a", "b"), "palette": ((0, 0, 0),)}, "as many colours"),
        ({"name": "x", "classes": ("a", "b")}, "classes and palette are of segmentations only"),
        ({"name": "x", "kind": "sound"}, "kind"),
        ({"name": "near.ir"}, "letters, digits, _ and - only, got 'near.ir'"),
        ({"name": "values"}, "cannot be called 'values'"),
    ],
)
def test_what_is_no_modality(facts, says):
    with pytest.raises(ValidationError, match=says):
        Modality(**facts)


def test_packed_and_unpacked():
    parts = {m.name: torch.rand(2, m.channels, 4, 5) for m in ALL}
    x = pack(dict(reversed(parts.items())), ALL)
    assert x.shape == (2, 8, 4, 5)
    assert all(torch.equal(part, parts[name]) for name, part in unpack(x, ALL).items())
    assert torch.equal(x[:, 3:4], parts["depth"])


def test_what_is_absent_is_zero():
    found = unpack(pack({"depth": torch.ones(2, 1, 4, 5)}, ALL), ALL)
    assert {name: part.unique().tolist() for name, part in found.items()} == {
        "rgb": [0], "depth": [1], "nir": [0], "segmentation": [0],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "says"),
    [({}, "got none"), ({"dpth": 1}, "unknown 'dpth'"), ({"rgb": 1}, "rgb must have 3 channels, got 1")],
)
def test_what_cannot_be_packed(parts, says):
    with pytest.raises(ValueError, match=says):
        pack({name: torch.zeros(1, c, 2, 2) for name, c in parts.items()}, ALL)


def test_pixels_that_are_known():
    assert known(DEPTH, torch.tensor([[[[-1.0, -0.99, 1.0]]]])).tolist() == [[[[False, True, True]]]]
    labelled = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])[None, :, None]
    assert known(CLASSES, labelled).tolist() == [[[[False, True]]]]
    assert known(RGB, torch.full((1, 3, 1, 2), -1.0)).tolist() == [[[[True, True]]]]


def test_sets_in_the_order_of_their_appearance():
    labels = torch.tensor([[1.0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
    assert sets_of(labels) == [(1, 0, 1), (1, 1, 0), (0, 1, 1)]


def test_colour_comes_first():
    assert ordered(["nir", "rgb", "depth", "rgb"]) == ("rgb", "depth", "nir")


@pytest.mark.parametrize("sets", [[("a", "b")], [("a", "b"), ("b", "c")], [("a", "b"), ("c", "d"), ("d", "a", "e")]])
def test_sets_that_are_connected(sets):
    check_sets(sets)


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        ([("a", "b"), ("c", "d")], "connected through modalities that they share, got a\\+b and c\\+d"),
        ([("a", "b"), ("c", "d"), ("b", "e")], "c\\+d and a\\+b\\+e"),
        ([("a",)], "two modalities or more, each once, got a"),
        ([("a", "a")], "got a\\+a"),
        ([], "got none"),
    ],
)
def test_sets_that_are_not(sets, says):
    with pytest.raises(ValueError, match=says):
        check_sets(sets)


def test_a_task_of_modalities_is_of_these():
    facts = {"domains": ("rgb", "depth"), "channels": 4, "exclusive": False, "size": 16}
    task = Task(**facts, modalities=(RGB, DEPTH), seen=(("rgb", "depth"),))
    assert Task.model_validate_json(task.model_dump_json()) == task
    for change in ({"domains": ("depth", "rgb")}, {"channels": 3}, {"exclusive": True}):
        with pytest.raises(ValidationError, match="must be those of the modalities"):
            Task(**facts | change, modalities=(RGB, DEPTH))


def test_the_record_of_other_tasks_is_what_it_was():
    """Else the digest of every model that was saved before would be another."""
    assert Task(domains=("a", "b"), size=16).model_dump_json() == (
        '{"domains":["a","b"],"exclusive":true,"size":16,"channels":3,"load_size":null}'
    )


THREE = StreetsModalities(
    size=16, images=9, test_images=2, seen=(("rgb", "segmentation"), ("rgb", "depth"), ("depth", "nir"))
).open("train")


def test_a_batch_holds_equally_many_of_each_set_in_their_order():
    stream = Stream(THREE, 6, (0,), by_domain=True).start()
    sets = torch.tensor(sets_of(THREE.labels), dtype=torch.float32)
    for _ in range(4):
        batch = next(stream)
        assert torch.equal(batch.label, sets.repeat_interleave(2, 0))
        assert torch.equal(batch.label, THREE.labels[batch.index])
        assert torch.equal(batch.image, torch.stack([THREE.load(n) for n in batch.index.tolist()]))


def test_without_order_sets_are_drawn_equally_often():
    stream = Stream(THREE, 60, (0,)).start()
    labels = torch.cat([next(stream).label for _ in range(10)])
    shares = [(labels == torch.tensor(codes)).all(1).float().mean().item() for codes in sets_of(THREE.labels)]
    assert sum(shares) == pytest.approx(1)
    assert all(0.27 < share < 0.4 for share in shares)
    assert not torch.equal(labels[:20], labels[20:40])


def test_a_batch_that_sets_cannot_share():
    with pytest.raises(UserError, match="size 4 cannot be shared equally by 3 sets; use a multiple of 3"):
        next(Stream(THREE, 4, (0,), by_domain=True).start())
