"""WCT against its paper: layers, and Eqs. 1 to 4 recomputed by hand from its networks."""

import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.optim import Adam

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.methods.wct import CUT, WCT, WCTConfig, mean_covariance, power, whiten_and_colour

BLOCKS = [
    ["conv 3 s1 p1 512-512 @4", *["conv 3 s1 p1 512-512 @8"] * 3],
    ["conv 3 s1 p1 512-256 @8", *["conv 3 s1 p1 256-256 @16"] * 3],
    ["conv 3 s1 p1 256-128 @16", "conv 3 s1 p1 128-128 @32"],
    ["conv 3 s1 p1 128-64 @32", "conv 3 s1 p1 64-64 @64"],
    ["conv 3 s1 p1 64-3 @64"],
]

COUNTS = {"5": 12_944_451, "4": 3_505_219, "3": 555_075, "2": 112_451, "1": 1_731}


def _small(**changes) -> WCT:
    torch.manual_seed(0)
    settings = {"encoder": "random", "levels": (3, 1), "enlarge": 2, "exemplars": 4}
    return WCT(WCTConfig(**settings | changes), Task(domains=("a", "b", "c"), size=16))


def _correlated(channels, pixels, seed):
    """Features [1, C, 1, pixels] of a full covariance."""
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(channels, channels))
    f = mix @ generator.normal(size=(channels, pixels)) + generator.normal(size=(channels, 1))
    return torch.from_numpy(f).float()[None, :, None]


def _transform(f, style):
    """Eqs. 2 and 3 in numpy, of single feature maps [C, h, w]."""
    x, y = (g.detach().numpy().astype(np.float64).reshape(len(g), -1) for g in (f, style))
    x, m = x - x.mean(1, keepdims=True), y.mean(1, keepdims=True)
    y = y - m
    d_c, e_c = np.linalg.eigh(x @ x.T / x.shape[1])
    d_s, e_s = np.linalg.eigh(y @ y.T / y.shape[1])
    keep_c, keep_s = d_c > CUT * d_c.max(), d_s > CUT * d_s.max()
    d_c, e_c, d_s, e_s = d_c[keep_c], e_c[:, keep_c], d_s[keep_s], e_s[:, keep_s]
    whitened = e_c @ np.diag(d_c**-0.5) @ e_c.T @ x
    return torch.from_numpy(e_s @ np.diag(d_s**0.5) @ e_s.T @ whitened + m).float().view_as(f)


def test_defaults_are_the_published_values():
    assert WCTConfig().model_dump() == {
        "encoder": "vgg19", "levels": (5, 4, 3, 2, 1), "enlarge": 1, "alpha": 1, "exemplars": 16, "w_feature": 1,
        "lr": 1e-4, "betas": (0.9, 0.999),
    }  # fmt: skip


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_layers_of_each_decoder(layer_table, level):
    with torch.device("meta"):
        method = WCT(WCTConfig(), Task(domains=("a", "b"), size=256))
    decoder, side = method.decoders[str(level)], 64 >> (level - 1)
    f = torch.zeros(1, method.encoder.widths[level - 1], side, side)
    assert layer_table(decoder.to_empty(device="cpu"), f) == [line for block in BLOCKS[5 - level :] for line in block]
    assert sum(p.numel() for p in decoder.parameters()) == COUNTS[str(level)]


def test_levels_are_given_coarse_to_fine():
    assert WCTConfig(levels=(4, 2)).levels == (4, 2)
    for wrong in ((), (1, 2), (3, 3), (6, 5), (1, 0)):
        with pytest.raises(ValidationError, match="levels must be different numbers from 5 to 1, coarse to fine"):
            WCTConfig(levels=wrong)


def test_mean_and_covariance():
    f = torch.cat([_correlated(4, 50, 0), _correlated(4, 50, 1)])
    found = mean_covariance(f)
    assert found.shape == (2, 4 + 10)
    for g, style in zip(f[:, :, 0], found, strict=True):
        covariance = np.cov(g.numpy(), bias=True)
        expected = [*g.mean(1).tolist(), *(covariance[i, j].item() for i in range(4) for j in range(i + 1))]
        torch.testing.assert_close(style, torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_the_result_has_the_mean_and_covariance_of_the_style():
    f, style = _correlated(6, 80, 2), _correlated(6, 60, 3)
    result = whiten_and_colour(f, mean_covariance(style))
    torch.testing.assert_close(mean_covariance(result), mean_covariance(style), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(result[0], _transform(f[0], style[0]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whiten_and_colour(f, mean_covariance(f)), f, rtol=1e-4, atol=1e-4)


def test_fewer_pixels_than_channels():
    """Directions without any variance are left out instead of divided by."""
    f, style = _correlated(8, 5, 4), _correlated(8, 4, 5)
    result = whiten_and_colour(f, mean_covariance(style))
    torch.testing.assert_close(result[0], _transform(f[0], style[0]), rtol=1e-3, atol=1e-3)
    flat = torch.full((1, 8, 2, 2), 3.0)
    expected = mean_covariance(style)[:, :8, None, None].expand(1, 8, 2, 2)
    torch.testing.assert_close(whiten_and_colour(flat, mean_covariance(style)), expected)


def test_the_cut():
    turn, _ = torch.linalg.qr(torch.rand(3, 3, dtype=torch.float64))
    for share, kept in ((2 * CUT, (2 * CUT * 9) ** -0.5), (CUT / 2, 0.0)):
        covariance = turn @ torch.diag(torch.tensor([9.0, 4.0, 9 * share]).double()) @ turn.T
        expected = turn @ torch.diag(torch.tensor([1 / 3, 1 / 2, kept]).double()) @ turn.T
        torch.testing.assert_close(power(covariance[None], -0.5)[0], expected, rtol=1e-5, atol=1e-5)


def test_autocast_does_not_reach_the_transform():
    f, style = _correlated(6, 80, 2), mean_covariance(_correlated(6, 60, 3))
    with torch.autocast("cpu", torch.bfloat16):
        inside = whiten_and_colour(f, style)
    assert torch.equal(inside, whiten_and_colour(f, style))


def test_losses(batch):
    method, b = _small(), batch(True)
    losses = method.losses(b)
    x = torch.nn.functional.interpolate(b.image, (32, 32), mode="bilinear", align_corners=False)
    rec = feature = 0
    for level in (3, 1):
        phi = method.encoder(x, level)[-1]
        y = method.decoders[str(level)](phi)
        rec = rec + (y - x).square().mean()
        feature = feature + (method.encoder(y, level)[-1] - phi).square().mean()
    assert losses.keys() == {"rec", "feature"}
    torch.testing.assert_close(losses["rec"], rec)  # Eq. 1
    torch.testing.assert_close(losses["feature"], feature)


def test_full_objective_and_optimiser():
    method = _small(w_feature=7, lr=3e-4, betas=(0.1, 0.9))
    (stage,) = method.stages(100)
    (phase,) = stage.phases
    assert (stage.steps, phase.updates, phase.weights) == (100, ["decoders"], {"rec": 1, "feature": 7})  # Eq. 1
    (optimizer,) = method.optimizers().values()
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
    assert [id(p) for p in group["params"]] == [id(p) for p in method.decoders.parameters()]


@pytest.mark.parametrize("alpha", [0, 0.4, 1])
def test_translation_stylises_what_the_last_level_gave(batch, alpha):
    method, b = _small(alpha=alpha, enlarge=1), batch(True)
    average = copy.deepcopy(method.decoders)
    torch.nn.init.normal_(average["1"][-1].bias)
    core = method.translator({"encoder": method.encoder, "decoders": average, "bank": method.bank})
    x, exemplar = b.image[:2], b.image[2:4]
    s = core.encode_style(exemplar, b.label[2:4])
    image, mask = core(x, b.label[2:4], s)
    assert mask is None and s.shape == (2, core.style_dim)
    for n in (0, 1):
        y = x[n : n + 1]
        for level in (3, 1):
            f, style = (method.encoder(i, level)[-1] for i in (y, exemplar[n : n + 1]))
            y = average[str(level)](alpha * _transform(f[0], style[0])[None] + (1 - alpha) * f)  # Eq. 4
        torch.testing.assert_close(image[n], y[0].clamp(-1, 1), rtol=1e-3, atol=1e-3)


def test_a_style_without_an_exemplar_is_one_of_the_target_domain(batch):
    method, b = _small(), batch(True)
    method.losses(b)
    core = method.translator(dict(method.named_children()))
    own = core.encode_style(b.image, b.label)
    for seed in range(5):
        s = core.sample_style(b.label, torch.Generator().manual_seed(seed))
        near = (s[:, None] - own).abs().amax(2).argmin(1)
        assert torch.equal(b.label[near], b.label)
        torch.testing.assert_close(s, own[near])


def test_weights_are_read_when_training_starts_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (stage,) = _small(encoder="vgg19_distilled").stages(10)
    with pytest.raises(UserError, match=r"no weights/vgg19_distilled16x_enc_relu5_1.*or take --method.encoder vgg19"):
        stage.enter(None)
    _small().stages(10)[0].enter(None)


def test_sizes():
    with pytest.raises(ValueError, match="size 16 must be a multiple of 16 and at least 32 for relu5_1 and enlarge 1"):
        WCT(WCTConfig(), Task(domains=("a",), size=16))
    method = WCT(WCTConfig(encoder="random"), Task(domains=("a",), size=32))
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    image, _ = translator.translate(torch.rand(1, 3, 21, 9), torch.ones(1, 1), torch.rand(1, translator.core.style_dim))
    assert image.shape == (1, 3, 21, 9)
