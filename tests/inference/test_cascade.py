"""Unseen translations as chains of seen ones: which chain, and that it is what its steps are one after the other."""

import pytest
import torch
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.modality import Modality, pack, unpack
from dragoman.inference.cascade import Cascade, chain
from dragoman.inference.modal import ModalCore
from dragoman.methods.mix_and_match import MixAndMatch, MixAndMatchConfig

RGB, DEPTH = Modality(name="rgb"), Modality(name="depth", kind="depth", furthest=10)
NIR = Modality(name="nir", channels=1)
SEG = Modality(name="segmentation", kind="segmentation", classes=("floor", "wall", "chair"))
PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))
FOREST = (("rgb", "segmentation"), ("rgb", "depth", "nir"))
ROW = (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"))
RING = (("a", "b"), ("b", "c"), ("a", "d"), ("d", "c"))


@pytest.mark.parametrize(
    ("seen", "given", "target", "steps"),
    [
        (PAIRS, ["depth"], "rgb", [(("depth",), "rgb")]),
        (PAIRS, ["depth"], "segmentation", [(("depth",), "rgb"), (("rgb",), "segmentation")]),
        (PAIRS, ["rgb", "depth"], "segmentation", [(("rgb",), "segmentation")]),
        (FOREST, ["depth", "nir"], "rgb", [(("depth", "nir"), "rgb")]),
        (FOREST, ["depth", "nir"], "segmentation", [(("depth", "nir"), "rgb"), (("rgb",), "segmentation")]),
        (ROW, ["a"], "e", [(("a",), "b"), (("b",), "c"), (("c",), "d"), (("d",), "e")]),
        (ROW, ["e", "a"], "c", [(("a",), "b"), (("b",), "c")]),
        (ROW, ["a", "c"], "e", [(("c",), "d"), (("d",), "e")]),
        (RING, ["a"], "c", [(("a",), "b"), (("b",), "c")]),
        ((*RING, ("a", "c")), ["a"], "c", [(("a",), "c")]),
    ],
)
def test_the_shortest_chain(seen, given, target, steps):
    assert chain(seen, given, target) == steps


def task_of(*modalities: Modality, seen) -> Task:
    return Task(domains=tuple(m.name for m in modalities), exclusive=False, size=16,
                channels=sum(m.channels for m in modalities), modalities=modalities, seen=seen)  # fmt: skip


def core_of(task: Task) -> ModalCore:
    torch.manual_seed(0)
    method = MixAndMatch(MixAndMatchConfig(width=4, blocks=(1, 1), d_layers=2, start="random"), task)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.1, 0.3)
    return method.translator(dict(method.named_children())).eval()


def scenes(task: Task, count: int = 3) -> dict[str, Tensor]:
    draw, made = torch.Generator().manual_seed(1), {}
    for m in task.modalities:
        values = torch.rand(count, m.channels, 16, 16, generator=draw)
        one_hot = torch.eye(m.channels)[values.argmax(1)].permute(0, 3, 1, 2)
        made[m.name] = one_hot if m.kind == "segmentation" else values * 2 - 1
    return made


def asked(core: ModalCore, task: Task, parts: dict[str, Tensor], given, wanted) -> Tensor:
    """One wanted modality of what is given."""
    x = pack({name: parts[name] for name in given}, task.modalities)
    code = [torch.tensor([[float(name in names) for name in task.domains]] * len(x)) for names in (given, [wanted])]
    with torch.no_grad():
        return unpack(core(x, *code), task.modalities)[wanted]


THREE = task_of(RGB, DEPTH, SEG, seen=PAIRS)
FOUR = task_of(RGB, DEPTH, NIR, SEG, seen=FOREST)


def test_seen_translations_are_the_core_s():
    core, parts = core_of(THREE), scenes(THREE)
    for given, wanted in [(["depth"], "rgb"), (["rgb"], "depth"), (["depth", "segmentation"], "rgb")]:
        found = asked(Cascade(core, THREE), THREE, parts, given, wanted)
        assert torch.equal(found, asked(core, THREE, parts, given, wanted)), (given, wanted)
    assert (Cascade(core, THREE).stride, Cascade(core, THREE).smallest) == (core.stride, core.smallest) == (4, 16)


def test_an_unseen_translation_is_two_seen_ones_one_after_the_other():
    core, parts = core_of(THREE), scenes(THREE)
    middle = asked(core, THREE, parts, ["depth"], "rgb")
    expected = asked(core, THREE, {"rgb": middle}, ["rgb"], "segmentation")
    found = asked(Cascade(core, THREE), THREE, parts, ["depth"], "segmentation")
    assert torch.equal(found, expected)
    assert not torch.allclose(found, asked(core, THREE, parts, ["depth"], "segmentation"), atol=1e-3)


def test_given_modalities_that_were_seen_with_the_wanted_one_are_enough():
    core, parts = core_of(FOUR), scenes(FOUR)
    cascade = Cascade(core, FOUR)
    alone = asked(core, FOUR, parts, ["rgb"], "segmentation")
    assert torch.equal(asked(cascade, FOUR, parts, ["rgb", "depth", "nir"], "segmentation"), alone)
    both = asked(core, FOUR, parts, ["rgb", "nir"], "depth")
    assert torch.equal(asked(cascade, FOUR, parts, ["rgb", "nir", "segmentation"], "depth"), both)


def test_several_given_modalities_begin_a_chain_together():
    core, parts = core_of(FOUR), scenes(FOUR)
    middle = asked(core, FOUR, parts, ["depth", "nir"], "rgb")
    expected = asked(core, FOUR, {"rgb": middle}, ["rgb"], "segmentation")
    assert torch.equal(asked(Cascade(core, FOUR), FOUR, parts, ["depth", "nir"], "segmentation"), expected)


def test_a_segmentation_on_the_way_is_one_hot():
    task = task_of(RGB, DEPTH, SEG, seen=(("rgb", "segmentation"), ("depth", "segmentation")))
    core, parts = core_of(task), scenes(task)
    soft = asked(core, task, parts, ["rgb"], "segmentation")
    middle = torch.eye(3)[soft.argmax(1)].permute(0, 3, 1, 2)
    assert not torch.allclose(soft, middle)
    expected = asked(core, task, {"segmentation": middle}, ["segmentation"], "depth")
    assert torch.equal(asked(Cascade(core, task), task, parts, ["rgb"], "depth"), expected)


def test_a_given_segmentation_keeps_its_pixels_without_label():
    core, parts = core_of(THREE), scenes(THREE)
    parts["segmentation"][:, :, :5] = 0
    found = asked(Cascade(core, THREE), THREE, parts, ["segmentation"], "rgb")
    assert torch.equal(found, asked(core, THREE, parts, ["segmentation"], "rgb"))


def test_what_is_given_is_given_back():
    cascade, parts = Cascade(core_of(THREE), THREE), scenes(THREE)
    for name in THREE.domains:
        assert torch.equal(asked(cascade, THREE, parts, [name], name), parts[name])
        assert torch.equal(asked(cascade, THREE, parts, list(THREE.domains), name), parts[name])


def test_rows_that_give_and_want_different_things():
    """And several wanted modalities of one row."""
    core, parts = core_of(THREE), scenes(THREE)
    cascade = Cascade(core, THREE)
    given, wanted = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 1, 0.0]]), torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 1.0]])
    with torch.no_grad():
        y = unpack(cascade(pack(parts, THREE.modalities), given, wanted), THREE.modalities)
    for row, (names, targets) in enumerate([(["depth"], ["rgb", "segmentation"]), (["segmentation"], ["depth"]),
                                            (["rgb", "depth"], ["segmentation"])]):  # fmt: skip
        own = {name: part[row : row + 1] for name, part in parts.items()}
        for name in THREE.domains:
            if name in targets:
                expected = asked(cascade, THREE, own, names, name)[0]
                torch.testing.assert_close(y[name][row], expected, rtol=1e-4, atol=1e-5)
            else:
                assert not y[name][row].any()
