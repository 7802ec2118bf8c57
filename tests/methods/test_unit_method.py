"""UNIT: its losses recomputed by hand from its networks, its order, its translator."""

import pytest
import torch

from dragoman.data.batch import Batch, Task
from dragoman.inference.translator import Translator
from dragoman.methods.unit import UNIT, UNITConfig
from dragoman.nn.noise import normal_like

TASK = Task(domains=("a", "b"), size=16)


def small(**changes) -> UNIT:
    torch.manual_seed(0)
    method = UNIT(UNITConfig(width=4, downs=1, blocks=2, d_layers=2, **changes), TASK)
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.2)
    return method


@pytest.fixture
def two_sides() -> Batch:
    image = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return Batch(image=image, label=torch.eye(2).repeat_interleave(3, 0))


def l1(x, y):
    return (x - y).abs().mean()


def test_defaults_are_the_published_values():
    assert UNITConfig().model_dump() == {
        "width": 64, "downs": 2, "blocks": 4, "d_layers": 4, "w_gan": 10, "w_kl": 0.1, "w_rec": 100, "w_kl_cyc": 0.1,
        "w_cyc": 100, "g_updates": 1, "lr": 1e-4, "power": 0, "betas": (0.5, 0.999),
    }  # fmt: skip


def test_g_losses(two_sides):
    method = small()
    torch.manual_seed(3)
    losses = method.g_losses(two_sides)
    torch.manual_seed(3)
    a, b = two_sides.image[:3], two_sides.image[3:]
    (e_a, e_b), (g_a, g_b), (d_a, d_b) = method.E.own, method.G.own, method.D
    e, g = method.E.shared, method.G.shared
    h_a, h_b = e(e_a(a)), e(e_b(b))
    z_a, z_b = h_a + normal_like(h_a), h_b + normal_like(h_b)
    ab, ba = g_b(g(z_a)), g_a(g(z_b))
    h_ab, h_ba = e(e_b(ab)), e(e_a(ba))
    aba = g_a(g(h_ab + normal_like(h_ab)))
    bab = g_b(g(h_ba + normal_like(h_ba)))
    expected = {
        "gan": (d_b(ab) - 1).square().mean() + (d_a(ba) - 1).square().mean(),
        "kl": h_a.square().mean() + h_b.square().mean(),
        "rec": l1(g_a(g(z_a)), a) + l1(g_b(g(z_b)), b),
        "kl_cyc": h_ab.square().mean() + h_ba.square().mean(),
        "cyc": l1(aba, a) + l1(bab, b),
    }
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name)


def test_d_losses(two_sides):
    method = small()
    torch.manual_seed(3)
    losses = method.d_losses(two_sides)
    torch.manual_seed(3)
    a, b = two_sides.image[:3], two_sides.image[3:]
    ab, ba = method.translations(a, b)
    torch.manual_seed(3)
    h_a, h_b = method.E(a, 0), method.E(b, 1)
    z_a, z_b = h_a + normal_like(h_a), h_b + normal_like(h_b)
    torch.testing.assert_close(ab, method.G.own[1](method.G.shared(z_a)))
    torch.testing.assert_close(ba, method.G.own[0](method.G.shared(z_b)))
    d_a, d_b = method.D
    expected = (d_a(a) - 1).square().mean() + d_a(ba).square().mean()
    expected = expected + (d_b(b) - 1).square().mean() + d_b(ab).square().mean()
    assert losses.keys() == {"gan"}
    torch.testing.assert_close(losses["gan"], expected)


def test_full_objective_and_order():
    method = small(w_gan=8, w_kl=1, w_rec=2, w_kl_cyc=3, w_cyc=4, g_updates=5, power=0.9)
    (stage,) = method.stages(100)
    d, g = stage.phases
    assert (d.updates, d.repeat, d.weights) == (["D"], 1, {"gan": 4})
    assert (g.updates, g.repeat) == (["G"], 5)
    assert g.weights == {"gan": 8, "kl": 1, "rec": 2, "kl_cyc": 3, "cyc": 4}
    for step in (0, 25, 99):
        assert d.lr(step) == g.lr(step) == pytest.approx((1 - step / 100) ** 0.9)
    constant = small().stages(100)[0].phases[1].lr
    assert {constant(step) for step in (0, 50, 99)} == {1}


def test_weights_are_drawn_so_that_signals_keep_their_size_at_any_width():
    stds = [
        UNIT(UNITConfig(width=width, downs=0, d_layers=2), TASK).E.shared.conv1.weight.std().item()
        * (width / 64) ** 0.5
        for width in (32, 64)
    ]
    assert stds == pytest.approx([0.02, 0.02], rel=0.05)


def test_translates_each_image_from_the_other_domain_without_noise(two_sides):
    method = small().eval()
    translator = Translator(method.translator(dict(method.named_children())), TASK)
    c = torch.eye(2)[[1, 0, 1, 1, 0, 0]]
    y, mask = translator.translate(two_sides.image, c, torch.zeros(6, 0))
    assert mask is None
    for image, code, out in zip(two_sides.image, c.argmax(1).tolist(), y, strict=True):
        expected = method.G(method.G.content(method.E(image[None], 1 - code)), code)[0]
        torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Task(domains=("a", "b", "c"), size=16), r"needs two domains, got 3 \(a, b, c\); name two with --data.domains"),
        (Task(domains=("a", "b"), exclusive=False, size=16), r"needs two domains, got attributes \(a, b\); put the"),
        (Task(domains=("a", "b"), size=18), "size 18 must be a multiple of 4 for downs 2 and above 16 for d_layers 4"),
    ],
)
def test_what_it_cannot_do_is_said(task, message):
    with pytest.raises(ValueError, match=message):
        UNIT(UNITConfig(), task)
