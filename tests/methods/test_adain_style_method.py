"""AdaIN style transfer against its paper: layers, and Eqs. 8 to 14 recomputed by hand from its networks."""

import copy

import pytest
import torch
from torch.optim import Adam

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.methods.adain_style import AdaINStyle, AdaINStyleConfig, adain, mean_std

ENCODER = [
    "conv 3 s1 p1 3-64 @64", "conv 3 s1 p1 64-64 @64", "conv 3 s1 p1 64-128 @32", "conv 3 s1 p1 128-128 @32",
    "conv 3 s1 p1 128-256 @16", *["conv 3 s1 p1 256-256 @16"] * 3, "conv 3 s1 p1 256-512 @8",
]  # fmt: skip

DECODER = [
    "conv 3 s1 p1 512-256 @8", *["conv 3 s1 p1 256-256 @16"] * 3, "conv 3 s1 p1 256-128 @16",
    "conv 3 s1 p1 128-128 @32", "conv 3 s1 p1 128-64 @32", "conv 3 s1 p1 64-64 @64", "conv 3 s1 p1 64-3 @64",
]  # fmt: skip


def _small(**changes) -> AdaINStyle:
    torch.manual_seed(0)
    settings = {"encoder": "random", "level": 3, "enlarge": 2, "exemplars": 4}
    return AdaINStyle(AdaINStyleConfig(**settings | changes), Task(domains=("a", "b", "c"), size=16))


def _moments(f):
    """The mean and standard deviation of every channel."""
    mean = f.flatten(2).sum(2) / f[0, 0].numel()
    variance = (f.flatten(2) - mean[:, :, None]).square().sum(2) / f[0, 0].numel()
    return mean, (variance + 1e-5).sqrt()


def _adain(f, mean, std):
    """Eq. 8."""
    own, spread = _moments(f)
    return std[..., None, None] * (f - own[..., None, None]) / spread[..., None, None] + mean[..., None, None]


def test_defaults_are_the_published_values():
    assert AdaINStyleConfig().model_dump() == {
        "encoder": "vgg19", "level": 4, "enlarge": 1, "alpha": 1, "exemplars": 64, "w_style": 10, "lr": 1e-4,
        "lr_decay": 5e-5, "betas": (0.9, 0.999),
    }  # fmt: skip


def test_layers(layer_table):
    with torch.device("meta"):
        method = AdaINStyle(AdaINStyleConfig(), Task(domains=("a", "b"), size=256))
    assert layer_table(method.encoder.to_empty(device="cpu"), torch.zeros(1, 3, 64, 64)) == ENCODER
    assert layer_table(method.decoder.to_empty(device="cpu"), torch.zeros(1, 512, 8, 8)) == DECODER
    widths = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), *[(256, 256)] * 3, (256, 512)]
    assert sum(p.numel() for p in method.encoder.parameters()) == sum(9 * i * o + o for i, o in widths) == 3_505_728
    assert sum(p.numel() for p in method.decoder.parameters()) == sum(9 * i * o + i for i, o in widths) == 3_505_219


def test_adain_gives_the_moments_of_the_style():
    f, style = torch.rand(2, 5, 6, 7) ** 2, torch.rand(2, 5, 4, 4) * 3
    for found, expected in zip(mean_std(style), _moments(style), strict=True):
        torch.testing.assert_close(found, expected)
    t = adain(f, *mean_std(style))
    torch.testing.assert_close(t, _adain(f, *_moments(style)))
    for found, expected in zip(_moments(t), _moments(style), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(adain(f, *mean_std(f)), f, rtol=1e-5, atol=1e-5)
    assert all(m.dtype == torch.float32 for m in mean_std(f.bfloat16()))


def test_losses(batch):
    method, b = _small(), batch(True)
    torch.manual_seed(3)
    losses = method.losses(b)
    torch.manual_seed(3)
    order = torch.randperm(5)
    assert not torch.equal(order, torch.arange(5))
    big = torch.nn.functional.interpolate(b.image, (32, 32), mode="bilinear", align_corners=False)
    content, style = method.encoder(big), method.encoder(big[order])
    t = _adain(content[-1], *_moments(style[-1]))  # Eq. 9
    found = method.encoder(method.decoder(t))  # Eq. 10
    assert losses.keys() == {"content", "style"}
    torch.testing.assert_close(losses["content"], (found[-1] - t).square().mean())  # Eq. 12
    terms = [(a - b).square().mean() for f, s in zip(found, style, strict=True)
             for a, b in zip(_moments(f), _moments(s), strict=True)]  # fmt: skip
    assert len(terms) == 6
    torch.testing.assert_close(losses["style"], sum(terms))  # Eq. 13


def test_losses_keep_the_styles(batch):
    method, b = _small(), batch(True)
    method.losses(b)
    expected = method.translator(dict(method.named_children())).encode_style(b.image, b.label)
    assert method.bank.count.tolist() == [2, 2, 1]
    for n, (domain, place) in enumerate([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]):
        torch.testing.assert_close(method.bank.styles[domain, place], expected[n])


def test_full_objective_and_order():
    method = _small(w_style=7, lr_decay=0.5)
    (stage,) = method.stages(100)
    (phase,) = stage.phases
    assert (stage.steps, phase.updates, phase.weights) == (100, ["decoder"], {"content": 1, "style": 7})  # Eq. 11
    assert [phase.lr(step) for step in (0, 2, 6)] == [1, 1 / 2, 1 / 4]
    assert method.frozen == ("encoder",)


def test_the_optimiser_holds_the_decoder():
    method = _small(lr=3e-4, betas=(0.1, 0.9))
    (optimizer,) = method.optimizers().values()
    (group,) = optimizer.param_groups
    assert isinstance(optimizer, Adam) and (group["lr"], group["betas"]) == (3e-4, (0.1, 0.9))
    assert [id(p) for p in group["params"]] == [id(p) for p in method.decoder.parameters()]


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_translation_is_the_decoded_mix(batch, alpha):
    method, b = _small(alpha=alpha, enlarge=1, level=2), batch(True)
    average = copy.deepcopy(method.decoder)
    torch.nn.init.normal_(average[-1].bias)
    core = method.translator({"encoder": method.encoder, "decoder": average, "bank": method.bank})
    s = core.encode_style(b.image.flip(0), b.label)
    f, style = method.encoder(b.image)[-1], method.encoder(b.image.flip(0))[-1]
    torch.testing.assert_close(s, torch.cat(_moments(style), 1))
    t = (1 - alpha) * f + alpha * _adain(f, *_moments(style))  # Eq. 14
    image, mask = core(b.image, b.label, s)
    assert mask is None and s.shape == (5, core.style_dim)
    torch.testing.assert_close(image, average(t).clamp(-1, 1))


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
    with pytest.raises(ValueError, match="size 18 must be a multiple of 4 and at least 16 for relu3_1 and enlarge 1"):
        AdaINStyle(AdaINStyleConfig(level=3), Task(domains=("a",), size=18))
    method = _small()
    translator = Translator(method.translator(dict(method.named_children())), method.task)
    image, _ = translator.translate(torch.rand(1, 3, 21, 29), torch.eye(3)[:1], torch.rand(1, 128))
    assert image.shape == (1, 3, 21, 29)
