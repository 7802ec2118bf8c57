"""Published networks: their layers and counts, that they stay frozen, and known outputs of the published weights."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from dragoman.data.image import read
from dragoman.errors import UserError
from dragoman.nets import frozen as nets
from dragoman.nets import inception
from dragoman.nets.frozen import PUBLISHED, build, frozen, shared

COUNTS = {
    "squeezenet": 722_496,
    "alexnet": 2_469_696,
    "vgg16": 14_714_688,
    "vgg19": 20_024_384,
    "inception": 23_834_568 - 1000 * 2049 + 1008 * 2049,  # torchvision's without the auxiliary head; 1008 classes
}
"""Parameters, as published; of all but Inception those of the convolutions."""

DATA = Path(os.environ.get("DRAGOMAN_DATA", "nowhere"))
WEIGHTS = DATA / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the published weights in $DRAGOMAN_DATA")
PHOTOS = sorted((DATA / "camvid" / "test").glob("*.jpg"))[::60]
needs_photos = pytest.mark.skipif(
    not (WEIGHTS.is_dir() and PHOTOS), reason="needs the published weights and CamVid in $DRAGOMAN_DATA"
)


@pytest.mark.parametrize("name", COUNTS)
def test_parameters(name: str):
    assert sum(p.numel() for p in build(name).parameters()) == COUNTS[name]


SHAPES = {
    "squeezenet": [(64, 31), (128, 15), (256, 7), (384, 3), (384, 3), (512, 3), (512, 3)],
    "alexnet": [(64, 15), (192, 7), (384, 3), (256, 3), (256, 3)],
    "vgg16": [(64, 64)] * 2 + [(128, 32)] * 2 + [(256, 16)] * 3 + [(512, 8)] * 3 + [(512, 4)] * 3,
    "vgg19": [(64, 64)] * 2 + [(128, 32)] * 2 + [(256, 16)] * 4 + [(512, 8)] * 4 + [(512, 4)] * 4,
    "vgg19_distilled": [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4)],
}


@pytest.mark.parametrize("name", SHAPES)
def test_layers_at_64(name: str):
    found = build(name)(torch.rand(1, 3, 64, 64))
    assert [(h.shape[1], h.shape[2]) for h in found] == SHAPES[name]
    assert all(h.min() >= 0 for h in found)  # after each ReLU


def test_inception_layers():
    pool1, pool2, mixed, features, logits = build("inception")(torch.rand(1, 3, 40, 64))
    assert [tuple(h.shape[1:]) for h in (pool1, pool2, mixed)] == [(64, 73, 73), (192, 35, 35), (768, 17, 17)]
    assert features.shape == (1, 2048) and logits.shape == (1, 1008)


def test_inception_resizes_as_tensorflow_did():
    """Pixel i lies at i * size / 299 of the image, between its neighbours by their distance; (v - 128) / 128."""
    x = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found, pixels = inception.Prepare()(x), (x + 1) * 127.5
    assert found.shape == (1, 3, 299, 299)
    for i, j in ((0, 0), (7, 200), (150, 31), (298, 298)):
        a, b = i * 20 / 299, j * 30 / 299
        top, left = int(a), int(b)
        corners = [[pixels[0, :, min(p, 19), min(q, 29)] for q in (left, left + 1)] for p in (top, top + 1)]
        rows = [one + (two - one) * (b - left) for one, two in corners]
        expected = (rows[0] + (rows[1] - rows[0]) * (a - top) - 128) / 128
        torch.testing.assert_close(found[0, :, i, j], expected, rtol=0, atol=1e-5)


def test_inception_pools_as_the_published_graph():
    """Averages leave out what lies outside the image; the last block takes the maximum."""
    net = build("inception").features
    x = torch.rand(1, 192, 35, 35)
    h = net.Mixed_5b(x)[:, -32:]
    ones = F.avg_pool2d(torch.ones(1, 1, 35, 35), 3, 1, 1)
    torch.testing.assert_close(h, net.Mixed_5b.branch_pool(F.avg_pool2d(x, 3, 1, 1) / ones))
    x = torch.rand(1, 2048, 8, 8)
    torch.testing.assert_close(net.Mixed_7c(x)[:, -192:], net.Mixed_7c.branch_pool(F.max_pool2d(x, 3, 1, 1)))


def test_only_as_deep_as_needed_and_in_the_order_asked():
    net = build("vgg19", ["relu2_1", "relu1_1"])
    assert len(net.features) == 7
    a, b = net(torch.rand(1, 3, 16, 16))
    assert a.shape[1] == 128 and b.shape[1] == 64


def test_padding():
    x = torch.rand(1, 3, 16, 16)
    pads = {"zeros": lambda h: F.pad(h, (1,) * 4), "reflect": lambda h: F.pad(h, (1,) * 4, mode="reflect")}
    for padding, pad in pads.items():
        net = nets._network("vgg16", ["relu1_2"], padding)
        h = net.prepare(x)
        for conv in (net.features[0], net.features[2]):
            h = F.conv2d(pad(h), conv.weight, conv.bias).relu()
        torch.testing.assert_close(net(x)[0], h)
    with pytest.raises(TypeError, match="padding"):
        frozen("squeezenet", padding="zeros")


def test_random_weights_are_he_s_and_leave_the_generator_alone():
    state = torch.get_rng_state()
    net, same, other = build("vgg16"), build("vgg16"), build("vgg16", seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    weights = [n.features[14].weight for n in (net, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert weights[0].std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("name", PUBLISHED)
def test_frozen_for_ever_but_gradients_reach_the_input(name: str):
    net = build(name).train()
    assert not any(module.training for module in net.modules())
    assert not any(p.requires_grad for p in net.parameters())
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    net(x)[-1].sum().backward()
    assert x.grad.abs().sum() > 0


def test_images_are_normalised_as_imagenet_is():
    net = build("vgg19", ["relu1_1"])
    x = torch.rand(2, 3, 8, 8) * 2 - 1
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (nets.MEAN, nets.STD))
    conv = net.features[0]
    expected = F.conv2d(((x + 1) / 2 - mean) / std, conv.weight, conv.bias, padding=1).relu()
    torch.testing.assert_close(net(x)[0], expected)
    grey = x[:, :1]
    torch.testing.assert_close(net(grey)[0], net(grey.repeat(1, 3, 1, 1))[0])


def test_unknown_names():
    with pytest.raises(ValueError, match="no network 'resnet'; there is: squeezenet"):
        build("resnet")
    with pytest.raises(ValueError, match="no layer 'relu9'; there is: relu1"):
        build("alexnet", ["relu9"])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights"


def test_weights_are_read_from_both_formats(store: Path):
    net = build("squeezenet")
    net.features[3].squeeze.weight.data.normal_()
    state = {key: value.contiguous() for key, value in net.state_dict().items()}
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    torch.save(state | {"classifier.1.bias": torch.zeros(1000)}, store / "squeezenet1_1-b8a52dc0.pth")
    torch.testing.assert_close(frozen("squeezenet")(x), net(x))
    (store / "squeezenet1_1-b8a52dc0.pth").unlink()
    save_file(state, store / "squeezenet1_1_fp16.safetensors")
    torch.testing.assert_close(frozen("squeezenet")(x), net(x))


def test_missing_damaged_or_short_weights_are_one_line(store: Path):
    line = r"no weights/vgg16-397923af.pth on this machine; put it at \$DRAGOMAN_DATA.*pytorch.org/models/vgg16-39"
    with pytest.raises(UserError, match=line):
        frozen("vgg16")
    line = r"no weights/vgg19_distilled16x_enc_relu5_1.safetensors on this machine.*docs/metrics.md says where"
    with pytest.raises(UserError, match=line + " it is from$"):
        frozen("vgg19_distilled")
    with pytest.raises(UserError, match=line + " it is from; or take --method.vgg vgg19$"):
        shared("vgg19_distilled", torch.device("cpu"))
    assert "put weights/vgg16-397923af.pth" in nets.missing("vgg16")
    (store / "vgg16-397923af.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged, or more than weights"):
        frozen("vgg16")
    short = build("vgg19_normalised", ["relu3_1"]).state_dict()
    save_file({k: v.contiguous() for k, v in short.items()}, store / "vgg19_normalised_to_relu3_1.safetensors")
    assert frozen("vgg19_normalised", ["relu1_1", "relu3_1"])
    line = r"has no features.12.bias, which vgg19_normalised needs for relu4_1; use vgg19, .* vgg19-dcbb9e9d.pth"
    with pytest.raises(UserError, match=line.replace(" vgg19-", " weights/vgg19-")):
        frozen("vgg19_normalised", ["relu4_1", "relu1_1"])


def seen(x: Tensor) -> Tensor:
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (nets.MEAN, nets.STD))
    return ((x + 1) / 2 - mean) / std


@needs_weights
def test_published_squeezenet_layer_by_layer():
    state = {k: v.float() for k, v in load_file(WEIGHTS / "squeezenet1_1_fp16.safetensors").items()}
    x = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)

    def conv(h: Tensor, key: str | int, **settings: int) -> Tensor:
        return F.conv2d(h, state[f"features.{key}.weight"], state[f"features.{key}.bias"], **settings).relu()

    h = conv(seen(x), 0, stride=2)
    expected = [h]
    for number in range(3, 13):
        if number in (5, 8):
            continue
        if number in (3, 6, 9):
            h = F.max_pool2d(h, 3, 2, ceil_mode=True)
        h = conv(h, f"{number}.squeeze")
        h = torch.cat([conv(h, f"{number}.expand1x1"), conv(h, f"{number}.expand3x3", padding=1)], 1)
        if number not in (3, 6):
            expected.append(h)
    found = frozen("squeezenet")(x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5 * b.max().item(), rtol=1e-5)
    recorded = [0.44921, 1.64645, 6.96787, 14.62786, 14.97056, 8.02189, 1.18997]
    assert [a.mean().item() for a in found] == pytest.approx(recorded, rel=1e-4)


@needs_weights
def test_published_vgg19_layer_by_layer():
    state = load_file(WEIGHTS / "vgg19_normalised_to_relu3_1.safetensors")
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    h, expected = seen(x), []
    for number in (0, 2, 5, 7, 10):
        if number in (5, 10):
            h = F.max_pool2d(h, 2)
        weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
        h = F.conv2d(F.pad(h, (1,) * 4, mode="reflect"), weight, bias).relu()
        expected.append(h)
    found = frozen("vgg19_normalised", ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"])(x)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-5)


def photos() -> Tensor:
    """A few, small: [N, 3, 180, 240]."""
    return F.interpolate(torch.stack([read(path).tensor for path in PHOTOS]), (180, 240), mode="area")


@needs_photos
@torch.no_grad()
def test_normalised_vgg19_and_its_imitation_on_photographs():
    """Channels have a mean of about 1 on photographs, and the small network gives nearly the same maps."""
    x = photos()
    layers = ["relu1_1", "relu2_1", "relu3_1"]
    small = frozen("vgg19_distilled", layers)(x)
    for a, b, alike in zip(frozen("vgg19_normalised", layers)(x), small, (0.98, 0.88, 0.8), strict=True):
        assert 0.7 < a.mean() < 1.1 and 0.7 < b.mean() < 1.1
        assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > alike


@needs_photos
@torch.no_grad()
def test_squeezenet_sees_what_is_on_photographs():
    """With the published classifier: among the five likeliest of 1000 classes is a streetcar or trolleybus, which is
    what these streets are taken for; a wrong normalisation finds other classes."""
    state = load_file(WEIGHTS / "squeezenet1_1_fp16.safetensors")
    features = frozen("squeezenet", ["fire9"])(F.interpolate(photos(), (224, 224), mode="bicubic", antialias=True))[0]
    maps = F.conv2d(features, state["classifier.1.weight"].float(), state["classifier.1.bias"].float()).relu()
    likeliest = maps.mean((2, 3)).topk(5).indices
    assert torch.isin(likeliest, torch.tensor([829, 874])).any(1).double().mean() >= 0.75
