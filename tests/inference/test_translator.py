"""The translator: any size in, the same size out, and only what the names say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dragoman.data.batch import Task
from dragoman.engine.method import Method
from dragoman.errors import UserError
from dragoman.inference.translator import Core, Translator
from dragoman.methods.sdit import SDIT, SDITConfig
from dragoman.methods.stargan import StarGAN, StarGANConfig

RNG = np.random.default_rng(0)
SMALL: dict[str, Any] = {"width": 4, "blocks": 1, "d_layers": 3}


def translator(task: Task, stargan: bool = False) -> Translator:
    """Of untrained networks, the same at every call."""
    torch.manual_seed(0)
    method: Method = (
        StarGAN(StarGANConfig(**SMALL), task) if stargan else SDIT(SDITConfig(**SMALL, cin_blocks=1, z_dim=4), task)
    )
    return Translator(method.translator(dict(method.named_children())), task)


DAYS = translator(Task(domains=("Clear_Day", "night"), size=16))
FACES = translator(Task(domains=("No_Beard", "hat", "smile_wide"), exclusive=False, size=16))


def noise(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


PHOTO = noise(16, 16)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 17), (16, 16), (31, 5), (33, 50), (64, 7)])
def test_the_same_size_comes_out(size: tuple[int, int]):
    done = DAYS(noise(*size), to="night")
    assert done.image.size == size[::-1]
    assert done.mask is not None
    assert done.mask.size == size[::-1]
    assert (done.image.mode, done.mask.mode) == ("RGB", "L")


def test_a_seed_gives_the_same_image_again_and_another_one_another():
    first, again, other = (np.asarray(DAYS(PHOTO, to="night", seed=seed).image) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.asarray(DAYS(PHOTO, to="clear-day", seed=3).image))


def test_the_seed_alone_decides_whatever_came_before():
    first = np.asarray(DAYS(PHOTO, to="night", seed=3).image)
    torch.manual_seed(99)
    torch.randn(5)
    assert np.array_equal(np.asarray(DAYS(PHOTO, to="night", seed=3).image), first)


def test_a_path_an_image_and_an_array_give_the_same(tmp_path: Path):
    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    expected = np.asarray(DAYS(PHOTO, to="night").image)
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(PHOTO), PHOTO / 127.5 - 1):
        assert np.array_equal(np.asarray(DAYS(source, to="night").image), expected)


def test_alone_and_in_a_batch_alike():
    x = torch.from_numpy(np.stack([noise(13, 19) for _ in range(3)])).permute(0, 3, 1, 2) / 127.5 - 1
    codes = torch.eye(2)[torch.tensor([0, 1, 1])]
    styles = torch.stack([DAYS.style(code, seed) for seed, code in enumerate(codes)])
    together, masks = DAYS.translate(x, codes, styles)
    assert masks is not None
    for n in range(3):
        alone, mask = DAYS.translate(x[n : n + 1], codes[n : n + 1], styles[n : n + 1])
        assert torch.allclose(alone[0], together[n], atol=1e-5)
        assert mask is not None
        assert torch.allclose(mask[0], masks[n], atol=1e-5)


def test_transparency_and_depth_come_back():
    alpha = RNG.integers(0, 256, (9, 14), dtype=np.uint8)
    done = DAYS(Image.fromarray(np.dstack([noise(9, 14), alpha])), to="night").image
    assert done.mode == "RGBA"
    assert np.array_equal(np.asarray(done.getchannel("A")), alpha)
    grey = translator(Task(domains=("hot", "cold"), size=16, channels=1))
    deep = grey(RNG.integers(0, 65536, (9, 14), dtype=np.uint16), to="hot").image
    assert np.asarray(deep).dtype == np.uint16
    assert len(np.unique(np.asarray(deep))) > 60  # not eight bits made wider
    assert np.asarray(grey(noise(9, 14), to="hot").image).dtype == np.uint8


@pytest.mark.parametrize("name", ["Clear_Day", "clear_day", "clear-day", "CLEAR-DAY"])
def test_names_in_any_spelling(name: str):
    assert DAYS.code(name).tolist() == [1, 0]


@pytest.mark.parametrize(("name", "says"), [("nihgt", "did you mean night?"), ("xyz", "there is: Clear_Day, night")])
def test_an_unknown_domain_suggests(name: str, says: str):
    with pytest.raises(UserError) as error:
        DAYS(PHOTO, to=name)
    assert str(error.value) == f"unknown domain {name!r} in --to; {says}"


@pytest.mark.parametrize(
    ("model", "advice"), [(DAYS, "use a seed instead"), (translator(DAYS.task, stargan=True), "leave it out")]
)
def test_an_exemplar_is_refused_by_methods_without_one(model: Translator, advice: str):
    """A seed is only advised where it does something."""
    with pytest.raises(UserError) as error:
        model(PHOTO, to="night", exemplar=PHOTO)
    assert str(error.value) == f"this model takes no exemplar; {advice}"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("hat", [1, 1, 0]),
        ("no-hat", [1, 0, 0]),
        ("smile-wide,no-beard", [1, 0, 1]),  # "No_Beard" is an attribute of that name
        ("No-No_Beard, SMILE_WIDE", [0, 0, 1]),
        ("no_smile_wide,hat,", [1, 1, 0]),
    ],
)
def test_attributes_named_are_set_and_the_rest_is_as_given(to: str, code: list[float]):
    assert FACES.code(to, given=torch.tensor([1.0, 0, 0])).tolist() == code


def test_attributes_not_named_are_read_off_the_image():
    image = torch.from_numpy(PHOTO).permute(2, 0, 1) / 127.5 - 1
    seen = FACES.classify(image[None])[0]
    assert set(seen.tolist()) <= {0.0, 1.0}
    for value, word in ((1.0, "hat"), (0.0, "no-hat")):
        code = FACES.code(word, image)
        assert code[1] == value
        assert code[[0, 2]].tolist() == seen[[0, 2]].tolist()
    flipped = 1 - seen
    assert FACES.code("hat", image, flipped)[[0, 2]].tolist() == flipped[[0, 2]].tolist()
    whole = "no-beard,no-hat,smile-wide"
    assert FACES.code(whole).tolist() == [1, 0, 1]
    first = np.asarray(FACES(PHOTO, to=whole).image)
    assert np.array_equal(first, np.asarray(FACES(PHOTO, to="smile_wide", given=torch.tensor([1.0, 0, 0])).image))


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("", "--to is empty"),
        (" , ", "--to is empty"),
        ("beard", "unknown domain 'beard'"),
        ("no-hut", "unknown domain 'hut' in --to; did you mean hat?"),
        ("hat,no-hat", "both sets and unsets hat"),
        ("hat", "the input's own attributes are needed"),
    ],
)
def test_attributes_that_do_not_work(to: str, says: str):
    with pytest.raises(UserError) as error:
        FACES.code(to)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_core_says_what_it_cannot():
    core = Core()
    with pytest.raises(UserError, match="no classifier"):
        core.classify(torch.zeros(1, 3, 16, 16))
    with pytest.raises(UserError, match="no exemplar"):
        core.encode_style(torch.zeros(1, 3, 16, 16), torch.ones(1, 2))


def test_nothing_is_trained_by_translating():
    assert not any(p.requires_grad for p in DAYS.core.parameters())
    assert not any(module.training for module in DAYS.core.modules())
