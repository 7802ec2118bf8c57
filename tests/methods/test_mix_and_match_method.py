"""Mix-and-match networks against thesis chapter 4: Eqs. 4.1 to 4.13, the three stages, unseen translations."""

from itertools import permutations

import pytest
import torch
import torch.nn.functional as F
from modal_tasks import DEPTH, FOUR, NIR, PAIRS, RGB, SEG, THREE, task_of
from modal_tasks import block_scenes as batch

from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, unpack
from dragoman.engine.fit import fit
from dragoman.engine.runtime import Runtime
from dragoman.losses.berhu import berhu
from dragoman.losses.segmentation import pixel_cross_entropy
from dragoman.methods.mix_and_match import MixAndMatch, MixAndMatchConfig
from dragoman.nets.vgg import VGG16
from dragoman.recipes import mix_and_match as recipes


def small(task: Task = THREE, seed: int = 0, **changes) -> MixAndMatch:
    torch.manual_seed(seed)
    settings = {"width": 4, "blocks": (1, 1), "d_layers": 2, "start": "random"} | changes
    method = MixAndMatch(MixAndMatchConfig(**settings), task)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0.1, 0.3)
    return method


def encoders(method: MixAndMatch) -> dict[str, torch.nn.Module]:
    return {**method.R, **method.E}


def parts(task: Task, b: Batch) -> list[dict[str, torch.Tensor]]:
    return [unpack(rows, task.modalities) for rows in b.image.chunk(len(task.seen))]


def test_defaults_are_the_published_values():
    assert MixAndMatchConfig().model_dump() == {
        "network": "segnet", "width": 64, "blocks": VGG16, "resblocks": 6, "d_layers": 4, "side": "indices",
        "start": "vgg16", "autoencoders": True, "w_auto": None, "noise": 0.5, "noise_of": "all", "w_l2": (1, 100),
        "w_gan": (1, 10), "w_depth": 10, "depth_loss": "berhu", "w_seg": 100, "w_latent": 10,
        "w_pseudo": 100, "latent_poolings": 1, "alpha": 0.2, "cascade": False, "lr": 2e-4, "lr_pseudo": 2e-5,
        "betas": (0.5, 0.999),
    }  # fmt: skip


def test_seen_translations_of_the_first_stage():
    """Eqs. 4.1, 4.2, 4.4, 4.7 and L_GAN."""
    method, b = small().eval(), batch()  # in eval mode a row's translation does not depend on the others
    (rd, rs), f, g = parts(THREE, b), encoders(method), method.G
    from_depth, from_seg = g["rgb"](f["depth"](rd["depth"])), g["rgb"](f["segmentation"](rs["segmentation"]))
    fake = torch.cat([from_depth, from_seg])
    losses = method.g_losses(b, aligned=False, pseudo=False)
    expected = {
        "l2": (from_seg - rs["rgb"]).square().mean() + (from_depth - rd["rgb"]).square().mean(),
        "berhu": berhu(g["depth"](f["rgb"](rd["rgb"])), rd["depth"], rd["depth"] > -1),
        "ce": pixel_cross_entropy(g["segmentation"](f["rgb"](rs["rgb"])), rs["segmentation"]),
        "gan": (method.D(fake) - 1).square().mean(),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name)
    real = torch.cat([rd["rgb"], rs["rgb"]])
    torch.testing.assert_close(method.d_losses(b, aligned=False)["gan"],
                               (method.D(real) - 1).square().mean() + method.D(fake).square().mean())  # fmt: skip


def test_a_decoder_sees_all_its_sources_in_one_batch():
    """In training, when batch norm would tell them apart; and an encoder the rows of all sets."""
    method, b = small(noise=0).train(), batch()
    (rd, rs), f, g = parts(THREE, b), encoders(method), method.G

    def joined(*codes):
        h, side = zip(*codes, strict=True)
        return torch.cat(h), [torch.cat(each) for each in zip(*side, strict=True)]

    d, s = f["depth"](rd["depth"]), f["segmentation"](rs["segmentation"])
    h, side = f["rgb"](torch.cat([rd["rgb"], rs["rgb"]]))
    r1, r2 = ((h[rows], [each[rows] for each in side]) for rows in (slice(2), slice(2, 4)))
    from_d, from_s = g["rgb"](joined(d, s)).chunk(2)
    l2 = (from_s - rs["rgb"]).square().mean() + (from_d - rd["rgb"]).square().mean()
    found = method.g_losses(b, aligned=False, pseudo=False)
    torch.testing.assert_close(found["l2"], l2)
    torch.testing.assert_close(found["berhu"], berhu(g["depth"](r1), rd["depth"], rd["depth"] > -1))
    torch.testing.assert_close(found["ce"], pixel_cross_entropy(g["segmentation"](r2), rs["segmentation"]))
    apart = (g["rgb"](s) - rs["rgb"]).square().mean() + (g["rgb"](d) - rd["rgb"]).square().mean()
    assert (apart - l2).abs() > 0.01
    all_sources = g["segmentation"](joined(r2, s, d, r1)).chunk(4)  # r1 is what d learns from
    ce = sum(pixel_cross_entropy(y, rs["segmentation"]) for y in all_sources[:2])
    torch.testing.assert_close(method.g_losses(b, aligned=True, pseudo=True)["ce"], ce)
    alone = sum(pixel_cross_entropy(g["segmentation"](code), rs["segmentation"]) for code in (r2, s))
    assert (alone - ce).abs() > 0.005


def test_all_losses_of_the_third_stage():
    """Eqs. 4.1 to 4.13; the autoencoder of RGB is averaged over both sets (Eq. 4.3)."""
    method, b = small(noise=0).eval(), batch()
    (rd, rs), f, g = parts(THREE, b), encoders(method), method.G
    losses = method.g_losses(b, aligned=True, pseudo=True)
    r1, r2, d, s = (
        f["rgb"](rd["rgb"]),
        f["rgb"](rs["rgb"]),
        f["depth"](rd["depth"]),
        f["segmentation"](rs["segmentation"]),
    )

    def l2(code, x):
        return (g["rgb"](code) - x).square().mean()

    def depth(code):
        return berhu(g["depth"](code), rd["depth"], rd["depth"] > -1)

    def ce(code):
        return pixel_cross_entropy(g["segmentation"](code), rs["segmentation"])

    fake = torch.cat([g["rgb"](code) for code in (d, s, r1, r2)])
    expected = {
        "l2": l2(s, rs["rgb"]) + l2(d, rd["rgb"]) + (l2(r1, rd["rgb"]) + l2(r2, rs["rgb"])) / 2,
        "berhu": depth(r1) + depth(d),
        "ce": ce(r2) + ce(s),
        "gan": (method.D(fake) - 1).square().mean(),
        "latent": (r2[0] - s[0]).square().sum(1).mean() + (r1[0] - d[0]).square().sum(1).mean(),
        "pseudo": berhu(g["depth"](s), g["depth"](r2).clamp(-1, 1))
        + pixel_cross_entropy(g["segmentation"](d), g["segmentation"](r1).softmax(1)),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name, rtol=1e-4, atol=1e-5)
    real = torch.cat([rd["rgb"], rs["rgb"]])
    torch.testing.assert_close(method.d_losses(b, aligned=True)["gan"],
                               (method.D(real) - 1).square().mean() + method.D(fake).square().mean())  # fmt: skip


def test_autoencoders_with_a_weight_of_their_own():
    """As the published code has it: those of depth and segmentation; RGB's is weighted as its translations."""
    b, common = batch(), small(noise=0).eval()
    method = small(noise=0, w_auto=7).eval()
    (rd, rs), f, g = parts(THREE, b), encoders(method), method.G
    depth = berhu(g["depth"](f["depth"](rd["depth"])), rd["depth"], rd["depth"] > -1)
    ce = pixel_cross_entropy(g["segmentation"](f["segmentation"](rs["segmentation"])), rs["segmentation"])
    losses, together = (m.g_losses(b, aligned=True, pseudo=False) for m in (method, common))
    torch.testing.assert_close(losses["auto"], depth + ce)
    torch.testing.assert_close(losses["berhu"] + losses["ce"] + losses["auto"], together["berhu"] + together["ce"])
    torch.testing.assert_close(losses["l2"], together["l2"])
    assert "auto" not in method.g_losses(b, aligned=False, pseudo=False)
    weights = [stage.phases[-1].weights for stage in method.stages(10)]
    assert [w.get("auto") for w in weights] == [None, 7, 7]
    assert "auto" not in small(w_auto=7, autoencoders=False).stages(10)[1].phases[-1].weights


def test_latent_consistency_at_more_poolings():
    """As the published code has it; how deep a pooling is counts from the bottleneck."""
    method, b = small(noise=0, blocks=(1, 1, 1), latent_poolings=2).eval(), batch()
    (rd, rs), f = parts(THREE, b), encoders(method)

    def after(net, x):
        found = []
        for block in net.blocks:
            x = F.max_pool2d(block(x), 2)
            found.append(x)
        return found[1:]

    pairs = [("depth", rd), ("segmentation", rs)]
    expected = sum(
        (one - other).square().sum(1).mean()
        for name, scenes in pairs
        for one, other in zip(after(f["rgb"], scenes["rgb"]), after(f[name], scenes[name]), strict=True)
    )
    torch.testing.assert_close(method.g_losses(b, aligned=True, pseudo=False)["latent"], expected)
    for settings in ({"latent_poolings": 3}, {"network": "resnet", "latent_poolings": 2}):
        with pytest.raises(ValueError, match="latent_poolings must be at most the 2 poolings"):
            small(**settings)


def test_a_stage_without_a_component_lacks_its_term():
    """Table 4.3."""
    b = batch()
    method = small(autoencoders=False, w_latent=0)
    assert method.g_losses(b, aligned=True, pseudo=False).keys() == {"l2", "berhu", "ce", "gan"}
    assert [name for _, *name in method.routes(False)] == [list(p) for names in PAIRS for p in permutations(names)]


def test_noise_is_on_the_codes_of_the_later_stages_only():
    method = small(noise=0.5).eval()
    levels = {(0, "rgb"): ([torch.ones(2, 4, 80, 80), torch.zeros(2, 8, 40, 40)], ["side"])}
    assert method._noisy(levels, aligned=False)[0, "rgb"][0] is levels[0, "rgb"][0][1]
    (h, side) = method._noisy(levels, aligned=True)[0, "rgb"]
    assert abs(h.std() - 0.5) < 0.02 and abs(h.mean()) < 0.02 and side == ["side"]
    torch.manual_seed(1)
    one = method.g_losses(batch(), aligned=True, pseudo=False)
    other = method.g_losses(batch(), aligned=True, pseudo=False)
    assert one["ce"] != other["ce"] and one["latent"] == other["latent"]
    one, other = (method.d_losses(batch(), aligned=True)["gan"] for _ in range(2))
    assert one != other
    assert method.d_losses(batch(), aligned=False) == method.d_losses(batch(), aligned=False)


def test_noise_of_the_published_code():
    """Its absolute value, on the codes of RGB alone."""
    method = small(noise_of="rgb").eval()
    h = torch.ones(2, 8, 40, 40)
    levels = {(0, name): ([h], ["side"]) for name in ("rgb", "depth")}
    found = method._noisy(levels, aligned=True)
    added = found[0, "rgb"][0] - h
    assert found[0, "depth"][0] is h and added.min() >= 0
    assert abs(added.square().mean().sqrt() - 0.5) < 0.02
    assert method._noisy(levels, aligned=False)[0, "rgb"][0] is h


def test_l1_for_depth_as_in_the_published_code():
    method, b = small(FOUR, depth_loss="l1", noise=0).eval(), batch(FOUR)
    losses = method.g_losses(b, aligned=False, pseudo=False)
    assert losses.keys() == {"l2", "l1", "ce", "gan"}
    (_, triple), f, g = parts(FOUR, b), encoders(method), method.G
    expected = 0
    for source, target in permutations(("rgb", "depth", "nir"), 2):
        if target != "rgb":
            apart = (g[target](f[source](triple[source])) - triple[target]).abs()
            expected += apart[triple[target] > -1].mean() if target == "depth" else apart.mean()
    torch.testing.assert_close(losses["l1"], expected)
    assert [stage.phases[1].weights["l1"] for stage in method.stages(10)] == [10] * 3


def test_pseudo_pairs_train_the_unseen_translation_only():
    """The target's own path through RGB's encoder gets no gradient (4.5.2), batch statistics aside."""
    method = small(noise=0).eval()
    loss = method.g_losses(batch(), aligned=True, pseudo=True)["pseudo"]

    def slope(net):
        return sum(g.abs().sum() for g in torch.autograd.grad(loss, [*net.parameters()], retain_graph=True,
                                                               allow_unused=True) if g is not None)  # fmt: skip

    assert slope(method.E["depth"]) > 0 and slope(method.E["segmentation"]) > 0
    assert slope(method.G["depth"]) > 0 and slope(method.G["segmentation"]) > 0
    assert slope(method.R["rgb"]) == 0 and slope(method.G["rgb"]) == 0


def test_pseudo_pairs_of_four_modalities():
    """Freiburg Forest (4.6.4): pairs of RGB and segmentation, triplets of RGB, depth and NIR."""
    method = small(FOUR)
    assert method.pseudo() == {
        (0, "segmentation", "depth"): (0, "rgb", "depth"),
        (0, "segmentation", "nir"): (0, "rgb", "nir"),
        (1, "depth", "segmentation"): (1, "rgb", "segmentation"),
        (1, "nir", "segmentation"): (1, "rgb", "segmentation"),
    }
    losses = method.g_losses(batch(FOUR), aligned=True, pseudo=True)
    assert losses.keys() == {"l2", "berhu", "ce", "gan", "latent", "pseudo"}
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert method.term(NIR) == "berhu"
    oracle = task_of(RGB, DEPTH, SEG, seen=(*PAIRS, ("depth", "segmentation")))
    assert not small(oracle).pseudo() and small(oracle).stages(10)[-1].name == "settle"


def test_full_objective_and_order():
    seen, align, pseudo = small().stages(500)
    assert (seen.steps, align.steps, pseudo.steps) == (200, 200, 100)
    for stage in (seen, align, pseudo):
        d, g = stage.phases
        assert (d.name, d.updates, d.every, d.weights) == ("D", ["D"], 2, {"gan": 1})
        assert (g.name, g.every) == ("G", 1)
    (_, first), (_, second), (_, third) = seen.phases, align.phases, pseudo.phases
    assert (first.updates, first.weights, first.lr) == (["G", "R"], {"l2": 1, "gan": 1, "berhu": 10, "ce": 100}, 1)
    later = {"l2": 100, "gan": 10, "berhu": 10, "ce": 100, "latent": 10}
    assert (second.updates, second.weights, second.lr) == (["G"], later, 1)
    assert (third.updates, third.weights) == (["G"], later | {"pseudo": 100})
    assert third.lr == pytest.approx(0.1)


@pytest.mark.parametrize("changes", [{}, {"w_pseudo": 0}, {"w_pseudo": 0, "cascade": True}])
def test_the_learning_rate_falls_with_pseudo_pairs_or_without(changes):
    """Else a gain of pseudo-pairs could be one of the smaller rate."""
    stages = small(**changes).stages(100)
    assert [(stage.name, stage.steps) for stage in stages] == [
        ("seen", 40), ("align", 40), ("settle" if changes else "pseudo", 20),
    ]  # fmt: skip
    assert [phase.lr for stage in stages for phase in stage.phases] == [1, 1, 1, 1, *[pytest.approx(0.1)] * 2]
    (_, second), (_, third) = (stage.phases for stage in stages[1:])
    added = {} if changes else {"pseudo": 100}
    assert (third.updates, third.weights) == (second.updates, second.weights | added)
    assert third.losses(batch()).keys() == third.weights.keys()


def test_the_rgb_encoder_is_frozen_after_the_first_stage():
    method, b = small(), batch()
    start = {k: v.clone() for k, v in method.state_dict().items()}
    states = {}

    class Watch:
        def start(self, run):
            pass

        def __call__(self, run):
            states[run.step] = {k: v.clone() for k, v in run.method.state_dict().items()}

        def end(self, run):
            pass

    fit(method, lambda *_: iter([b] * 20), steps=10, runtime=Runtime.start("cpu"), hooks=[Watch()], precision="fp32")
    rgb = [name for name in start if name.startswith("R.rgb")]
    assert rgb and all(not torch.equal(states[4][name], start[name]) for name in rgb)
    assert all(torch.equal(states[10][name], states[4][name]) for name in rgb)
    others = [name for name, _ in method.named_parameters() if not name.startswith("R.rgb")]
    assert all(not torch.equal(states[10][name], states[8][name]) for name in others)


def test_the_rgb_encoder_of_a_cascade_learns_to_the_end():
    for stage in small(w_pseudo=0, cascade=True).stages(10):
        assert stage.phases[1].updates == ["G", "R"]


def test_pseudo_targets_are_decoded_beside_what_learns_from_them():
    """In one pass, so that both have the same noise and batch statistics; bounded as pictures are."""
    method, b = small(), batch()
    torch.manual_seed(3)
    loss = method.g_losses(b, aligned=True, pseudo=True)["pseudo"]
    torch.manual_seed(3)
    images, unseen = method._images(b), method.pseudo()
    codes = method._noisy(method._encode(images, images), aligned=True)
    y = method._decode(codes, [*dict.fromkeys([*method.routes(True), *unseen, *unseen.values()])])
    expected = berhu(y[1, "segmentation", "depth"], y[1, "rgb", "depth"].clamp(-1, 1)) + pixel_cross_entropy(
        y[0, "depth", "segmentation"], y[0, "rgb", "segmentation"].softmax(1)
    )
    torch.testing.assert_close(loss, expected)


def test_an_unseen_translation_is_learnt_from_the_seen_ones():
    """Depth to segmentation, of which no pair was seen, beats the most frequent class."""
    torch.manual_seed(0)
    method = MixAndMatch(
        MixAndMatchConfig(width=8, blocks=(1, 1), d_layers=2, start="random", lr=2e-3, lr_pseudo=2e-4), THREE
    )  # fmt: skip
    b = batch(rows=4)
    run = fit(method, lambda *_: iter([b] * 1000), steps=100, runtime=Runtime.start("cpu"), precision="fp32")
    with run.leaving() as core:
        x = b.image[:4]  # of the set with depth: its segmentations were never shown
        number = ((unpack(x, THREE.modalities)["depth"] + 0.5) * 2).round().long()
        given, wanted = torch.tensor([[0.0, 1, 0]] * 4), torch.tensor([[0.0, 0, 1]] * 4)
        y = unpack(core(x, given, wanted), THREE.modalities)["segmentation"].argmax(1)
    inner = (slice(None), slice(2, 14))  # without unknown depths and unlabelled rows
    right = (y[inner] == number[:, 0][inner]).float().mean()
    most = torch.stack([(number[:, 0][inner] == k).float().mean() for k in range(3)]).max()
    assert right > most + 0.2, (right, most)


def test_the_core_mixes_and_matches():
    method = small().eval()
    core = method.translator(dict(method.named_children())).eval()
    x = torch.rand(5, 7, 16, 16, generator=torch.Generator().manual_seed(1))
    given = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1.0]])
    wanted = torch.tensor([[0, 0, 1], [1, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0.0]])
    y = unpack(core(x, given, wanted), THREE.modalities)
    own, f, g = unpack(x, THREE.modalities), encoders(method), method.G

    def code(name, row):
        return f[name](own[name][row : row + 1])

    def near(found, expected):
        torch.testing.assert_close(found, expected[0], rtol=1e-4, atol=1e-5)

    near(y["segmentation"][0], g["segmentation"](code("depth", 0)).softmax(1))  # with depth's own indices
    assert not y["rgb"][0].any() and not y["depth"][0].any()
    near(y["rgb"][1], g["rgb"](code("segmentation", 1)))
    near(y["depth"][1], g["depth"](code("segmentation", 1)).clamp(-1, 1))
    (r, indices), (d, _) = code("rgb", 2), code("depth", 2)
    near(y["segmentation"][2], g["segmentation"]((0.8 * r + 0.2 * d, indices)).softmax(1))  # 4.6.2
    (r, indices), (d, _), (s, _) = code("rgb", 3), code("depth", 3), code("segmentation", 3)
    near(y["segmentation"][3], g["segmentation"]((0.8 * r + 0.1 * d + 0.1 * s, indices)).softmax(1))
    (d, indices), (s, _) = code("depth", 4), code("segmentation", 4)
    near(y["rgb"][4], g["rgb"]((0.8 * d + 0.2 * s, indices)))


@pytest.mark.parametrize("side", ["indices", "skip"])
def test_as_a_cascade_unseen_translations_go_through_images(side):
    """Table 4.4, "D -> R -> S"; what is trained first is what is trained without it."""
    method, plain = (small(side=side, w_pseudo=0, cascade=cascade).eval() for cascade in (True, False))
    core = method.translator(dict(method.named_children())).eval()
    x = torch.rand(2, 7, 16, 16, generator=torch.Generator().manual_seed(1))
    given, wanted = torch.tensor([[0, 1, 0], [0, 1, 0.0]]), torch.tensor([[0, 0, 1], [0, 0, 1.0]])
    f, g, depth = encoders(method), method.G, unpack(x, THREE.modalities)["depth"]
    expected = g["segmentation"](f["rgb"](g["rgb"](f["depth"](depth)).clamp(-1, 1))).softmax(1)
    found = unpack(core(x, given, wanted), THREE.modalities)["segmentation"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    direct = plain.translator(dict(plain.named_children())).eval()(x, given, wanted)
    assert not torch.allclose(unpack(direct, THREE.modalities)["segmentation"], expected, atol=1e-3)
    one, other = (m.g_losses(batch(), aligned=False, pseudo=False) for m in (method, plain))
    assert one == other


def test_the_rows_of_the_cascade_train_the_seen_translations_alone():
    """Thesis 4.6.2: "a translation model from depth to RGB and from RGB to segmentation"."""
    seen, found = recipes.streets_seen(), recipes.streets_cascade()
    assert found.method == seen.method.model_copy(update={"cascade": True})
    assert recipes.streets_cascade_skip().method == found.method.model_copy(update={"side": "skip"})
    for other in (recipes.streets_cascade(), recipes.streets_cascade_skip()):
        assert (other.data, other.train) == (seen.data, seen.train)


@pytest.mark.parametrize("side", ["indices", "skip", "none"])
def test_side_information(side):
    """Table 4.2: only with side information does the source encoder reach the decoder by another way."""
    method = small(side=side)
    losses = method.g_losses(batch(), aligned=True, pseudo=True)
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert len(method.E["depth"](torch.zeros(2, 1, 16, 16))[1]) == (0 if side == "none" else 2)


def test_without_rgb_there_is_no_adversary_and_nothing_to_freeze():
    """The oracle of Table 4.4: one pair, seen."""
    method = small(task_of(DEPTH, SEG, seen=(("depth", "segmentation"),)))
    assert set(method.optimizers()) == {"G"} and not hasattr(method, "D")
    for stage in method.stages(8):
        (g,) = stage.phases
        assert g.losses(batch(method.task)).keys() == g.weights.keys()


OPPONENTS = (Modality(name="red_green", channels=1), Modality(name="green_blue", channels=1), RGB)
FLOWERS = task_of(*OPPONENTS, seen=(("red_green", "green_blue"), ("red_green", "rgb")))


def test_opponent_channels():
    """A.3.3: L2 for every modality, adversarial too for the third; the first is the anchor, nothing is frozen."""
    method = small(FLOWERS, network="resnet", resblocks=1)
    assert method.pseudo() == {
        (0, "green_blue", "rgb"): (0, "red_green", "rgb"),
        (1, "rgb", "green_blue"): (1, "red_green", "green_blue"),
    }
    assert set(method.optimizers()) == {"G", "D"}
    image = torch.rand(4, 5, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    b = Batch(image=image, label=torch.tensor([[1.0, 1, 0]] * 2 + [[1.0, 0, 1]] * 2))
    one, two = parts(FLOWERS, b)
    losses, f, g = method.g_losses(b, aligned=False, pseudo=False), method.E, method.G

    def apart(x, source, target):
        return F.mse_loss(g[target](f[source](x[source])), x[target])

    pairs = [(one, "red_green", "green_blue"), (one, "green_blue", "red_green"),
             (two, "red_green", "rgb"), (two, "rgb", "red_green")]  # fmt: skip
    torch.testing.assert_close(losses["l2"], sum(apart(*pair) for pair in pairs))
    assert losses.keys() == {"l2", "gan"}
    assert method.g_losses(b, aligned=True, pseudo=True).keys() == {"l2", "gan", "latent", "pseudo"}


def test_the_anchor_leads_where_several_channels_are_given():
    """Table 4.1, (Theta_1, Theta_2) to Theta_3: 0.8 of Theta_1, which was seen with it, with its indices."""
    method = small(FLOWERS, network="resnet", resblocks=1).eval()
    core, f = method.translator(dict(method.named_children())).eval(), method.E
    images = {name: torch.rand(2, 1, 16, 16) for name in ("green_blue", "red_green")}
    (one, indices), (two, _) = f["red_green"](images["red_green"]), f["green_blue"](images["green_blue"])
    h, side = core.encode(images)
    torch.testing.assert_close(h, 0.8 * one + 0.2 * two)
    assert all(torch.equal(a, b) for a, b in zip(side, indices, strict=True))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 8, "start": "vgg16"}, "start vgg16 needs width 64"),
        ({"width": 8, "start": "vgg19_distilled"}, "start vgg19_distilled needs width 16"),
        ({"network": "resnet", "start": "random"}, "network resnet needs"),
        ({"blocks": ()}, "blocks must name"),
        ({"cascade": True}, "cascade needs w_pseudo 0, got 100"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        MixAndMatchConfig(**config)


def test_tasks_that_do_not_fit_are_refused():
    config = MixAndMatchConfig(width=4, blocks=(1, 1), d_layers=2, start="random")
    with pytest.raises(ValueError, match="needs aligned modalities"):
        MixAndMatch(config, Task(domains=("a", "b"), size=16))
    with pytest.raises(ValueError, match="segmentation is in no set"):
        MixAndMatch(config, task_of(RGB, DEPTH, SEG, seen=(("rgb", "depth"),)))
    with pytest.raises(ValueError, match="at most one modality of colour images, got rgb, photo"):
        MixAndMatch(config, task_of(RGB, Modality(name="photo"), seen=(("rgb", "photo"),)))
    with pytest.raises(ValueError, match="size 18 must be a multiple of 4"):
        MixAndMatch(config, task_of(RGB, DEPTH, SEG, size=18))
