"""EGSC-IT against its paper: Eqs. 1 to 5, the four flows, the stages, and UNIT inside it."""

import pytest
import torch

from dragoman.data.batch import Batch, Task
from dragoman.inference.translator import Translator
from dragoman.losses.perceptual import content_distance, style_distance
from dragoman.methods.egsc_it import EGSCIT, EGSCITConfig, adain, adain_parameters, mask, phi
from dragoman.methods.unit import UNIT, UNITConfig
from dragoman.nn.noise import normal_like
from dragoman.recipes import egsc_it as recipes

TASK = Task(domains=("a", "b"), size=16)


def small(**changes) -> EGSCIT:
    torch.manual_seed(0)
    method = EGSCIT(EGSCITConfig(width=4, downs=1, blocks=2, d_layers=2, vgg="random", **changes), TASK)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.2)
    return method


@pytest.fixture
def two_sides() -> Batch:
    image = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.eye(2).repeat_interleave(3, 0))


def test_defaults_are_the_published_values_of_table_6():
    own = {
        "width": 64, "downs": 2, "blocks": 4, "d_layers": 4, "w_gan": 10, "w_kl": 0.1, "w_rec": 100, "w_kl_cyc": 0.1,
        "w_cyc": 100, "g_updates": 5, "lr": 1e-4, "power": 0.9, "betas": (0.5, 0.999), "eta": 0.5, "adain": True,
        "statistics": "std", "vgg": "vgg19", "w_content": 1e2, "w_style": 1e4, "pretrain": 0.5,
    }  # fmt: skip
    assert EGSCITConfig().model_dump() == own
    rows = {
        recipes.paper_single: (0, 16, 1e-5, 1e3, 1e1, 60_000), recipes.paper_multiple: (2, 16, 1e-5, 1e4, 1e2, 60_000),
        recipes.paper: (2, 6, 1e-4, 1e4, 1e2, 22_000), recipes.paper_faces: (2, 16, 1e-4, 5e3, 1e1, 30_000),
    }  # fmt: skip
    for recipe, (downs, batch, lr, style, content, steps) in rows.items():
        made = recipe()
        m, share = made.method, made.method.pretrain
        assert (m.downs, made.train.batch_size, m.lr, m.w_style, m.w_content) == (downs, batch, lr, style, content)
        assert (m.blocks, m.d_layers + 1, made.train.steps * (1 - share)) == (4, 5, steps)


def test_eqs_1_and_2():
    torch.manual_seed(0)
    c, f = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 7) * 3 + 1
    for statistics in ("std", "var"):
        gamma, beta = adain_parameters(f, statistics)
        y = adain(c, gamma, beta, statistics)
        for n in range(2):
            for k in range(3):
                delta = (lambda v: v.std(correction=0)) if statistics == "std" else (lambda v: v.var(correction=0))
                expected = delta(f[n, k]) * (c[n, k] - c[n, k].mean()) / delta(c[n, k]) + f[n, k].mean()
                torch.testing.assert_close(y[n, k], expected, rtol=1e-4, atol=1e-4)
    # The standard form gives the content the exemplar's mean and deviation.
    y = adain(c, *adain_parameters(f, "std"), "std")
    torch.testing.assert_close(y.mean((2, 3)), f.mean((2, 3)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(y.std((2, 3), correction=0), f.std((2, 3), correction=0), rtol=1e-3, atol=1e-4)


def test_a_constant_exemplar_leaves_no_infinities():
    gamma, beta = adain_parameters(torch.ones(1, 2, 4, 4), "std")
    assert torch.isfinite(adain(torch.ones(1, 2, 4, 4), gamma, beta, "std")).all()


def test_feature_mask():
    f = torch.tensor([-100.0, 0, 2, 100])
    torch.testing.assert_close(mask(f, 0.5), 0.5 / (1 + torch.exp(-f)) + 0.5)
    assert mask(f, 0.5).tolist()[::3] == pytest.approx([0.5, 1])
    assert mask(f, 1.0).tolist() == [1, 1, 1, 1]
    torch.testing.assert_close(mask(f, 0.0), torch.sigmoid(f))


def by_hand(method, c, domain, source, exemplar, masked=True, guided=True, statistics="std"):
    """G of the content c with eta 0.5, each of mask and AdaIN if it is there."""
    delta = (lambda f: delta_var(f).sqrt()) if statistics == "std" else delta_var
    if masked:
        c = (0.5 / (1 + torch.exp(-source)) + 0.5) * c
    if guided:
        normal = (c - c.mean((2, 3), keepdim=True)) / delta(c)
        c = delta(exemplar) * normal + exemplar.mean((2, 3), keepdim=True)
    return method.G.own[domain](c)


def delta_var(f):
    return f.var((2, 3), correction=0, keepdim=True) + 1e-5


def flows_by_hand(method, a, b, **how):
    """Content and mask come from the source, statistics from the exemplar; a cycle's are its own first image's."""
    f_a, f_b = method.F[0](a), method.F[1](b)
    h_a, h_b = method.E(a, 0), method.E(b, 1)
    c_a, c_b = (method.G.shared(h + normal_like(h)) for h in (h_a, h_b))
    ab, ba = by_hand(method, c_a, 1, f_a, f_b, **how), by_hand(method, c_b, 0, f_b, f_a, **how)
    h_ab, h_ba = method.E(ab, 1), method.E(ba, 0)
    c_ab, c_ba = (method.G.shared(h + normal_like(h)) for h in (h_ab, h_ba))
    return {
        "h_a": h_a, "h_b": h_b, "x_ab": ab, "x_ba": ba, "h_ab": h_ab, "h_ba": h_ba,
        "x_aba": by_hand(method, c_ab, 0, f_a, f_a, **how), "x_bab": by_hand(method, c_ba, 1, f_b, f_b, **how),
        "x_aa": by_hand(method, c_a, 0, f_a, f_a, **how), "x_bb": by_hand(method, c_b, 1, f_b, f_b, **how),
    }  # fmt: skip


@pytest.mark.parametrize("statistics", ["std", "var"])
def test_the_four_flows_and_the_cycles(two_sides, statistics):
    method = small(statistics=statistics)
    a, b = two_sides.sides()
    torch.manual_seed(3)
    flows = method.flows(a, b)
    torch.manual_seed(3)
    for name, value in flows_by_hand(method, a, b, statistics=statistics).items():
        torch.testing.assert_close(getattr(flows, name), value, msg=name, rtol=1e-3, atol=1e-4)


ABLATIONS = {
    "mask": ({"eta": 1.0}, {"masked": False}),
    "adain": ({"adain": False}, {"guided": False}),
    "perceptual": ({"w_content": 0, "w_style": 0}, {}),
}
"""What Table 2 takes away: the settings, and what they change in the formulas."""


@pytest.mark.parametrize("off", ABLATIONS)
def test_an_ablation_takes_away_one_thing(two_sides, off):
    changes, how = ABLATIONS[off]
    method = small(**changes)
    a, b = two_sides.sides()
    torch.manual_seed(3)
    losses = method.g_losses(two_sides)
    torch.manual_seed(3)
    x = flows_by_hand(method, a, b, **how)
    (d_a, d_b), l1 = method.D, lambda one, other: (one - other).abs().mean()
    expected = {
        "gan": (d_b(x["x_ab"]) - 1).square().mean() + (d_a(x["x_ba"]) - 1).square().mean(),
        "kl": x["h_a"].square().mean() + x["h_b"].square().mean(),
        "rec": l1(x["x_aa"], a) + l1(x["x_bb"], b),
        "kl_cyc": x["h_ab"].square().mean() + x["h_ba"].square().mean(),
        "cyc": l1(x["x_aba"], a) + l1(x["x_bab"], b),
    }
    if off != "perceptual":
        phi_a, phi_b, phi_ab, phi_ba = (phi("random", image) for image in (a, b, x["x_ab"], x["x_ba"]))
        expected["content"] = content_distance(phi_ab, phi_a) + content_distance(phi_ba, phi_b)
        expected["style"] = style_distance(phi_ab, phi_b) + style_distance(phi_ba, phi_a)
    assert losses.keys() == expected.keys() == method.weights().keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("off", ABLATIONS)
def test_the_translator_of_an_ablation(two_sides, off):
    changes, how = ABLATIONS[off]
    method = small(**changes).eval()
    translator = Translator(method.translator(dict(method.named_children())), TASK)
    a, b = two_sides.sides()
    f_a, f_b, to_b = method.F[0](a), method.F[1](b), torch.eye(2)[1].expand(3, -1)
    styles = torch.stack([translator.style(to_b[0], exemplar=x) if off != "adain" else torch.zeros(0) for x in b])
    assert styles.shape == (3, translator.core.style_dim) == (3, 0 if off == "adain" else 16)
    y, shown = translator.translate(a, to_b, styles)
    expected = by_hand(method, method.G.shared(method.E(a, 0)), 1, f_a, f_b, **how)
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-4)
    assert (shown is None) == (off == "mask")


def test_perceptual_losses_of_eq_5(two_sides):
    method = small(w_content=7, w_style=9)
    a, b = two_sides.image[:3], two_sides.image[3:]
    torch.manual_seed(3)
    losses = method.g_losses(two_sides)
    torch.manual_seed(3)
    x = method.flows(a, b)
    content = content_distance(phi("random", x.x_ab), phi("random", a))
    content = content + content_distance(phi("random", x.x_ba), phi("random", b))
    style = style_distance(phi("random", x.x_ab), phi("random", b))
    style = style + style_distance(phi("random", x.x_ba), phi("random", a))
    torch.testing.assert_close(losses["content"], content)
    torch.testing.assert_close(losses["style"], style)
    weights = method.weights()
    assert (weights["content"], weights["style"]) == (7, 9)  # Eq. 4


def test_small_images_are_padded_for_the_deepest_layer():
    features = phi("random", torch.rand(1, 3, 28, 28))
    assert [f.shape[1] for f in features] == [64, 128, 256, 512, 512]
    assert [f.shape[2] for f in features] == [32, 16, 8, 4, 2]


def test_without_its_additions_it_is_unit(two_sides):
    """eta 1, no AdaIN, no perceptual losses: the losses and gradients of UNIT with the same weights."""
    method = small(eta=1.0, adain=False, w_content=0, w_style=0)
    unit = UNIT(UNITConfig(width=4, downs=1, blocks=2, d_layers=2), TASK)
    for name in ("E", "G", "D"):
        getattr(unit, name).load_state_dict(getattr(method, name).state_dict())
    for losses in ("d_losses", "g_losses"):
        found = []
        for each in (method, unit):
            torch.manual_seed(3)
            each.zero_grad()
            terms = getattr(each, losses)(two_sides)
            torch.stack(list(terms.values())).sum().backward()
            found.append((terms, {n: p.grad for net in "EGD" for n, p in getattr(each, net).named_parameters(net)}))
        (ours, our_gradients), (theirs, gradients) = found
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert torch.equal(ours[name], theirs[name])
        for name, gradient in gradients.items():
            assert (gradient is None and our_gradients[name] is None) or torch.equal(gradient, our_gradients[name])


def test_features_are_trained_in_a_vae_gan_of_each_domain(two_sides):
    method = small()
    a, b = two_sides.image[:3], two_sides.image[3:]
    torch.manual_seed(3)
    losses = method.features_losses(two_sides)
    torch.manual_seed(3)
    h_a = method.R[0].last(method.F[0](a))
    x_a = method.R[0].decoder(method.R[0].first(h_a + normal_like(h_a)))
    h_b = method.R[1].last(method.F[1](b))
    x_b = method.R[1].decoder(method.R[1].first(h_b + normal_like(h_b)))
    d_a, d_b = method.DF
    torch.testing.assert_close(losses["gan"], (d_a(x_a) - 1).square().mean() + (d_b(x_b) - 1).square().mean())
    torch.testing.assert_close(losses["kl"], h_a.square().mean() + h_b.square().mean())
    torch.testing.assert_close(losses["rec"], (x_a - a).abs().mean() + (x_b - b).abs().mean())
    torch.manual_seed(3)
    found = method.features_d_losses(two_sides)["gan"]
    expected = (d_a(a) - 1).square().mean() + d_a(x_a).square().mean()
    expected = expected + (d_b(b) - 1).square().mean() + d_b(x_b).square().mean()
    torch.testing.assert_close(found, expected)


def test_stages_train_f_and_then_freeze_it():
    features, translate = small(pretrain=0.25, w_rec=3, w_kl=2, w_gan=4).stages(100)
    assert (features.name, features.steps, translate.name, translate.steps) == ("features", 25, "translate", 75)
    assert [phase.updates for phase in features.phases] == [["DF"], ["F"]]
    assert features.phases[0].weights == {"gan": 2}
    assert features.phases[1].weights == {"gan": 4, "kl": 2, "rec": 3}
    assert [(phase.updates, phase.repeat) for phase in translate.phases] == [(["D"], 1), (["G"], 5)]
    assert translate.phases[1].lr(30) == pytest.approx((1 - 30 / 75) ** 0.9)
    assert features.phases[1].lr(5) == pytest.approx((1 - 5 / 25) ** 0.9)


@pytest.mark.parametrize("statistics", ["std", "var"])
@pytest.mark.parametrize("target", [0, 1])
def test_the_translator_takes_exemplars_and_remembers_some(two_sides, target, statistics):
    method = small(statistics=statistics).eval()
    translator = Translator(method.translator(dict(method.named_children())), TASK)
    x, exemplars, code = two_sides.sides()[1 - target], two_sides.sides()[target], torch.eye(2)[target]
    styles = torch.stack([translator.style(code, exemplar=image) for image in exemplars])
    f = method.F[target](exemplars)
    gamma = delta_var(f) if statistics == "var" else delta_var(f).sqrt()
    expected = torch.cat([gamma[..., 0, 0], f.mean((2, 3))], 1)
    torch.testing.assert_close(styles, expected, rtol=1e-4, atol=1e-5)
    c, codes = method.G.shared(method.E(x, 1 - target)), code.expand(3, -1)
    y, shown = translator.translate(x, codes, styles)
    y_by_hand = by_hand(method, c, target, method.F[1 - target](x), f, statistics=statistics)
    torch.testing.assert_close(y, y_by_hand, rtol=1e-3, atol=1e-4)
    assert shown.shape == (3, 1, 16, 16)
    assert not torch.allclose(y, translator.translate(x, codes, styles.flip(0))[0])
    method.g_losses(two_sides)
    kept = torch.stack([translator.style(code, seed) for seed in range(20)])
    assert {tuple(row) for row in kept.tolist()} <= {tuple(row) for row in method.bank.styles[target, :3].tolist()}
    torch.testing.assert_close(method.bank.styles[target, :3], expected, rtol=1e-4, atol=1e-5)
    assert len(kept.unique(dim=0)) == 3


@pytest.mark.parametrize("target", [0, 1])
def test_the_translator_shows_the_mask_of_the_sources_features(two_sides, target):
    """m = (1 - eta) sigmoid(f) + eta, averaged over features, and f is of the source domain's F."""
    method = small(eta=0.3).eval()
    translator = Translator(method.translator(dict(method.named_children())), TASK)
    x, c = two_sides.sides()[1 - target], torch.eye(2)[target].expand(3, -1)
    _, shown = translator.translate(x, c, translator.style(c[0], exemplar=two_sides.sides()[target][0]).expand(3, -1))
    m = (0.7 / (1 + torch.exp(-method.F[1 - target](x))) + 0.3).mean(1, keepdim=True)
    expected = torch.nn.functional.interpolate(m, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-5)
    assert 0.3 < shown.min() < shown.max() < 1
    assert not translator.core.mask_marks_change


def test_without_adain_there_is_no_exemplar(two_sides):
    from dragoman.errors import UserError

    method = small(adain=False)
    translator = Translator(method.translator(dict(method.named_children())), TASK)
    assert translator.core.style_dim == 0
    with pytest.raises(UserError, match="takes no exemplar; leave it out"):
        translator.style(torch.eye(2)[1], exemplar=two_sides.image[0])
    method.g_losses(two_sides)
    assert method.bank.count.sum() == 0
