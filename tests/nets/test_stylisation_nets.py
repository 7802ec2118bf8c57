"""Encoders and decoders of style transfer: levels, mirrors, published weights, sizes."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.nets import vgg
from dragoman.nets.frozen import PUBLISHED
from dragoman.nets.stylisation import MEANS, Decoder, Encoder, check_size, enlarged, shrunk, smallest, stride

WIDTHS = {
    "vgg19": [64, 128, 256, 512, 512],
    "vgg19_normalised": [64, 128, 256, 512, 512],
    "vgg19_distilled": [16, 32, 64, 128, 128],
    "random": [16, 32, 64, 128, 128],
}


@pytest.mark.parametrize("network", WIDTHS)
def test_levels(network):
    encoder = Encoder(network, 5)
    with torch.no_grad():
        found = encoder(torch.zeros(2, 3, 64, 32))
    assert encoder.widths == WIDTHS[network] == [f.shape[1] for f in found]
    assert [f.shape[2:] for f in found] == [(64, 32), (32, 16), (16, 8), (8, 4), (4, 2)]


def test_a_level_is_what_its_layers_give_divided_by_its_mean():
    torch.manual_seed(0)
    encoder, x = Encoder("vgg19_distilled", 4), torch.rand(2, 3, 32, 32) * 2 - 1
    found = encoder(x)
    for level in (1, 2, 3, 4):
        h = (x + 1) / 2  # it sees [0, 1]
        for layer in list(encoder.features)[: vgg.DISTILLED_TAPS[f"relu{level}_1"] + 1]:
            h = layer(h)
        assert h.min() == 0
        torch.testing.assert_close(found[level - 1], h / MEANS[level - 1])
    assert all(torch.equal(a, b) for a, b in zip(encoder(x, 2), found, strict=False)) and len(encoder(x, 2)) == 2


def test_padding_by_reflection_and_grey_images():
    torch.manual_seed(0)
    encoder, x = Encoder("vgg19", 1), torch.rand(1, 1, 8, 8)
    conv = encoder.features[0]
    h = F.pad(encoder.prepare(x.repeat(1, 3, 1, 1)), (1,) * 4, mode="reflect")
    torch.testing.assert_close(encoder(x)[0], F.conv2d(h, conv.weight, conv.bias).relu())


def test_a_decoder_mirrors_its_encoder():
    decoder = Decoder(Encoder("random", 3).upto(3), 1)
    kinds = [(m.in_channels, m.out_channels) if isinstance(m, nn.Conv2d) else type(m).__name__ for m in decoder]
    assert kinds == [(64, 32), "ReLU", "Upsample", (32, 32), "ReLU", (32, 16), "ReLU", "Upsample",
                     (16, 16), "ReLU", (16, 1)]  # fmt: skip
    assert all(m.padding_mode == "reflect" and m.kernel_size == (3, 3) for m in decoder if isinstance(m, nn.Conv2d))
    assert decoder(torch.zeros(1, 64, 4, 5)).shape == (1, 1, 16, 20)


def test_nearest_upsampling():
    (up,) = (m for m in Decoder(Encoder("random", 2).upto(2), 3) if isinstance(m, nn.Upsample))
    assert up(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    return tmp_path


def test_published_weights(store):
    """A file of the published layout, with other numbers."""
    torch.manual_seed(0)
    state = vgg.distilled().state_dict()
    heads = {f"heads.{k}": v for k, v in nn.ModuleDict(vgg.distilled_heads()).state_dict().items()}
    state |= {vgg.distilled_key(key): value for key, value in heads.items()}
    save_file(state, store / PUBLISHED["vgg19_distilled"].items[0].name)
    encoder = Encoder("vgg19_distilled", 3)
    assert not torch.equal(encoder.features.conv31.weight, state["conv31.weight"])
    encoder.load_published()
    assert all(torch.equal(value, state[key]) for key, value in encoder.features.state_dict().items())


@pytest.mark.parametrize("network", ["vgg19", "vgg19_normalised", "vgg19_distilled"])
def test_missing_weights_are_a_line_only_when_they_are_needed(network, store):
    encoder = Encoder(network, 1)
    with pytest.raises(UserError, match=r"no weights/vgg19.* on this machine; put it at \$DRAGOMAN_DATA") as error:
        encoder.load_published()
    assert "\n" not in str(error.value)


def test_enlarged_and_shrunk():
    x = torch.rand(2, 3, 6, 5)
    assert enlarged(x, 1) is x and shrunk(x, 1) is x
    big = enlarged(x, 4)
    torch.testing.assert_close(big, F.interpolate(x, (24, 20), mode="bilinear", align_corners=False))
    noise = torch.rand(1, 1, 8, 12)
    torch.testing.assert_close(shrunk(noise, 4)[0, 0, 1, 2], noise[0, 0, 4:, 8:].mean())
    flat = torch.full((1, 3, 7, 7), 0.3)
    torch.testing.assert_close(shrunk(enlarged(flat, 3), 3), flat)


@pytest.mark.parametrize("enlarge, depth", [(1, 4), (1, 5), (2, 5), (3, 4), (4, 5), (4, 1)])
def test_the_stated_sizes_are_those_that_come_back(enlarge, depth):
    step, least = stride(enlarge, depth), smallest(enlarge, depth)
    encoder = Encoder("random", depth)
    decoder = Decoder(encoder.upto(depth), 3)
    size = -(-least // step) * step
    for height in (size, size + step):
        y = decoder(encoder(enlarged(torch.zeros(1, 3, height, size), enlarge))[-1])
        assert shrunk(y, enlarge).shape == (1, 3, height, size)
    check_size(Task(domains=("a",), size=size), enlarge, depth)
    for wrong in {size - step, size + step // 2} - {size}:
        with pytest.raises(ValueError, match=rf"multiple of {step} and at least {least} for relu{depth}_1"):
            check_size(Task(domains=("a",), size=wrong), enlarge, depth)
