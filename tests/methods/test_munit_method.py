"""MUNIT against its paper: layers, and Eqs. 1 to 5 recomputed by hand from its networks."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch.optim import Adam

from dragoman.data.batch import Batch, Task
from dragoman.inference.translator import Translator
from dragoman.methods.munit import (
    MUNIT,
    ContentEncoder,
    Decoder,
    Discriminator,
    LayerNorm,
    MUNITConfig,
    StyleEncoder,
)
from dragoman.nn.blocks import ReflectResBlock

CONTENT = [
    "conv 7 s1 p3 3-64 @64", "conv 4 s2 p1 64-128 @32", "conv 4 s2 p1 128-256 @16",
    *["conv 3 s1 p1 256-256 @16"] * 8,
]  # fmt: skip

STYLE = [
    "conv 7 s1 p3 3-64 @64", "conv 4 s2 p1 64-128 @32", "conv 4 s2 p1 128-256 @16", "conv 4 s2 p1 256-256 @8",
    "conv 4 s2 p1 256-256 @4", "fc 256-8",
]  # fmt: skip

DECODER = [
    "fc 8-256", "fc 256-256", "fc 256-4096", *["conv 3 s1 p1 256-256 @16"] * 8,
    "conv 5 s1 p2 256-128 @32", "conv 5 s1 p2 128-64 @64", "conv 7 s1 p3 64-3 @64",
]  # fmt: skip

DISCRIMINATOR = [
    f"conv {kernel} s{kernel // 2 or 1} p{kernel // 4} {channels} @{size // 2**scale}"
    for scale in range(3)
    for kernel, channels, size in (
        (4, "3-64", 128), (4, "64-128", 64), (4, "128-256", 32), (4, "256-512", 16), (1, "512-1", 16)
    )
]  # fmt: skip

RESIDUAL = 2 * (9 * 256 * 256 + 256)


def _small(**changes) -> MUNIT:
    """A small one, with weights large enough that every term of every loss matters."""
    torch.manual_seed(0)
    sizes = {"width": 4, "downs": 1, "blocks": 2, "style_dim": 3, "scales": 2, "d_layers": 2}
    method = MUNIT(MUNITConfig(**sizes | changes), Task(domains=("a", "b"), size=16))
    for p in method.parameters():
        torch.nn.init.normal_(p, 0, 0.3)
    return method


@pytest.fixture
def batch() -> Batch:
    """Two images of each domain."""
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(11)) * 2 - 1
    return Batch(image=images, label=torch.eye(2).repeat_interleave(2, 0))


def _count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_defaults_are_the_published_values():
    assert MUNITConfig().model_dump() == {
        "width": 64, "downs": 2, "blocks": 4, "style_dim": 8, "scales": 3, "d_layers": 4, "w_x": 10, "w_c": 1, "w_s": 1,
        "w_cyc": 0, "lr": 1e-4, "halve_every": 100_000, "betas": (0.5, 0.999), "weight_decay": 1e-4,
    }  # fmt: skip


def test_layers_of_the_content_encoder(layer_table):
    net = ContentEncoder(3, MUNITConfig())
    assert layer_table(net, torch.zeros(1, 3, 64, 64)) == CONTENT
    strided = 16 * (64 * 128 + 128 * 256) + 128 + 256
    assert _count(net) == 49 * 3 * 64 + 64 + strided + 4 * RESIDUAL == 5_385_856


def test_layers_of_the_style_encoder(layer_table):
    net = StyleEncoder(3, MUNITConfig())
    assert layer_table(net, torch.zeros(1, 3, 64, 64)) == STYLE
    strided = 16 * (64 * 128 + 128 * 256 + 2 * 256 * 256) + 128 + 3 * 256
    assert _count(net) == 49 * 3 * 64 + 64 + strided + 256 * 8 + 8 == 2_764_936


def test_layers_of_the_decoder(layer_table):
    net = Decoder(3, MUNITConfig())
    assert layer_table(net, torch.zeros(1, 256, 16, 16), torch.zeros(1, 8)) == DECODER
    mlp = 8 * 256 + 256 + 256 * 256 + 256 + 256 * 4096 + 4096
    ups = 25 * (256 * 128 + 128 * 64) + 3 * (128 + 64)  # biases, and scales and shifts of LN
    assert _count(net) == mlp + 4 * RESIDUAL + ups + 49 * 64 * 3 + 3 == 6_875_395


def test_layers_of_the_discriminator(layer_table):
    net = Discriminator(3, MUNITConfig())
    assert layer_table(net, torch.zeros(1, 3, 256, 256)) == DISCRIMINATOR
    weights = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 512
    assert _count(net) == 3 * (weights + 64 + 128 + 256 + 512 + 1) == 8_271_171


def test_padding_and_norms():
    method = MUNIT(MUNITConfig(width=4, scales=1), Task(domains=("a", "b"), size=32))
    convs = [m for m in method.modules() if isinstance(m, torch.nn.Conv2d)]
    assert {m.padding_mode for m in convs if m.kernel_size != (1, 1)} == {"reflect"}
    kinds = {name: {type(m).__name__ for m in net.modules()} for name, net in method.named_children()}
    assert "PlainInstanceNorm" in kinds["E_c"] and "LayerNorm" in kinds["G"]
    assert not any("Norm" in kind for name in ("E_s", "D") for kind in kinds[name])


def test_layer_norm():
    torch.manual_seed(0)
    drawn = LayerNorm(1000)
    assert drawn.gamma.min() >= 0 and drawn.gamma.max() <= 1 and abs(drawn.gamma.mean() - 0.5) < 0.05
    assert (drawn.beta == 0).all()
    norm, x = LayerNorm(3), torch.randn(2, 3, 4, 5) * 2 + 1
    x[1] *= 1e-5  # where eps shows
    torch.nn.init.normal_(norm.beta)
    for n, one in enumerate(x.double()):
        mean = one.sum() / 60
        std = ((one - mean).square().sum() / 59).sqrt()
        for c in range(3):
            expected = norm.gamma[c, 0, 0] * (one[c] - mean) / (std + 1e-5) + norm.beta[c, 0, 0]
            torch.testing.assert_close(norm(x)[n, c].double(), expected.double(), atol=1e-5, rtol=1e-5)
    assert norm(x.bfloat16()).dtype == torch.bfloat16


def test_residual_block_with_adaptive_norms():
    torch.manual_seed(0)
    block, x = ReflectResBlock(4), torch.randn(2, 4, 5, 7)
    gamma, beta = [torch.randn(2, 4) for _ in range(2)], [torch.randn(2, 4) for _ in range(2)]
    y = F.instance_norm(F.conv2d(F.pad(x, [1] * 4, mode="reflect"), block.conv1.weight, block.conv1.bias))
    y = F.relu(y * gamma[0][:, :, None, None] + beta[0][:, :, None, None])
    y = F.instance_norm(F.conv2d(F.pad(y, [1] * 4, mode="reflect"), block.conv2.weight, block.conv2.bias))
    torch.testing.assert_close(block(x, gamma, beta), x + y * gamma[1][:, :, None, None] + beta[1][:, :, None, None])


def test_decoder():
    """Each block reads four of the MLP's outputs of its own."""
    net = _small().G[0]
    c, s = torch.randn(2, 8, 8, 8), torch.randn(2, 3)
    m = net.mlp(s).view(2, 2, 4, 8)
    y = c
    for n, block in enumerate(net.blocks):
        y = block(y, [m[:, n, 0], m[:, n, 1]], [m[:, n, 2], m[:, n, 3]])
    conv, norm, last = net.ups[1], net.ups[2], net.ups[4]
    y = F.pad(y.repeat_interleave(2, 2).repeat_interleave(2, 3), [2] * 4, mode="reflect")
    y = F.relu(norm(F.conv2d(y, conv.weight, conv.bias)))
    y = torch.tanh(F.conv2d(F.pad(y, [3] * 4, mode="reflect"), last.weight, last.bias))
    torch.testing.assert_close(net(c, s), y)


def test_style_encoder_ends_in_the_mean_over_the_pixels():
    net, x = _small().E_s[0], torch.randn(2, 3, 16, 16)
    h = torch.nn.Sequential(*list(net)[:-3])(x)
    torch.testing.assert_close(net(x), h.mean((2, 3)) @ net[-1].weight.T + net[-1].bias)


def test_discriminator_sees_every_scale():
    net, x = _small().D[0], torch.randn(2, 3, 16, 16)
    full, half = net(x)
    torch.testing.assert_close(full, net[0](x))
    ones = F.pad(torch.ones_like(x), [1] * 4)
    sums = F.avg_pool2d(F.pad(x, [1] * 4), 3, 2) / F.avg_pool2d(ones, 3, 2)  # the mean of what is inside
    torch.testing.assert_close(half, net[1](sums))
    h = F.leaky_relu(F.conv2d(F.pad(x, [1] * 4, mode="reflect"), net[0][0].weight, net[0][0].bias, 2), 0.2)
    torch.testing.assert_close(torch.nn.Sequential(*list(net[0])[:2])(x), h)


def _styles() -> list[torch.Tensor]:
    """What the losses draw after seed 3."""
    torch.manual_seed(3)
    return [torch.randn(2, 3), torch.randn(2, 3)]


def test_d_losses(batch):
    method = _small()
    x1, x2 = batch.image[:2], batch.image[2:]
    s1, s2 = _styles()
    torch.manual_seed(3)
    losses = method.d_losses(batch)
    (E1, E2), (G1, G2), (D1, D2) = method.E_c, method.G, method.D
    expected = 0
    for D, real, fake in ((D1, x1, G1(E2(x2), s1)), (D2, x2, G2(E1(x1), s2))):
        for scale in (0, 1):
            expected = expected + ((D(real)[scale] - 1) ** 2).mean() + (D(fake)[scale] ** 2).mean()
    assert losses.keys() == {"adv"}
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 4 as least squares


def test_g_losses(batch):
    method = _small(w_cyc=1)
    x1, x2 = batch.image[:2], batch.image[2:]
    s1, s2 = _styles()
    torch.manual_seed(3)
    losses = method.g_losses(batch)
    (C1, C2), (S1, S2), (G1, G2), (D1, D2) = method.E_c, method.E_s, method.G, method.D
    c1, c2, x12, x21 = C1(x1), C2(x2), G2(C1(x1), s2), G1(C2(x2), s1)

    def l1(a, b):
        return (a - b).abs().mean()

    assert losses.keys() == {"adv", "rec", "rec_c", "rec_s", "cyc"}
    torch.testing.assert_close(losses["rec"], l1(G1(c1, S1(x1)), x1) + l1(G2(c2, S2(x2)), x2))  # Eq. 1
    torch.testing.assert_close(losses["rec_c"], l1(C2(x12), c1) + l1(C1(x21), c2))  # Eq. 2
    torch.testing.assert_close(losses["rec_s"], l1(S2(x12), s2) + l1(S1(x21), s1))  # Eq. 3
    expected = sum(((y - 1) ** 2).mean() for y in [*D2(x12), *D1(x21)])
    torch.testing.assert_close(losses["adv"], expected)  # Eq. 4 as least squares
    torch.testing.assert_close(losses["cyc"], l1(G1(C2(x12), S1(x1)), x1) + l1(G2(C1(x21), S2(x2)), x2))


def test_full_objective_and_order(batch):
    method = _small(w_x=7, w_c=2, w_s=3, halve_every=10)
    (stage,) = method.stages(100)
    d, g = stage.phases
    assert (stage.steps, d.name, d.updates, d.every, g.name, g.updates, g.every) == (100, "D", ["D"], 1, "G", ["G"], 1)
    assert d.weights == {"adv": 1}
    assert g.weights == {"adv": 1, "rec": 7, "rec_c": 2, "rec_s": 3}  # Eq. 5
    assert method.g_losses(batch).keys() == g.weights.keys()
    assert _small(w_cyc=4).stages(10)[0].phases[1].weights["cyc"] == 4
    for phase in (d, g):
        assert [phase.lr(step) for step in (0, 9, 10, 20, 35)] == [1, 1, 0.5, 0.25, 0.125]


def test_optimisers_hold_each_network_once():
    method = _small(lr=3e-4, betas=(0.1, 0.9), weight_decay=0.2)
    optimizers = method.optimizers()
    assert optimizers.keys() == {"G", "D"}
    for name, nets in (("G", (method.E_c, method.E_s, method.G)), ("D", (method.D,))):
        (group,) = optimizers[name].param_groups
        assert isinstance(optimizers[name], Adam)
        assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-4, (0.1, 0.9), 0.2)
        assert [id(p) for p in group["params"]] == [id(p) for net in nets for p in net.parameters()]


@pytest.mark.parametrize("width, std", [(64, 0.02), (16, 0.04)])
def test_initial_weights(width, std):
    torch.manual_seed(0)
    method = MUNIT(MUNITConfig(width=width, blocks=1, scales=1, d_layers=2), Task(domains=("a", "b"), size=16))
    layers = (torch.nn.Conv2d, torch.nn.Linear)
    for name, net in method.named_children():
        for layer in (m for m in net.modules() if isinstance(m, layers)):
            fan_in = layer.weight[0].numel()
            expected = std if name == "D" else (2 / fan_in) ** 0.5
            # Of as many draws, within five times what the estimate varies by.
            assert abs(layer.weight.std() / expected - 1) < 5 / (2 * layer.weight.numel()) ** 0.5
            assert (layer.bias == 0).all()


def test_translator_goes_the_way_the_code_says_with_the_networks_it_is_given(batch):
    method = _small()
    nets = {name: copy.deepcopy(net) for name, net in method.named_children()}
    for name in ("E_c", "E_s", "G"):
        for p in nets[name].parameters():
            torch.nn.init.normal_(p, 0, 0.3)
    core, c, s = method.translator(nets), torch.eye(2)[[1, 0, 1, 0]], torch.randn(4, 3)
    image, mask = core(batch.image, c, s)
    assert core.style_dim == 3 and core.one_way and mask is None
    style = core.encode_style(batch.image, c)
    for n, target in enumerate((1, 0, 1, 0)):
        x = batch.image[n : n + 1]
        expected = nets["G"][target](nets["E_c"][1 - target](x), s[n : n + 1])
        torch.testing.assert_close(image[n : n + 1], expected)
        torch.testing.assert_close(style[n : n + 1], nets["E_s"][target](x))
    assert not torch.allclose(image, method.translator(dict(method.named_children()))(batch.image, c, s)[0])


def test_styles_are_drawn_from_the_normal_distribution():
    core = (method := _small()).translator(dict(method.named_children()))
    drawn = core.sample_style(torch.eye(2).repeat(5000, 1), torch.Generator().manual_seed(0))
    assert drawn.shape == (10_000, 3) and drawn.mean().abs() < 0.03 and abs(drawn.std() - 1) < 0.03


@pytest.mark.parametrize("downs", [0, 1, 2])
def test_any_image_keeps_its_size_and_any_exemplar_has_a_style_at_any_depth(downs):
    method = _small(downs=downs)
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    code = torch.eye(2)[0]
    style = translator.style(code, exemplar=torch.rand(3, 5, 9))
    image, _ = translator.translate(torch.rand(1, 3, 21, 29), code[None], style[None])
    assert style.shape == (3,) and image.shape == (1, 3, 21, 29)


@pytest.mark.parametrize("size, scales, layers", [(18, 1, 2), (16, 2, 4), (28, 3, 3)])
def test_a_size_that_does_not_fit_is_an_error(size, scales, layers):
    with pytest.raises(ValueError, match=f"size {size}"):
        MUNIT(MUNITConfig(width=1, scales=scales, d_layers=layers), Task(domains=("a", "b"), size=size))


@pytest.mark.parametrize("size, scales, layers", [(16, 2, 3), (28, 2, 3), (28, 1, 4), (20, 3, 2)])
def test_the_smallest_images_leave_something_at_every_scale(size, scales, layers):
    net = Discriminator(1, MUNITConfig(width=1, scales=scales, d_layers=layers))
    assert all(y.shape[2] >= 1 for y in net(torch.zeros(1, 1, size, size)))


@pytest.mark.parametrize("domains, exclusive", [("abc", True), ("a", True), ("ab", False)])
def test_anything_but_two_domains_is_an_error(domains, exclusive):
    task = Task(domains=tuple(domains), size=64, exclusive=exclusive)
    with pytest.raises(ValueError, match="needs two domains, got "):
        MUNIT(MUNITConfig(width=1), task)
