"""The frozen networks against torchvision's and torch-fidelity's, with the same weights, read from a file."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from dragoman.nets.frozen import MEAN, PUBLISHED, STD, build, frozen


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    return tmp_path


def random(net: torch.nn.Module) -> torch.nn.Module:
    """With weights of a size that keeps the signal, and biases that are not zero."""
    generator = torch.Generator().manual_seed(0)
    for p in net.parameters():
        if p.ndim > 1:
            torch.nn.init.kaiming_normal_(p, nonlinearity="relu", generator=generator)
        else:
            p.data.uniform_(-0.1, 0.1, generator=generator)
    return net.eval()


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("squeezenet", "squeezenet1_1"), ("alexnet", "alexnet"), ("vgg16", "vgg16"), ("vgg19", "vgg19")],
)
@torch.no_grad()
def test_torchvision(store: Path, name: str, theirs: str):
    reference = random(getattr(torchvision.models, theirs)(weights=None))
    torch.save(reference.state_dict(), store / PUBLISHED[name].items[-1].name)
    x = torch.rand(2, 3, 96, 80, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    h, expected = ((x + 1) / 2 - mean) / std, {}
    for number, layer in enumerate(reference.features):
        h = layer(h)
        expected |= {tap: h.clone() for tap, place in PUBLISHED[name].taps.items() if place == number}
    for tap, found in zip(PUBLISHED[name].taps, frozen(name)(x), strict=True):
        torch.testing.assert_close(found, expected[tap], rtol=1e-4, atol=1e-5 * found.max().item())


@pytest.mark.parametrize("size", [(32, 32), (64, 48), (320, 299)])
@torch.no_grad()
def test_inception(store: Path, size: tuple[int, int]):
    """torch-fidelity loads the file strictly: the keys are exactly those of the published weights."""
    state = random(build("inception")).state_dict()
    generator = torch.Generator().manual_seed(2)
    for key, value in state.items():
        if key.endswith("running_mean"):
            value.uniform_(-0.1, 0.1, generator=generator)
        elif key.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5, generator=generator)
    path = store / PUBLISHED["inception"].items[0].name
    torch.save({PUBLISHED["inception"].key(key): value.contiguous() for key, value in state.items()}, path)
    reference = FeatureExtractorInceptionV3("ours", ["192", "2048", "logits"], feature_extractor_weights_path=str(path))
    images = torch.randint(0, 256, (2, 3, *size), generator=generator, dtype=torch.uint8)
    ours = frozen("inception", ["pool2", "pool3", "logits"])(images.float() / 127.5 - 1)
    for a, b in zip([ours[0].mean((2, 3)), *ours[1:]], reference(images), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4 * b.abs().max().item())
