"""SDIT against chapter 6 of the thesis: layers and counts of 6.4, and Eqs. 6.1 to 6.10 recomputed by hand."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch.optim import Adam

from dragoman.data.batch import Task
from dragoman.inference.translator import Translator
from dragoman.methods.sdit import SDIT, SDITConfig

E_TABLE = [
    "conv 7 s1 p3 8-64 @128", "conv 4 s2 p1 64-128 @64", "conv 4 s2 p1 128-256 @32",
    *["conv 3 s1 p1 256-256 @32"] * 12,
]  # fmt: skip

G_TABLE = [
    *["conv 3 s1 p1 256-256 @32"] * 12,  # T^c
    *["conv 3 s1 p1 256-256 @32"] * 12, "conv 3 s1 p1 256-1 @32",  # T^a
    "up 4 s2 p1 256-128 @64", "up 4 s2 p1 128-64 @128", "conv 7 s1 p3 64-3 @128",
]  # fmt: skip

D_TABLE = [
    "conv 4 s2 p1 3-64 @64", "conv 4 s2 p1 64-128 @32", "conv 4 s2 p1 128-256 @16",
    "conv 4 s2 p1 256-512 @8", "conv 4 s2 p1 512-1024 @4", "conv 4 s2 p1 1024-2048 @2",
    "conv 3 s1 p1 2048-1 @2", "conv 3 s1 p1 2048-5 @2", "conv 3 s1 p1 2048-8 @2", "fc 32-8",
]  # fmt: skip


def _published(**changes) -> SDIT:
    with torch.device("meta"):
        return SDIT(SDITConfig(**changes), Task(domains=tuple("abcde"), size=128, exclusive=False))


def _small(exclusive: bool = True, **changes) -> SDIT:
    """A small one, with weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    settings = {"width": 4, "blocks": 3, "cin_blocks": 2, "d_layers": 3, "z_dim": 4}
    method = SDIT(SDITConfig(**settings | changes), Task(domains=("a", "b", "c"), size=16, exclusive=exclusive))
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    return method


def _count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def _encode(method, x, label):
    """E(x, l)."""
    return method.E(torch.cat([x, label[:, :, None, None] * torch.ones(1, 1, *x.shape[2:])], 1))


def _nll(logits, code, exclusive):
    """-log p(code | image) per image."""
    if exclusive:
        return -(logits.log_softmax(1) * code).sum(1).mean()
    p = torch.sigmoid(logits)
    return -(code * p.log() + (1 - code) * (1 - p).log()).sum(1).mean()


def test_defaults_are_the_published_values():
    assert SDITConfig().model_dump() == {
        "width": 64, "downs": 2, "blocks": 6, "cin_blocks": 4, "d_layers": 6, "z_dim": 8, "cin": "both",
        "attention": True, "attention_channels": "one", "n_critic": 5, "w_gan": 1, "w_gp": 10, "w_real": 1,
        "w_fake": 1, "w_lat": 800, "w_lat_d": None, "w_rec": 10, "w_idt": 0, "lr": 1e-4, "betas": (0.5, 0.999),
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings, what",
    [
        ({"cin": "none"}, "w_lat"),
        ({"blocks": 2, "cin_blocks": 3}, "cin_blocks 3 must be at most blocks 2"),
        ({"w_lat": -1}, "w_lat"),
        ({"cin": "alpha"}, "cin"),
        ({"w_latent": 1}, "w_latent"),
        ({"lr": 0}, "lr"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_an_error(settings, what):
    with pytest.raises(ValidationError, match=what):
        SDITConfig(**settings)


def test_attention_alone_is_a_valid_configuration():
    assert SDITConfig(cin="none", w_lat=0).cin == "none"


def test_encoder_layers_and_count(layer_table):
    net = _published().E
    assert layer_table(net.to_empty(device="cpu"), torch.zeros(1, 8, 128, 128)) == E_TABLE
    convs = 49 * 8 * 64 + 16 * 64 * 128 + 16 * 128 * 256 + 6 * 2 * 9 * 256**2
    norms = 2 * (64 + 128 + 256 + 6 * 2 * 256)
    assert _count(net) == convs + norms


def test_generator_layers_and_count(layer_table):
    net = _published().G.to_empty(device="cpu")
    assert layer_table(net, torch.zeros(1, 256, 32, 32), torch.zeros(1, 4096)) == G_TABLE
    content = 6 * 2 * 9 * 256**2 + 2 * (2 * 2 * 256)  # four of six blocks have no norms of their own
    attention = 6 * (2 * 9 * 256**2 + 2 * 2 * 256) + 9 * 256 * 1 + 2
    decoder = 16 * 256 * 128 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 49 * 64 * 3
    assert _count(net) == content + attention + decoder


def test_mlp_adds_about_a_million_parameters(layer_table):
    net = _published().M
    assert layer_table(net, torch.empty(1, 8, device="meta")) == ["fc 8-256", "fc 256-4096"]
    assert _count(net) == 8 * 256 + 256 + 256 * 4096 + 4096 == 1_054_976


def test_discriminator_layers_and_count(layer_table):
    net, x = _published().D, torch.empty(2, 3, 128, 128, device="meta")
    assert layer_table(net, x) == D_TABLE
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * widths[n] * widths[n + 1] + widths[n + 1] for n in range(6))
    assert _count(net) == trunk + 9 * 2048 * (1 + 5 + 8) + 32 * 8 + 8
    assert [tuple(out.shape) for out in net(x)] == [(2, 1, 2, 2), (2, 5), (2, 8)]


def test_variants_leave_out_what_they_do_not_use():
    full, plain, bare = _published(), _published(attention=False), _published(cin="none", w_lat=0)
    maps = _published(attention_channels="features")
    assert _count(full.G) - _count(plain.G) == 6 * (2 * 9 * 256**2 + 4 * 256) + 9 * 256 + 2
    assert _count(maps.G) - _count(full.G) == 255 * (9 * 256 + 2)
    assert _count(bare.M) == 0
    assert _count(bare.G) - _count(full.G) == 4 * 2 * 2 * 256  # the four blocks get norms of their own


def test_initial_weights_are_gaussian_and_cin_starts_as_the_plain_norm():
    torch.manual_seed(0)
    method = SDIT(SDITConfig(width=16, blocks=3, cin_blocks=2, d_layers=3), Task(domains=("a", "b"), size=32))
    for weight in (method.E[3].weight, method.G.content[0].conv1.weight, method.D.trunk[2].weight):
        assert abs(weight.std().item() - 0.02) < 0.001 and abs(weight.mean().item()) < 0.001
    assert abs(method.M[2].weight.std().item() - (2 / 256) ** 0.5) < 0.001  # keeps the scale of z
    gamma, beta = torch.ones(2, 64), torch.zeros(2, 64)
    assert torch.equal(method.M[2].bias.view(2, 4, 64), torch.stack([torch.cat([gamma, beta])] * 2))
    e = torch.randn(2, 64, 8, 8)
    block = method.G.content[0]
    y = F.relu(F.instance_norm(F.conv2d(e, block.conv1.weight, padding=1)))
    y = e + F.instance_norm(F.conv2d(y, block.conv2.weight, padding=1))
    styles = method.M[2].bias.view(2, 4, 1, 64)[0].expand(-1, 2, -1)
    torch.testing.assert_close(block(e, list(styles[:2]), list(styles[2:])), y)


@pytest.mark.parametrize("channels", ["one", "features"])
def test_eq_6_9_and_6_10(channels):
    method = _small(attention_channels=channels)
    e, z, width = torch.randn(2, 16, 4, 4), torch.randn(2, 4), 16
    m = method.M[2](F.relu(method.M[0](z)))
    f, place = e, 0
    for block in method.G.content[:2]:  # the two that are conditional
        gammas = [m[:, place + i * width : place + (i + 1) * width, None, None] for i in (0, 1)]
        betas = [m[:, place + i * width : place + (i + 1) * width, None, None] for i in (2, 3)]
        place += 4 * width
        y = F.conv2d(f, block.conv1.weight, padding=1)
        y = F.relu(gammas[0] * F.instance_norm(y) + betas[0])
        f = f + gammas[1] * F.instance_norm(F.conv2d(y, block.conv2.weight, padding=1)) + betas[1]
    assert place == m.shape[1]
    f = method.G.content[2](f)
    a = e
    for block in method.G.attention[:3]:
        a = block(a)
    norm = method.G.attention[4]
    a = F.conv2d(a, method.G.attention[3].weight, padding=1)
    a = 1 / (1 + torch.exp(-F.instance_norm(a, weight=norm.weight, bias=norm.bias)))
    assert a.shape == (2, 1 if channels == "one" else 16, 4, 4)
    image, attention = method.G(e, method.M(z))
    torch.testing.assert_close(attention, a)
    torch.testing.assert_close(image, method.G.decoder((1 - a) * e + a * f), atol=1e-4, rtol=1e-4)


def test_without_attention_h_is_f():
    method = _small(attention=False, blocks=2)
    e, m = torch.randn(2, 16, 4, 4), torch.randn(2, 2 * 4 * 16)
    f = e
    for number, block in enumerate(method.G.content):
        parts = list(m.split(16, 1))[4 * number : 4 * number + 4]
        f = block(f, parts[:2], parts[2:])
    image, attention = method.G(e, m)
    assert attention is None
    torch.testing.assert_close(image, method.G.decoder(f))


@pytest.mark.parametrize("cin, scale_matters, shift_matters", [("both", 1, 1), ("gamma", 1, 0), ("beta", 0, 1)])
def test_only_the_chosen_part_of_cin_depends_on_the_latent_code(cin, scale_matters, shift_matters):
    method = _small(cin=cin)
    e, m = torch.randn(2, 16, 4, 4), torch.randn(2, 2 * 4 * 16)
    image = method.G(e, m)[0]
    for block in (0, 1):
        for part, matters in ((slice(0, 2), scale_matters), (slice(2, 4), shift_matters)):
            other = m.clone().view(2, 2, 4, 16)
            other[:, block, part] += 1
            assert torch.equal(method.G(e, other.view(2, -1))[0], image) == (not matters)


def test_without_cin_the_latent_code_changes_nothing_and_the_translator_has_no_style(batch):
    method, b = _small(cin="none", w_lat=0), batch(True)
    one, two = (method.translate(b.image, b.label, torch.randn(5, 4)) for _ in range(2))
    assert torch.equal(one, two)
    core = method.translator(dict(method.named_children()))
    assert core.style_dim == 0
    torch.testing.assert_close(core(b.image, b.label, core.sample_style(b.label))[0], one)


@pytest.mark.parametrize("exclusive", [True, False])
def test_d_losses(batch, exclusive):
    method, b = _small(exclusive), batch(exclusive)
    x, l_sc = b.image, b.label
    torch.manual_seed(3)
    losses = method.d_losses(b)
    torch.manual_seed(3)
    z, order = torch.randn(5, 4), torch.randperm(5)
    l_tg = l_sc[order]
    assert not torch.equal(l_tg, l_sc)
    y = method.G(_encode(method, x, l_tg), method.M(z))[0]
    assert losses.keys() == {"gan", "gp", "real", "lat"}
    torch.testing.assert_close(losses["gan"], method.D(y)[0].mean() - method.D(x)[0].mean())  # Eq. 6.1
    torch.testing.assert_close(losses["real"], _nll(method.D(x)[1], l_sc, exclusive))  # Eq. 6.4
    torch.testing.assert_close(losses["lat"], (method.D(y)[2] - z).abs().mean())  # Eq. 6.6
    mix = torch.rand(5, 1, 1, 1)
    between = (mix * x + (1 - mix) * y).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(method.D(between)[0].sum(), between)
    expected = ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
    torch.testing.assert_close(losses["gp"], expected)


@pytest.mark.parametrize("exclusive", [True, False])
def test_g_losses(batch, exclusive):
    method, b = _small(exclusive), batch(exclusive)
    x, l_sc = b.image, b.label
    torch.manual_seed(3)
    losses = method.g_losses(b)
    torch.manual_seed(3)
    z = torch.randn(5, 4)
    l_tg = l_sc[torch.randperm(5)]
    y = method.G(_encode(method, x, l_tg), method.M(z))[0]
    src, cls, z_rec = method.D(y)
    assert losses.keys() == {"gan", "fake", "rec", "lat"}
    torch.testing.assert_close(losses["gan"], -src.mean())  # Eq. 6.1
    torch.testing.assert_close(losses["fake"], _nll(cls, l_tg, exclusive))  # Eq. 6.3
    torch.testing.assert_close(losses["lat"], (z_rec - z).abs().mean())  # Eq. 6.6
    back = method.G(_encode(method, y, l_sc), method.M(z))[0]  # the same z both ways
    torch.testing.assert_close(losses["rec"], (x - back).abs().mean())  # Eq. 6.7


def test_full_objective_and_order(batch):
    method = _small(n_critic=3, w_gan=2, w_gp=7, w_real=3, w_fake=4, w_lat=5, w_rec=6)
    (stage,) = method.stages(100)
    d, g = stage.phases
    assert (stage.steps, d.name, d.updates, d.every, g.name, g.updates, g.every) == (100, "D", ["D"], 1, "G", ["G"], 3)
    assert d.weights == {"gan": 2, "gp": 7, "real": 3, "lat": 5}  # Eq. 6.8
    assert g.weights == {"gan": 2, "fake": 4, "rec": 6, "lat": 5}
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]
    off = _small(w_lat=0)
    for phase in off.stages(10)[0].phases:
        assert "lat" not in phase.weights and phase.losses(batch(True)).keys() == phase.weights.keys()


def test_lambda_lat_may_differ_in_d():
    d, g = _small(w_lat=5, w_lat_d=2).stages(10)[0].phases
    assert (d.weights["lat"], g.weights["lat"]) == (2, 5)
    assert all("lat" not in phase.weights for phase in _small(w_lat=0, w_lat_d=2).stages(10)[0].phases)


def test_identity_loss_is_an_addition(batch):
    method, b = _small(w_idt=3), batch(True)
    weight = method.stages(10)[0].phases[1].weights["idt"]
    assert [weight(step) for step in range(7)] == pytest.approx([3, 2.4, 1.8, 1.2, 0.6, 0, 0])
    assert "idt" not in method.stages(10)[0].phases[0].weights
    torch.manual_seed(3)
    losses = method.g_losses(b)
    torch.manual_seed(3)
    own = method.G(_encode(method, b.image, b.label), method.M(torch.randn(5, 4)))[0]
    torch.testing.assert_close(losses.pop("idt"), (b.image - own).abs().mean())
    plain = _small()
    plain.load_state_dict(method.state_dict())
    torch.manual_seed(3)
    without = plain.g_losses(b)
    assert losses.keys() == without.keys()
    for name, value in without.items():
        torch.testing.assert_close(losses[name], value)


def test_optimisers_hold_each_network_once():
    method = _small(lr=3e-4, betas=(0.1, 0.9))
    optimizers = method.optimizers()
    assert optimizers.keys() == {"G", "D"}
    for name, nets in (("G", (method.E, method.M, method.G)), ("D", (method.D,))):
        (group,) = optimizers[name].param_groups
        assert isinstance(optimizers[name], Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
        assert sorted(map(id, group["params"])) == sorted(id(p) for net in nets for p in net.parameters())


@pytest.mark.parametrize("channels", ["one", "features"])
def test_the_mask_has_the_size_of_the_image_and_lies_between_0_and_1(channels):
    method = _small(attention_channels=channels)
    core = method.translator(dict(method.named_children()))
    x, c, s = torch.randn(2, 3, 24, 36).clamp(-1, 1), torch.eye(3)[[0, 2]], torch.randn(2, 4)
    image, mask = core(x, c, s)
    assert core.style_dim == 4 and image.shape == x.shape and mask.shape == (2, 1, 24, 36)
    assert mask.min() >= 0 and mask.max() <= 1 and mask.std() > 0.01
    torch.testing.assert_close(image, method.translate(x, c, s))
    a = method.G(_encode(method, x, c), method.M(s))[1].mean(1, keepdim=True)
    torch.testing.assert_close(mask, F.interpolate(a, (24, 36), mode="bilinear"))


def test_without_attention_there_is_no_mask(batch):
    method, b = _small(attention=False), batch(True)
    core = method.translator(dict(method.named_children()))
    assert core(b.image, b.label, torch.randn(5, 4))[1] is None
    assert torch.equal(core.classify(b.image), method.D(b.image)[1])


@pytest.mark.parametrize("size, layers", [(18, 3), (16, 5)])
def test_a_size_that_does_not_fit_is_an_error(size, layers):
    with pytest.raises(ValueError, match=f"size {size}"), torch.device("meta"):
        SDIT(SDITConfig(width=1, d_layers=layers), Task(domains=("a", "b"), size=size))


@pytest.mark.parametrize("downs", [1, 3])
def test_any_image_keeps_its_size_at_any_depth(downs):
    method = _small(downs=downs)
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    assert method.M[2].out_features == 4 * (4 * 2**downs) * 2
    image, mask = translator.translate(torch.rand(1, 3, 21, 29), torch.eye(3)[:1], torch.zeros(1, 4))
    assert image.shape == (1, 3, 21, 29) and mask.shape == (1, 1, 21, 29)
