"""Images of any scale reach the network at the scale it was trained on."""

import pytest
import torch
from PIL import Image
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference.files import plan, translate_files
from dragoman.inference.translator import Core, Translator


class Records(Core):
    """Negates, and remembers the sizes it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        self.sizes.append(tuple(x.shape[2:]))
        return -self.gain * x, torch.ones_like(x[:, :1])


def run(scale: str, height: int, width: int, load_size: int | None = None) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    core = Records()
    translator = Translator(core, Task(domains=("a", "b"), size=32, load_size=load_size))
    ramp = torch.linspace(-0.8, 0.8, width).expand(1, 3, height, width)
    image, mask = translator.translate_at(scale, ramp, torch.eye(2)[:1], torch.zeros(1, 0))
    assert mask is not None and mask.shape == (1, 1, height, width)
    assert (image + ramp).abs().mean() < 0.02
    return image, mask, core.sizes[0]


@pytest.mark.parametrize(("height", "width"), [(100, 75), (17, 40), (64, 64), (1, 9)])
def test_the_shorter_side_becomes_that_of_training_and_the_output_that_of_the_input(height, width):
    image, _, inner = run("train", height, width)
    assert image.shape[2:] == (height, width)
    assert min(inner) == 32
    assert max(inner) / 32 == pytest.approx(max(height, width) / min(height, width), rel=0.1)


def test_the_crop_of_training_does_not_count_but_the_side_before_it():
    assert min(run("train", 144, 200, load_size=72)[2]) == 72


def test_native_leaves_the_scale_alone():
    assert run("native", 100, 76)[2] == (100, 76)


def test_an_elongated_image_is_not_blown_up():
    assert run("train", 2, 20000)[2] == (16, 20000)


def test_an_unknown_scale_is_an_error_in_one_line():
    with pytest.raises(UserError, match="there is: train, native"):
        run("big", 20, 20)


class Looks(Records):
    """The style of an exemplar is its share of bright pixels."""

    style_dim = 1

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        self.sizes.append(tuple(exemplar.shape[2:]))
        return (exemplar > 0).float().mean((1, 2, 3))[:, None]


@pytest.mark.parametrize(("scale", "inner"), [("train", (32, 48)), ("native", (100, 152))])
def test_an_exemplar_is_seen_at_the_scale_of_the_inputs(scale, inner):
    """A multiple of the stride already, and else padded by at most three pixels."""
    core = Looks()
    translator = Translator(core, Task(domains=("a", "b"), size=32))
    exemplar = torch.linspace(-1, 1, 150).expand(3, 100, 150)
    assert translator.style(torch.eye(2)[0], exemplar=exemplar, scale=scale).item() == pytest.approx(0.5, abs=0.03)
    translator(exemplar.permute(1, 2, 0).numpy(), to="b", exemplar=exemplar.permute(1, 2, 0).numpy(), scale=scale)
    assert core.sizes == [inner] * 3  # the exemplar twice, the input once


def test_an_exemplar_is_seen_at_the_scale_of_training_unless_told():
    core = Looks()
    translator = Translator(core, Task(domains=("a", "b"), size=32))
    translator.style(torch.eye(2)[0], exemplar=torch.zeros(3, 8, 8))
    with pytest.raises(UserError, match="there is: train, native"):
        translator.style(torch.eye(2)[0], exemplar=torch.zeros(3, 8, 8), scale="big")
    assert core.sizes == [(32, 32)]


def test_files_take_an_exemplar_at_their_scale(tmp_path):
    for name, (width, height) in (("x", (40, 60)), ("look", (64, 100))):
        Image.new("RGB", (width, height), (9, 200, 30)).save(tmp_path / f"{name}.png")
    for scale, inner in (("train", (52, 32)), ("native", (100, 64))):
        core = Looks()
        translator = Translator(core, Task(domains=("a", "b"), size=32))
        out = tmp_path / scale
        translate_files(
            translator, plan([tmp_path / "x.png"], out, 1), out, "b", exemplar=tmp_path / "look.png", scale=scale
        )
        assert core.sizes[0] == inner and len(core.sizes) == 3
