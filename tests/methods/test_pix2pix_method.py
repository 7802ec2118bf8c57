"""pix2pix against its paper and thesis 4.6.2: the losses of every seen pair, the chain for the others."""

import pytest
import torch
from modal_tasks import DEPTH, FOUR, NIR, RGB, SEG, THREE, task_of
from modal_tasks import block_scenes as batch
from torch import nn

from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, pack, unpack
from dragoman.engine.fit import fit
from dragoman.engine.runtime import Runtime
from dragoman.inference.cascade import Cascade
from dragoman.losses.berhu import berhu
from dragoman.losses.segmentation import pixel_cross_entropy
from dragoman.methods.pix2pix import Pix2Pix, Pix2PixConfig
from dragoman.nets.unet import UNet
from dragoman.nn.norm import InstanceNorm


def small(task: Task = THREE, **changes) -> Pix2Pix:
    """In eval mode, so that no dropout hides what is compared; with weights large enough that every term matters."""
    torch.manual_seed(0)
    method = Pix2Pix(Pix2PixConfig(**{"width": 4, "levels": 2, "dropouts": 1, "d_layers": 1} | changes), task)
    for p in method.parameters():
        nn.init.normal_(p, 0.1, 0.3)
    return method.eval()


def halves(b: Batch, task: Task = THREE) -> list[dict[str, torch.Tensor]]:
    return [unpack(rows, task.modalities) for rows in b.image.chunk(2)]


def expected_terms(method: Pix2Pix, b: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """D's loss and G's terms, written out pair by pair."""
    one, two = halves(b)
    d, adv, terms = 0, 0, {"l1": 0, "berhu": 0, "ce": 0}
    for parts, a, b_ in [(one, "rgb", "depth"), (one, "depth", "rgb"), (two, "rgb", "segmentation"),
                         (two, "segmentation", "rgb")]:  # fmt: skip
        x, y, G, D = parts[a], parts[b_], method.G[f"{a}_to_{b_}"], method.D[f"{a}_to_{b_}"]
        made = shown = G(x)
        if b_ == "depth":
            known = y > -1
            terms["berhu"] += berhu(made, y, known)
            shown = torch.where(known, made, -1)
        elif b_ == "segmentation":
            terms["ce"] += pixel_cross_entropy(made, y)
            shown = torch.where(y.sum(1, keepdim=True) > 0, made.softmax(1), 0)
        else:
            terms["l1"] += (made - y).abs().mean()
        real, fake = D(torch.cat([x, y], 1)), D(torch.cat([x, shown], 1))
        d += -real.sigmoid().log().mean() - (1 - fake.sigmoid()).log().mean()
        adv += -fake.sigmoid().log().mean()
    return d, terms | {"adv": adv}


def test_defaults_are_the_published_values():
    assert Pix2PixConfig().model_dump() == {
        "width": 64, "levels": 8, "dropouts": 3, "d_layers": 3, "w_rec": 100, "lr": 2e-4, "betas": (0.5, 0.999),
    }  # fmt: skip


def test_losses_of_every_seen_pair():
    method, b = small(), batch()
    d, terms = expected_terms(method, b)
    torch.testing.assert_close(method.d_losses(b)["adv"], d, rtol=1e-4, atol=1e-5)
    losses = method.g_losses(b)
    assert losses.keys() == terms.keys()
    for name, value in terms.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_the_discriminator_sees_the_source():
    """A conditional one: another source with the same target is another opinion."""
    method, b = small(), batch()
    one = method.d_losses(b)["adv"]
    image = b.image.clone()
    image[:2, 3] = -image[:2, 3]  # depth, source of a pair and target of the other
    assert not torch.isclose(one, method.d_losses(Batch(image=image, label=b.label))["adv"])
    x, y = halves(b)[0]["rgb"], halves(b)[0]["depth"]
    opinions = [method._judge(("rgb", "depth"), source, y, y) for source in (x, -x)]
    assert not torch.allclose(*opinions)


def test_what_is_unknown_in_the_target_does_not_give_a_translation_away():
    """Holes of a depth, pixels without label: D sees the same in what is made."""
    method, b = small(), batch()
    one, two = halves(b)
    seen = []
    for pair in ("rgb_to_depth", "rgb_to_segmentation"):
        method.D[pair].register_forward_pre_hook(lambda _, x: seen.append(x[0][:, 3:]))
    method.d_losses(b)
    real_depth, fake_depth, real_seg, fake_seg = seen
    assert torch.equal(real_depth, one["depth"]) and torch.equal(real_seg, two["segmentation"])
    assert (fake_depth[:, :, :2] == -1).all() and not (fake_depth[:, :, 2:] == -1).any()
    assert (fake_seg[:, :, -2:] == 0).all()
    torch.testing.assert_close(fake_seg[:, :, :-2].sum(1), torch.ones(2, 14, 16))
    assert fake_seg[:, :, :-2].amin() > 0 and fake_seg[:, :, :-2].amax() < 1


def test_each_pair_has_networks_of_its_own():
    method = small(FOUR)
    pairs = {("rgb", "segmentation"), ("rgb", "depth"), ("rgb", "nir"), ("depth", "nir")}
    names = {f"{a}_to_{b}" for pair in pairs for a, b in (pair, pair[::-1])}
    assert set(method.G) == set(method.D) == names
    method.g_losses(batch(FOUR))["ce"].backward()
    moved = [name for name in names if any(p.grad is not None for p in method.G[name].parameters())]
    assert moved == ["rgb_to_segmentation"]


def test_rows_of_all_sets_with_both_modalities_are_averaged():
    """rgb and depth are in both sets."""
    task = task_of(RGB, DEPTH, SEG, seen=(("rgb", "depth"), ("rgb", "depth", "segmentation")))
    method, b = small(task), batch(task)
    rgb, depth = (torch.cat([parts[name] for parts in halves(b, task)]) for name in ("rgb", "depth"))
    others = [method.G["segmentation_to_rgb"](halves(b, task)[1]["segmentation"]) - halves(b, task)[1]["rgb"]]
    expected = (method.G["depth_to_rgb"](depth) - rgb).abs().mean() + others[0].abs().mean()
    torch.testing.assert_close(method.g_losses(b)["l1"], expected)


def test_near_infrared_has_the_distance_of_depth():
    """Thesis 4.4.3."""
    assert [small(FOUR).term(m) for m in (RGB, DEPTH, NIR, SEG)] == ["l1", "berhu", "berhu", "ce"]


def test_full_objective_and_order():
    """Eq. 4; section 3.3: D's objective is halved."""
    (stage,) = small(w_rec=7).stages(10)
    d, g = stage.phases
    assert stage.steps == 10
    assert (d.name, d.updates, d.weights, d.every, d.repeat) == ("D", ["D"], {"adv": 0.5}, 1, 1)
    assert (g.name, g.updates, g.every, g.repeat) == ("G", ["G"], 1, 1)
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 5, 8, 10)] == pytest.approx([1, 1, 0.4, 0])
    assert g.weights == {"adv": 1, "l1": 7, "berhu": 7, "ce": 7}
    pair = small(task_of(RGB, Modality(name="edges"), seen=(("rgb", "edges"),)))
    assert pair.stages(10)[0].phases[1].weights == {"adv": 1, "l1": 100}


def test_optimisers():
    method = small()
    for name, optimizer in method.optimizers().items():
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (2e-4, (0.5, 0.999))
        assert {id(p) for p in group["params"]} == {id(p) for p in method.get_submodule(name).parameters()}


def test_one_pair_at_the_published_size():
    """What a folder of two kinds of pictures gets, each way 54.4 and 2.77 million parameters."""
    with torch.device("meta"):
        method = Pix2Pix(Pix2PixConfig(), task_of(RGB, Modality(name="edges"), seen=(("rgb", "edges"),), size=256))
    for name in ("rgb_to_edges", "edges_to_rgb"):
        assert sum(p.numel() for p in method.G[name].parameters()) == 54_414_531
        assert sum(p.numel() for p in method.D[name].parameters()) == 2_768_705
    net, last = method.G["rgb_to_edges"]
    assert isinstance(net, UNet) and isinstance(last, nn.Tanh)
    assert isinstance(small().G["rgb_to_segmentation"], UNet)  # logits have no tanh


def test_initial_weights():
    torch.manual_seed(0)
    method = Pix2Pix(Pix2PixConfig(width=16, levels=2, d_layers=1), THREE)
    for m in method.modules():
        if isinstance(m, nn.Conv2d | nn.ConvTranspose2d) and m.weight.numel() > 2000:
            assert abs(m.weight.std() - 0.02) < 0.002
        if isinstance(m, InstanceNorm):
            assert (m.weight == 1).all() and (m.bias == 0).all()


def test_dropout_in_training_only():
    method, b = small().train(), batch()
    assert method.g_losses(b)["l1"] != method.g_losses(b)["l1"]
    method.eval()
    assert method.g_losses(b)["l1"] == method.g_losses(b)["l1"]


def asked(core, parts, given, wanted):
    code = [torch.tensor([[float(name in names) for name in THREE.domains]] * 2) for names in (given, [wanted])]
    with torch.no_grad():
        x = pack({name: parts[name] for name in given}, THREE.modalities)
        return unpack(core(x, *code), THREE.modalities)[wanted]


def test_the_translator_goes_through_rgb():
    """D -> R -> S, thesis 4.6.2."""
    method = small()
    core = method.translator(dict(method.named_children())).eval()
    one, two = halves(batch())
    parts = one | {"segmentation": two["segmentation"]}
    g = method.G
    assert isinstance(core, Cascade) and (core.stride, core.smallest) == (4, 16)
    torch.testing.assert_close(asked(core, parts, ["depth"], "rgb"), g["depth_to_rgb"](one["depth"]))
    expected = g["rgb_to_segmentation"](g["depth_to_rgb"](one["depth"])).softmax(1)
    torch.testing.assert_close(asked(core, parts, ["depth"], "segmentation"), expected)
    expected = g["rgb_to_depth"](g["segmentation_to_rgb"](two["segmentation"]))
    torch.testing.assert_close(asked(core, parts, ["segmentation"], "depth"), expected)


def test_of_several_given_modalities_the_mean():
    method = small()
    core = method.translator(dict(method.named_children())).eval()
    one, two = halves(batch())
    parts = one | {"segmentation": two["segmentation"]}
    made = [method.G["depth_to_rgb"](one["depth"]), method.G["segmentation_to_rgb"](two["segmentation"])]
    torch.testing.assert_close(asked(core, parts, ["depth", "segmentation"], "rgb"), sum(made) / 2)
    alone = asked(core, parts, ["rgb"], "segmentation")
    assert torch.equal(asked(core, parts, ["rgb", "depth"], "segmentation"), alone)


def test_unseen_translations_are_learnt_from_the_seen_ones():
    """Depth to segmentation by way of RGB, each block having its own colour, depth and class."""
    torch.manual_seed(0)
    method = Pix2Pix(Pix2PixConfig(width=8, levels=2, dropouts=0, d_layers=1, lr=2e-3), THREE)
    b = batch(rows=4)
    run = fit(method, lambda *_: iter([b] * 1000), steps=40, runtime=Runtime.start("cpu"), precision="fp32")
    with run.leaving() as core:
        x = b.image[:4]  # of the set with depth: its segmentations were never shown
        number = ((unpack(x, THREE.modalities)["depth"] + 0.5) * 2).round().long()[:, 0]
        given, wanted = torch.tensor([[0.0, 1, 0]] * 4), torch.tensor([[0.0, 0, 1]] * 4)
        y = unpack(core(x, given, wanted), THREE.modalities)["segmentation"].argmax(1)
    inner = (slice(None), slice(2, 14))  # without unknown depths and unlabelled rows
    right = (y[inner] == number[inner]).float().mean()
    most = torch.stack([(number[inner] == k).float().mean() for k in range(3)]).max()
    assert right > most + 0.2, (right, most)


def test_tasks_that_do_not_fit_are_refused():
    config = Pix2PixConfig(width=4, levels=2, d_layers=1)
    with pytest.raises(ValueError, match="needs aligned modalities"):
        Pix2Pix(config, Task(domains=("a", "b"), size=16))
    with pytest.raises(ValueError, match="segmentation is in no set"):
        Pix2Pix(config, task_of(RGB, DEPTH, SEG, seen=(("rgb", "depth"),)))
    with pytest.raises(ValueError, match="size 18 must be a multiple of 4 for levels 2"):
        Pix2Pix(config, task_of(RGB, DEPTH, SEG, size=18))
    with pytest.raises(ValueError, match="at least 24 for d_layers 3"):
        Pix2Pix(Pix2PixConfig(width=4, levels=2), THREE)
