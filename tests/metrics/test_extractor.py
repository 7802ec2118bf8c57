"""Features of images: their sizes, names and what is done to the images."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from dragoman.errors import UserError
from dragoman.metrics import extractor as module
from dragoman.metrics.extractor import extractor, frechet_name, kernel_name, lacking
from dragoman.nets.classifier import Classifier
from dragoman.nets.frozen import PUBLISHED, build, frozen


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    return tmp_path


@pytest.fixture
def weights(store: Path) -> None:
    """Random ones, in files of the published layout."""
    state = {k: v.contiguous() for k, v in build("squeezenet").state_dict().items()}
    save_file(state, store / PUBLISHED["squeezenet"].items[0].name)
    state = build("inception", ["pool3"]).state_dict()
    torch.save({k.removeprefix("features."): v for k, v in state.items()}, store / PUBLISHED["inception"].items[0].name)


def images(count: int = 5, size: int = 40) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_squeezenet(weights: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SQUEEZENET_SIZE", 64)
    found, x = extractor("squeezenet"), images()
    features = found(x)
    assert found.name == "squeezenet" and features.shape == (5, found.dim) == (5, 512)
    assert "resized to 64" in found.text
    resized = F.interpolate(x, (64, 64), mode="bicubic", antialias=True).clamp(-1, 1)
    torch.testing.assert_close(features, frozen("squeezenet", ["fire9"])(resized)[0].mean((2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(replace(found, batch=2)(x), features, rtol=1e-4, atol=1e-5)
    grey = x[:, :1]
    torch.testing.assert_close(found(grey), found(grey.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-5)


def test_inception_sees_images_as_files_hold_them(weights: None):
    found, x = extractor("inception"), images(1)
    features = found(x)
    assert features.shape == (1, found.dim) == (1, 2048)
    rounded = ((x + 1) * 127.5).round() / 127.5 - 1
    torch.testing.assert_close(features, frozen("inception", ["pool3"])(rounded)[0])
    torch.testing.assert_close(found(rounded), features)


def test_large_images_are_shrunk_without_aliasing(weights: None):
    found, x = extractor("inception"), images(1, 340)
    shrunk = F.interpolate(x, (299, 299), mode="bicubic", antialias=True).clamp(-1, 1)
    torch.testing.assert_close(found(x), found(shrunk), rtol=1e-4, atol=1e-5)
    assert (found(x) - frozen("inception", ["pool3"])(x)[0]).norm() > 0.01 * found(x).norm()


def test_classifier():
    net = Classifier(1, 4, width=6).eval().requires_grad_(False)
    found, x = extractor("classifier", net), images()[:, :1]
    assert found.dim == 24
    torch.testing.assert_close(found(x), net.features(x))


def test_names():
    assert [frechet_name(name) for name in ("inception", "squeezenet", "classifier")] == [
        "fid", "fd_squeezenet", "fd_classifier",
    ]  # fmt: skip
    assert [kernel_name(name) for name in ("inception", "classifier")] == ["kid", "kd_classifier"]


def test_extractor_mistakes(store: Path):
    with pytest.raises(ValueError, match="no features 'squeeznet'; did you mean squeezenet"):
        extractor("squeeznet")
    for name, net in (("classifier", None), ("squeezenet", Classifier(3, 2))):
        with pytest.raises(ValueError, match="named classifier need a classifier"):
            extractor(name, net)
    with pytest.raises(UserError, match=r"no weights/weights-inception-2015-12-05-6726825d.pth on this machine"):
        extractor("inception")
    assert "put weights/weights-inception" in lacking("inception") and not lacking("classifier")
    found = extractor("classifier", Classifier(3, 2).eval())
    with pytest.raises(ValueError, match=r"in \[-1, 1\], got values up to 2"):
        found(torch.full((1, 3, 8, 8), 2.0))
    with pytest.raises(ValueError, match="at least one"):
        found(torch.zeros(0, 3, 8, 8))
