"""Published networks: their layers and counts, that they stay frozen, and known outputs of the published weights."""

import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from dragoman.errors import UserError
from dragoman.nets import frozen as nets
from dragoman.nets.frozen import PUBLISHED, build, frozen

COUNTS = {"squeezenet": 722_496, "alexnet": 2_469_696, "vgg16": 14_714_688, "vgg19": 20_024_384}
"""Parameters of the convolutions, as published."""

WEIGHTS = Path(os.environ.get("DRAGOMAN_DATA", "nowhere")) / "weights"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_dir(), reason="needs the published weights in $DRAGOMAN_DATA")


@pytest.mark.parametrize("name", COUNTS)
def test_parameters(name: str):
    assert sum(p.numel() for p in build(name).parameters()) == COUNTS[name]


SHAPES = {
    "squeezenet": [(64, 31), (128, 15), (256, 7), (384, 3), (384, 3), (512, 3), (512, 3)],
    "alexnet": [(64, 15), (192, 7), (384, 3), (256, 3), (256, 3)],
    "vgg16": [(64, 64)] * 2 + [(128, 32)] * 2 + [(256, 16)] * 3 + [(512, 8)] * 3 + [(512, 4)] * 3,
    "vgg19": [(64, 64)] * 2 + [(128, 32)] * 2 + [(256, 16)] * 4 + [(512, 8)] * 4 + [(512, 4)] * 4,
}


@pytest.mark.parametrize("name", SHAPES)
def test_layers_at_64(name: str):
    found = build(name)(torch.rand(1, 3, 64, 64))
    assert [(h.shape[1], h.shape[2]) for h in found] == SHAPES[name]
    assert all(h.min() >= 0 for h in found)  # after each ReLU


def test_only_as_deep_as_needed_and_in_the_order_asked():
    net = build("vgg19", ["relu2_1", "relu1_1"])
    assert len(net.features) == 7
    a, b = net(torch.rand(1, 3, 16, 16))
    assert a.shape[1] == 128 and b.shape[1] == 64


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
    with pytest.raises(UserError, match=r"no weights/vgg16-397923af.pth on this machine; put it at \$DRAGOMAN_DATA"):
        frozen("vgg16")
    assert "put weights/vgg16-397923af.pth" in nets.missing("vgg16")
    (store / "vgg16-397923af.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged, or more than weights"):
        frozen("vgg16")
    short = build("vgg19_normalised", ["relu3_1"]).state_dict()
    save_file({k: v.contiguous() for k, v in short.items()}, store / "vgg19_normalised_to_relu3_1.safetensors")
    assert frozen("vgg19_normalised", ["relu1_1", "relu3_1"])
    with pytest.raises(UserError, match=r"has no features.12.bias, which vgg19_normalised needs for relu4_1"):
        frozen("vgg19_normalised", ["relu4_1"])


@needs_weights
def test_published_squeezenet_layer_by_layer():
    state = {k: v.float() for k, v in load_file(WEIGHTS / "squeezenet1_1_fp16.safetensors").items()}
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (nets.MEAN, nets.STD))

    def conv(h, key, **settings):
        return F.conv2d(h, state[f"features.{key}.weight"], state[f"features.{key}.bias"], **settings).relu()

    h = conv(((x + 1) / 2 - mean) / std, 0, stride=2)
    for number in range(3, 13):
        if number in (3, 5, 8):
            h = F.max_pool2d(h, 3, 2, ceil_mode=True)
        if number not in (5, 8):
            h = conv(h, f"{number}.squeeze")
            h = torch.cat([conv(h, f"{number}.expand1x1"), conv(h, f"{number}.expand3x3", padding=1)], 1)
    torch.testing.assert_close(frozen("squeezenet")(x)[-1], h, atol=1e-4, rtol=1e-4)


@needs_weights
def test_published_vgg19_is_normalised():
    """The publisher scaled every channel to a mean activation of 1 on photographs; on smooth noise it is near that."""
    generator = torch.Generator().manual_seed(0)
    x = F.interpolate(torch.rand(4, 3, 24, 24, generator=generator), size=96, mode="bicubic").clamp(0, 1) * 2 - 1
    for h in frozen("vgg19_normalised", ["relu1_1", "relu2_1", "relu3_1"])(x):
        assert 0.2 < h.mean() < 5
