"""CycleGAN between two modalities: which pictures it learns from, and Eqs. 1 to 3 recomputed from its networks."""

import pytest
import torch
from modal_tasks import DEPTH, FOUR, NIR, RGB, SEG, THREE, task_of
from modal_tasks import random_scenes as batch
from torch import nn

from dragoman.data.batch import Batch, Task
from dragoman.data.modality import unpack
from dragoman.engine.fit import fit
from dragoman.engine.runtime import Runtime
from dragoman.inference.modal import ModalTranslator
from dragoman.methods.modal_cyclegan import ModalCycleGAN, ModalCycleGANConfig
from dragoman.model import save_model


def small(task: Task = THREE, **changes) -> ModalCycleGAN:
    """With weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    settings = {"width": 4, "downs": 1, "blocks": 1, "d_layers": 1, "pool": 3} | changes
    method = ModalCycleGAN(ModalCycleGANConfig(**settings), task)
    for p in method.parameters():
        nn.init.normal_(p, 0, 0.3)
    return method


def parts(task: Task, b: Batch) -> list[dict[str, torch.Tensor]]:
    return [unpack(rows, task.modalities) for rows in b.image.chunk(len(task.seen))]


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Over the pixels with a label."""
    return -(target * logits.log_softmax(1)).sum() / target.sum()


def test_defaults_are_the_published_values():
    assert ModalCycleGANConfig().model_dump() == {
        "pair": None, "width": 64, "downs": 2, "blocks": 9, "d_layers": 3, "pool": 50, "w_rec": 10, "lr": 2e-4,
        "betas": (0.5, 0.999),
    }  # fmt: skip


def test_layers_suit_the_modalities():
    with torch.device("meta"):
        method = ModalCycleGAN(ModalCycleGANConfig(), task_of(RGB, DEPTH, SEG, size=256))
    body = 73_856 + 295_168 + 10_621_440 + 295_040 + 73_792
    to_seg = (49 * 1 * 64 + 64) + body + (49 * 64 * 3 + 3)
    to_depth = (49 * 3 * 64 + 64) + body + (49 * 64 * 1 + 1)
    assert [sum(p.numel() for p in net.parameters()) for net in (method.G, method.F)] == [to_seg, to_depth]
    assert [(net[0].in_channels, net[0].kernel_size) for net in (method.G, method.F)] == [(1, (7, 7)), (3, (7, 7))]
    assert isinstance(method.G[-1], nn.Conv2d) and isinstance(method.F[-1], nn.Tanh)  # logits; [-1, 1]
    assert (method.D_X[0].in_channels, method.D_Y[0].in_channels) == (1, 3)
    assert method.pools["X"].images.shape == (50, 1, 256, 256) and method.pools["Y"].images.shape == (50, 3, 256, 256)


def test_the_pair_is_the_unseen_one_of_different_scenes():
    method, b = small(), batch()
    (rd, rs), (x, y) = parts(THREE, b), method.sides(b)
    assert method.pair == ("depth", "segmentation")
    assert torch.equal(x, rd["depth"]) and torch.equal(y, rs["segmentation"])


def test_a_named_pair_comes_from_different_sets_where_it_can():
    b = batch(FOUR)
    rs, rdn = parts(FOUR, b)
    x, y = small(FOUR, pair=("segmentation", "nir")).sides(b)
    assert torch.equal(x, rs["segmentation"]) and torch.equal(y, rdn["nir"])
    x, y = small(FOUR, pair=("rgb", "depth")).sides(b)  # depth is never without rgb
    assert torch.equal(x, rs["rgb"]) and torch.equal(y, rdn["depth"])
    x, y = small(FOUR, pair=("depth", "nir")).sides(b)  # nor are these ever apart
    assert torch.equal(x, rdn["depth"]) and torch.equal(y, rdn["nir"])


def test_d_losses():
    method, b = small(), batch()
    x, y = method.sides(b)
    to_x, to_y = method.F(y), method.G(x).softmax(1)
    assert to_x.abs().max() <= 1
    expected = ((method.D_X(x) - 1) ** 2).mean() + (method.D_X(to_x) ** 2).mean()
    expected += ((method.D_Y(y) - 1) ** 2).mean() + (method.D_Y(to_y) ** 2).mean()
    losses = method.d_losses(b)  # the pools fill up, and let everything pass
    assert losses.keys() == {"adv"}
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 1 as least squares
    torch.testing.assert_close(method.pools["X"].images[:2], to_x)
    torch.testing.assert_close(method.pools["Y"].images[:2], to_y)


def test_d_sees_earlier_translations():
    method, b = small(pool=1), batch(rows=6)
    for pool in method.pools.values():
        pool.images.fill_(0.5)
        pool.count.fill_(1)
    x, y = method.sides(b)
    torch.manual_seed(3)
    loss = method.d_losses(b)["adv"]
    expected = ((method.D_X(x) - 1) ** 2).mean() + (method.D_X(method.F(y)) ** 2).mean()
    expected += ((method.D_Y(y) - 1) ** 2).mean() + (method.D_Y(method.G(x).softmax(1)) ** 2).mean()
    assert not torch.isclose(loss, expected)


def test_g_losses():
    method, b = small(), batch()
    x, y = method.sides(b)
    to_x, to_y, known = method.F(y), method.G(x).softmax(1), x > -1
    losses = method.g_losses(b)
    assert losses.keys() == {"adv", "rec"}
    expected = ((method.D_Y(to_y) - 1) ** 2).mean() + ((method.D_X(to_x) - 1) ** 2).mean()
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 1 as least squares
    back = (method.F(to_y) - x).abs()[known].mean()
    torch.testing.assert_close(losses["rec"], back + cross_entropy(method.G(to_x), y))  # Eq. 2
    assert not any(pool.count for pool in method.pools.values())


def test_other_modalities_are_not_looked_at():
    method, b = small(), batch()
    other = b.image.clone()
    other[:, :3] = 0.3
    changed = Batch(image=other, label=b.label)
    assert all(torch.equal(method.g_losses(b)[name], method.g_losses(changed)[name]) for name in ("adv", "rec"))
    assert torch.equal(small().d_losses(b)["adv"], small().d_losses(changed)["adv"])


def test_between_images_the_way_back_is_l1():
    method = small(task_of(RGB, NIR, seen=(("rgb", "nir"),)), pair=("rgb", "nir"))
    image = torch.rand(2, 4, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    x, y = image[:, :3], image[:, 3:]
    found = method.g_losses(Batch(image=image, label=torch.ones(2, 2)))["rec"]
    G, F_ = method.G, method.F
    torch.testing.assert_close(found, (F_(G(x)) - x).abs().mean() + (G(F_(y)) - y).abs().mean())


def test_full_objective_and_order():
    (stage,) = small(w_rec=9).stages(100)
    d, g = stage.phases
    assert (stage.steps, d.name, d.updates, d.every, g.name, g.updates, g.every) == (100, "D", ["D"], 1, "G", ["G"], 1)
    assert d.weights == {"adv": 0.5} and g.weights == {"adv": 1, "rec": 9}  # Eq. 3
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]


def test_optimisers_hold_each_network_once():
    method = small(lr=3e-4)
    held = {name: [id(p) for group in o.param_groups for p in group["params"]]
            for name, o in method.optimizers().items()}  # fmt: skip
    assert held == {
        "G": [id(p) for net in (method.G, method.F) for p in net.parameters()],
        "D": [id(p) for net in (method.D_X, method.D_Y) for p in net.parameters()],
    }


def test_the_core_knows_its_two_translations_only():
    method, b = small().eval(), batch()
    translator = ModalTranslator(method.translator(dict(method.named_children())), THREE)
    (rd, rs), one = parts(THREE, b), torch.eye(3)
    given, wanted = one[[1, 1, 2, 2]], one[[2, 2, 1, 1]]
    y = unpack(translator.translate(b.image, given, wanted), THREE.modalities)
    torch.testing.assert_close(y["segmentation"][:2], method.G(rd["depth"]).softmax(1))
    torch.testing.assert_close(y["depth"][2:], method.F(rs["segmentation"]))
    assert not y["rgb"].any() and not y["depth"][:2].any() and not y["segmentation"][2:].any()
    assert translator.knows(["depth"], "segmentation") and translator.knows(["segmentation"], "depth")
    for names, to in ((["rgb"], "depth"), (["depth"], "depth"), (["rgb", "depth"], "segmentation")):
        assert not translator.knows(names, to)


def test_the_model_card_shows_a_translation_that_it_knows(tmp_path):
    method = small()
    save_model(tmp_path / "model", method, dict(method.named_children()), {})
    assert 'translator({"depth": "depth.png"}, to="segmentation")' in (tmp_path / "model/README.md").read_text()


def test_the_cycle_closes():
    """Twenty steps bring the way back nearer."""
    method, b, values = small(lr=2e-3), batch(), []

    class Watch:
        def start(self, run):
            pass

        def __call__(self, run):
            values.append(run.losses["G/rec"].item())

        def end(self, run):
            pass

    fit(method, lambda *_: iter([b] * 30), steps=20, runtime=Runtime.start("cpu"), hooks=[Watch()], precision="fp32")
    assert values[-1] < 0.7 * values[0]


@pytest.mark.parametrize(
    "task, pair, message",
    [
        (FOUR, None, "got depth segmentation, nir segmentation; name one with --method.pair"),
        (task_of(RGB, DEPTH, seen=(("rgb", "depth"),)), None, "got none; name one with --method.pair"),
        (THREE, ("rgb", "dpth"), "--method.pair names 'dpth', which the data lack; did you mean depth"),
        (THREE, ("rgb", "rgb"), "needs two modalities, got rgb twice"),
        (task_of(RGB, DEPTH, SEG, size=18), None, "size 18 must be a multiple of 4"),
        (Task(domains=("a", "b"), size=16), None, "needs aligned modalities"),
    ],
)
def test_tasks_and_pairs_that_do_not_fit_are_refused(task, pair, message):
    with pytest.raises(ValueError, match=message):
        ModalCycleGAN(ModalCycleGANConfig(width=1, d_layers=1, pair=pair), task)
