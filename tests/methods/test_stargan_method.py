"""StarGAN against its paper: Tables 4 and 5, and Eqs. 1 to 6 recomputed by hand from its networks."""

import copy

import pytest
import torch
from torch.optim import Adam

from dragoman.data.batch import Task
from dragoman.inference.translator import Translator
from dragoman.methods.stargan import StarGAN, StarGANConfig

TABLE_4 = [
    "conv 7 s1 p3 8-64 @128", "conv 4 s2 p1 64-128 @64", "conv 4 s2 p1 128-256 @32",
    *["conv 3 s1 p1 256-256 @32"] * 12,
    "up 4 s2 p1 256-128 @64", "up 4 s2 p1 128-64 @128", "conv 7 s1 p3 64-3 @128",
]  # fmt: skip

TABLE_5 = [
    "conv 4 s2 p1 3-64 @64", "conv 4 s2 p1 64-128 @32", "conv 4 s2 p1 128-256 @16",
    "conv 4 s2 p1 256-512 @8", "conv 4 s2 p1 512-1024 @4", "conv 4 s2 p1 1024-2048 @2",
    "conv 3 s1 p1 2048-1 @2", "conv 2 s1 p0 2048-5 @1",
]  # fmt: skip


def _published() -> StarGAN:
    with torch.device("meta"):
        return StarGAN(StarGANConfig(), Task(domains=tuple("abcde"), size=128, exclusive=False))


def _small(exclusive: bool, **changes) -> StarGAN:
    """A small one, with weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    config = StarGANConfig(width=4, blocks=1, d_layers=3, **changes)
    method = StarGAN(config, Task(domains=("a", "b", "c"), size=16, exclusive=exclusive))
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    return method


def _map(x, label):
    """The label beside the image, at every pixel."""
    return torch.cat([x, label[:, :, None, None] * torch.ones(1, 1, *x.shape[2:])], 1)


def _nll(logits, code, exclusive):
    """-log p(code | image) per image."""
    if exclusive:
        return -(logits.log_softmax(1) * code).sum(1).mean()
    p = torch.sigmoid(logits)
    return -(code * p.log() + (1 - code) * (1 - p).log()).sum(1).mean()


def test_defaults_are_the_published_values():
    assert StarGANConfig().model_dump() == {
        "width": 64, "downs": 2, "blocks": 6, "d_layers": 6, "n_critic": 5, "w_gp": 10, "w_cls": 1, "w_rec": 10,
        "lr": 1e-4, "betas": (0.5, 0.999),
    }  # fmt: skip


def test_table_4(layer_table):
    generator = _published().G
    assert layer_table(generator.to_empty(device="cpu"), torch.zeros(1, 8, 128, 128)) == TABLE_4
    convs = 49 * 8 * 64 + 16 * 64 * 128 + 16 * 128 * 256 + 6 * 2 * 9 * 256**2
    convs += 16 * 256 * 128 + 16 * 128 * 64 + 49 * 64 * 3
    norms = 2 * (64 + 128 + 256 + 6 * 2 * 256 + 128 + 64)
    assert sum(p.numel() for p in generator.parameters()) == convs + norms == 8_430_528


def test_table_5(layer_table):
    critic = _published().D
    assert layer_table(critic, torch.empty(2, 3, 128, 128, device="meta")) == TABLE_5
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * widths[n] * widths[n + 1] + widths[n + 1] for n in range(6))
    assert sum(p.numel() for p in critic.parameters()) == trunk + 9 * 2048 + 2 * 2 * 2048 * 5
    src, cls = critic(torch.empty(2, 3, 128, 128, device="meta"))
    assert src.shape == (2, 1, 2, 2) and cls.shape == (2, 5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_d_losses(batch, exclusive):
    method, b = _small(exclusive), batch(exclusive)
    x, c_org = b.image, b.label
    torch.manual_seed(3)
    losses = method.d_losses(b)
    torch.manual_seed(3)
    order = torch.randperm(5)
    assert not torch.equal(c_org[order], c_org)
    fake = method.G(_map(x, c_org[order]))
    assert losses.keys() == {"adv", "gp", "cls"}
    expected = method.D(fake)[0].mean() - method.D(x)[0].mean()  # Eq. 1 in the form of Eq. 8
    torch.testing.assert_close(losses["adv"], expected)
    torch.testing.assert_close(losses["cls"], _nll(method.D(x)[1], c_org, exclusive))  # Eq. 2
    mix = torch.rand(5, 1, 1, 1)
    between = (mix * x + (1 - mix) * fake).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(method.D(between)[0].sum(), between)
    expected = ((slope.square().sum((1, 2, 3)).sqrt() - 1) ** 2).mean()
    torch.testing.assert_close(losses["gp"], expected)


@pytest.mark.parametrize("exclusive", [True, False])
def test_g_losses(batch, exclusive):
    method, b = _small(exclusive), batch(exclusive)
    x, c_org = b.image, b.label
    torch.manual_seed(3)
    losses = method.g_losses(b)
    torch.manual_seed(3)
    c_trg = c_org[torch.randperm(5)]
    fake = method.G(_map(x, c_trg))
    assert losses.keys() == {"adv", "cls", "rec"}
    torch.testing.assert_close(losses["adv"], -method.D(fake)[0].mean())
    torch.testing.assert_close(losses["cls"], _nll(method.D(fake)[1], c_trg, exclusive))  # Eq. 3
    torch.testing.assert_close(losses["rec"], (x - method.G(_map(fake, c_org))).abs().mean())  # Eq. 4


def test_full_objective_and_order():
    method = _small(True, n_critic=3, w_gp=7, w_cls=2, w_rec=9)
    (stage,) = method.stages(100)
    d, g = stage.phases
    assert (stage.steps, d.name, d.updates, d.every, g.name, g.updates, g.every) == (100, "D", ["D"], 1, "G", ["G"], 3)
    assert d.weights == {"adv": 1, "gp": 7, "cls": 2}  # Eq. 5 and the penalty of Eq. 8
    assert g.weights == {"adv": 1, "cls": 2, "rec": 9}  # Eq. 6
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 49, 50, 75, 99)] == [1, 1, 1, 0.5, 0.02]


def test_optimisers_hold_each_network_once():
    method = _small(True, lr=3e-4, betas=(0.1, 0.9))
    optimizers = method.optimizers()
    assert optimizers.keys() == {"G", "D"}
    for name, optimizer in optimizers.items():
        (group,) = optimizer.param_groups
        assert isinstance(optimizer, Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
        assert {id(p) for p in group["params"]} == {id(p) for p in getattr(method, name).parameters()}


def test_translator_is_deterministic_and_uses_the_networks_it_is_given(batch):
    method, b = _small(True), batch(True)
    average = copy.deepcopy(method.G)
    torch.nn.init.zeros_(average[1][0].weight)
    core = method.translator({"G": average, "D": method.D})
    image, mask = core(b.image, b.label, torch.zeros(5, 0))
    assert core.style_dim == 0 and mask is None
    torch.testing.assert_close(image, average(_map(b.image, b.label)))
    assert not torch.equal(image, method.G(_map(b.image, b.label)))
    assert torch.equal(core.classify(b.image), method.D(b.image)[1])


@pytest.mark.parametrize("downs", [1, 3])
def test_any_image_keeps_its_size_at_any_depth(downs):
    method = _small(True, downs=downs)
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    image, _ = translator.translate(torch.rand(1, 3, 21, 29), torch.eye(3)[:1], torch.zeros(1, 0))
    assert image.shape == (1, 3, 21, 29)
