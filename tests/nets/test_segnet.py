"""SegNet in halves against thesis Tables A.3 to A.6."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dragoman.nets import segnet
from dragoman.nets.frozen import MEAN, STD, frozen
from dragoman.nets.vgg import VGG16

BODY = 14_714_688 - 1792 - 4224  # VGG16's convolutions without the first and without biases
NORMS = 2 * 4224
WEIGHTS = Path(os.environ.get("DRAGOMAN_DATA", "nowhere")) / "weights" / "vgg19_distilled16x_enc_relu5_1.safetensors"


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def outputs(net: nn.Module, kind: type[nn.Module], x: object) -> tuple[list[list[int]], object]:
    """[channels, height] of what leaves each layer of a kind, and what leaves the network."""
    seen: list[list[int]] = []
    for layer in net.modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(lambda _, __, out: seen.append([out.shape[1], out.shape[2]]))
    y = net(x)
    return seen, y


@pytest.mark.parametrize(("channels", "parameters"), [(1, 14_717_760), (13, 14_724_672), (14, 14_725_248)])
def test_the_encoders_of_table_a3(channels, parameters):
    with torch.device("meta"):
        net = segnet.encoder(channels, 64, VGG16, "indices")
        assert count(net) == parameters == BODY + 64 + 9 * 64 * channels + NORMS
        shapes, (code, indices) = outputs(net, nn.Conv2d, torch.empty(6, channels, 256, 256))
    table = [[64, 256]] * 2 + [[128, 128]] * 2 + [[256, 64]] * 3 + [[512, 32]] * 3 + [[512, 16]] * 3
    assert shapes == table
    assert code.shape == (6, 512, 8, 8)
    assert [list(i.shape[1:3]) for i in indices] == [[64, 128], [128, 64], [256, 32], [512, 16], [512, 8]]
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert all((m.kernel_size, m.stride, m.padding) == ((3, 3), (1, 1), (1, 1)) for m in convs)


def test_the_rgb_encoder_is_vgg16_without_norms():
    with torch.device("meta"):
        net = segnet.colour_encoder("vgg16", 64, VGG16, "indices")
        assert count(net) == 14_714_688
        assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
        assert net(torch.empty(2, 3, 256, 256))[0].shape == (2, 512, 8, 8)
        random = segnet.colour_encoder("random", 64, VGG16, "indices")
        assert count(random) == 14_714_688 - 4224 + NORMS


@pytest.mark.parametrize(("channels", "parameters"), [(1, 14_716_737), (13, 14_723_661), (14, 14_724_238)])
def test_the_decoders_of_table_a4(channels, parameters):
    with torch.device("meta"):
        net = segnet.Decoder(channels, 64, VGG16, "indices")
        assert count(net) == parameters
        code = segnet.encoder(1, 64, VGG16, "indices")(torch.empty(6, 1, 256, 256))
        shapes, _ = outputs(net, nn.Conv2d, code)
    table = [[512, 16]] * 3 + [[512, 32]] * 2 + [[256, 32]] + [[256, 64]] * 2 + [[128, 64]]
    assert shapes == [*table, [128, 128], [64, 128], [64, 256], [channels, 256]]
    layers = [m for m in net.modules() if not isinstance(m, nn.ModuleList | nn.Sequential | segnet.Decoder)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in layers) == sum(isinstance(m, nn.ReLU) for m in layers) == 12
    assert isinstance(layers[-1], nn.Conv2d)


def test_the_rgb_decoder_of_table_a5():
    with torch.device("meta"):
        net = segnet.ColourDecoder(64, 5, "indices")
        shapes, y = outputs(net, nn.ConvTranspose2d, (torch.empty(6, 512, 8, 8), []))
    assert y.shape == (6, 3, 256, 256)
    assert shapes == [[512, 16], [256, 32], [128, 64], [64, 128], [3, 256]]
    weights = 25 * (512 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert count(net) == 10_861_123 == weights + 3 + 2 * (512 + 256 + 128 + 64)


def test_the_discriminator_of_table_a6():
    with torch.device("meta"):
        net = segnet.Discriminator(64, 4)
        shapes, _ = outputs(net, nn.Conv2d, torch.empty(6, 3, 256, 256))
    assert shapes == [[64, 128], [128, 64], [256, 32], [512, 16], [1, 16]]
    assert count(net) == 4_308_033 == 25 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 2 * 960 + 513


@pytest.mark.parametrize("side", ["indices", "skip", "none"])
def test_side_information_comes_from_the_source_encoder(side):
    """Indices: unpooling puts the values where that encoder found its largest. Skip: its features are joined."""
    torch.manual_seed(0)
    a, b = (segnet.encoder(c, 4, (1, 2), side) for c in (1, 3))
    decoder = segnet.Decoder(2, 4, (1, 2), side).eval()
    (h, of_a), (_, of_b) = a(torch.randn(2, 1, 8, 8)), b(torch.randn(2, 3, 8, 8))
    y = decoder((h, of_a))
    assert y.shape == (2, 2, 8, 8)
    if side == "none":
        assert not of_a and not of_b
        return
    assert [s.shape for s in of_a] == [s.shape for s in of_b]
    assert not torch.equal(y, decoder((h, of_b)))
    seen = []
    decoder.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    decoder((h, of_a))
    if side == "skip":
        assert torch.equal(seen[0], torch.cat([F.interpolate(h, scale_factor=2), of_a[-1]], 1))
    else:
        assert torch.equal(seen[0].flatten(2).gather(2, of_a[-1].flatten(2)), h.flatten(2))
        assert torch.equal(seen[0].flatten(2).sum(2), h.flatten(2).sum(2)) or torch.allclose(seen[0].sum(), h.sum())


def test_the_rgb_decoder_takes_skip_connections_but_no_indices():
    """4.4.2 leaves out indices only."""
    net = segnet.ColourDecoder(4, 3, "indices").eval()
    h, indices = segnet.encoder(1, 4, (1, 1, 2), "indices")(torch.randn(2, 1, 8, 8))
    assert torch.equal(net((h, indices)), net((h, [])))
    net, seen = segnet.ColourDecoder(4, 3, "skip").eval(), []
    h, features = segnet.encoder(1, 4, (1, 1, 2), "skip")(torch.randn(2, 1, 8, 8))
    for block in net.blocks:
        block.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    assert net((h, features)).shape == (2, 3, 8, 8)
    assert torch.equal(seen[0], h)
    assert torch.equal(seen[1][:, 8:], features[2]) and torch.equal(seen[2][:, 4:], features[1])


def test_the_rgb_encoder_starts_from_vgg16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its convs in their order, by the names of the published file, which has a classifier too."""
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    torch.manual_seed(0)
    wide = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state = {"classifier.0.bias": torch.zeros(4096)}
    for place, i, o in zip(places, wide, wide[1:], strict=False):
        state[f"features.{place}.weight"] = (torch.randn(o, i, 3, 3) / (4.5 * i) ** 0.5).half()
        state[f"features.{place}.bias"] = torch.randn(o).half()
    torch.save(state, tmp_path / "weights/vgg16-397923af.pth")
    for blocks in (VGG16, VGG16[:2]):
        net = segnet.colour_encoder("vgg16", 64, blocks, "indices")
        segnet.load_published(net, "vgg16")
        convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
        assert len(convs) == sum(blocks)
        for place, conv in zip(places, convs, strict=False):
            assert torch.equal(conv.weight, state[f"features.{place}.weight"].float())
            assert torch.equal(conv.bias, state[f"features.{place}.bias"].float())
        assert all(p.requires_grad for p in net.parameters())  # it learns in the first stage
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    h = ((x + 1) / 2 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    for place in places[:4]:
        h = F.conv2d(h, state[f"features.{place}.weight"].float(), state[f"features.{place}.bias"].float(), padding=1)
        h = h.relu() if place in (0, 5) else F.max_pool2d(h.relu(), 2)
    torch.testing.assert_close(net(x)[0], h, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs the published weights in $DRAGOMAN_DATA")
def test_published_weights_give_the_published_features():
    net = segnet.colour_encoder("vgg19_distilled", 16, VGG16[:3], "indices")
    segnet.load_published(net, "vgg19_distilled")
    seen = []
    net.blocks[2][1].register_forward_hook(lambda _, __, out: seen.append(out))
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        net(x)
        published = frozen("vgg19_distilled", ["relu3_1"])
        published.heads.clear()
        torch.testing.assert_close(seen[0], published(x)[0], rtol=1e-4, atol=1e-4)
