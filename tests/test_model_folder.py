"""The model folder: whole it loads, and anything else is said in one line without running what is in it."""

import json
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import dragoman
from dragoman import recipes, run
from dragoman.cli import main
from dragoman.engine.method import Method
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.model import ModelConfig, _digest, save_model

PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
TINY = recipes.find("sdit.tiny")


def method(seed: int = 0) -> Method:
    return run.build(
        TINY.model_copy(update={"train": TINY.train.model_copy(update={"seed": seed})}), run.open_data(TINY)[0]
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    nets = method()
    save_model(path, nets, dict(nets.named_children()), {"recipe": "sdit.tiny", "steps": 4})
    return path


@pytest.fixture
def model(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "model")


def test_the_folder(whole: Path):
    assert sorted(p.name for p in whole.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert [p.name for p in whole.parent.iterdir()] == ["model"]
    card = (whole / "README.md").read_text()
    assert "Wang et al." in card
    assert "blue, green, red, yellow" in card
    assert "- steps: 4" in card


def test_it_translates_as_before(whole: Path):
    nets = method()
    before = Translator(nets.translator(dict(nets.named_children())), nets.task)(PHOTO, to="red", seed=3)
    after = dragoman.load(whole)(PHOTO, to="red", seed=3)
    assert np.array_equal(np.asarray(after.image), np.asarray(before.image))
    assert after.mask is not None
    assert np.array_equal(np.asarray(after.mask), np.asarray(before.mask))
    assert dragoman.load(str(whole)).facts["facts"] == {"recipe": "sdit.tiny", "steps": 4}


def test_it_holds_every_network(whole: Path):
    saved = load_file(whole / "model.safetensors")
    expected = method().state_dict()
    assert saved.keys() == expected.keys()
    assert all(torch.equal(saved[name], expected[name]) for name in saved)


def test_saving_again_replaces_it(model: Path):
    nets = method(seed=1)
    save_model(model, nets, dict(nets.named_children()), {})
    assert [p.name for p in model.parent.iterdir()] == ["model"]
    assert torch.equal(load_file(model / "model.safetensors")["M.0.weight"], nets.state_dict()["M.0.weight"])
    dragoman.load(model)


def test_a_moved_folder_loads(model: Path, tmp_path: Path):
    model.rename(tmp_path / "elsewhere and renamed")
    dragoman.load(tmp_path / "elsewhere and renamed")


class Trap:
    """Unpickling this leaves a file behind."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "unpickled")


def edit(model: Path, **changes: Any) -> None:
    config = json.loads((model / "config.json").read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = config
        for parent in parents:
            place = place[parent]
        place[last] = value
    (model / "config.json").write_text(json.dumps(config))


def drop(model: Path, name: str) -> None:
    config = json.loads((model / "config.json").read_text())
    del config[name]
    (model / "config.json").write_text(json.dumps(config))


def cut(file: Path, share: float) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])


def flip(file: Path, place: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(len(content) * place)] ^= 4
    file.write_bytes(content)


WEIGHTS, CONFIG = "model.safetensors", "config.json"

DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "config missing": (lambda m: (m / CONFIG).unlink(), "config.json is missing"),
    "config truncated": (lambda m: cut(m / CONFIG, 0.5), "config.json is damaged or was edited"),
    "config empty": (lambda m: cut(m / CONFIG, 0), "config.json is damaged or was edited"),
    "config no text": (lambda m: (m / CONFIG).write_bytes(b"\xff\xfe\x00"), "config.json is damaged or was edited"),
    "config a list": (lambda m: (m / CONFIG).write_text("[]"), "config.json is damaged or was edited"),
    "config without task": (lambda m: drop(m, "task"), "task: Field required"),
    "config with more": (lambda m: edit(m, more=1), "more: Extra inputs"),
    "format of the future": (lambda m: edit(m, format=2), "format 2"),
    "another method": (lambda m: edit(m, method="sdti"), "unknown method 'sdti'; did you mean sdit?"),
    "a method outside": (lambda m: edit(m, method="../evil"), "unknown method"),
    "fewer domains": (lambda m: edit(m, task__domains=["red", "blue"]), "do not belong together"),
    "double domains": (lambda m: edit(m, task__domains=["red"] * 4), "distinct"),
    "a domain renamed": (lambda m: edit(m, task__domains=["sky", "green", "red", "yellow"]), "do not belong together"),
    "another width": (lambda m: edit(m, config__width=8), "do not belong together"),
    "width no number": (lambda m: edit(m, config__width="wide"), "width"),
    "an immense width": (lambda m: edit(m, config__width=10**9), "was edited"),
    "an unknown setting": (lambda m: edit(m, config__depth=3), "depth"),
    "another size": (lambda m: edit(m, task__size=64), "do not belong together"),
    "weights missing": (lambda m: (m / WEIGHTS).unlink(), "model.safetensors is missing"),
    "weights a folder": (lambda m: ((m / WEIGHTS).unlink(), (m / WEIGHTS).mkdir()), "model.safetensors is missing"),
    "weights truncated": (lambda m: cut(m / WEIGHTS, 0.7), "model.safetensors is damaged"),
    "weights empty": (lambda m: cut(m / WEIGHTS, 0), "model.safetensors is damaged"),
    "weights flipped": (lambda m: flip(m / WEIGHTS, 0.7), "other SHA-256"),
    "header flipped": (lambda m: flip(m / WEIGHTS, 0.0), "model.safetensors is damaged"),
    "header immense": (
        lambda m: (m / WEIGHTS).write_bytes(struct.pack("<Q", 2**62) + b"{}"), "model.safetensors is damaged",
    ),
    "weights of another model": (lambda m: other(m), "does not fit"),
    "torch.save": (lambda m: torch.save({"a": Trap(m / "trap")}, m / WEIGHTS), "a pickle, which is never loaded"),
    "old torch.save": (
        lambda m: torch.save({"a": Trap(m / "trap")}, m / WEIGHTS, _use_new_zipfile_serialization=False),
        "a pickle, which is never loaded",
    ),
    "pickle": (lambda m: (m / WEIGHTS).write_bytes(pickle.dumps(Trap(m / "trap"))), "a pickle, which is never loaded"),
    "pickle 0": (
        lambda m: (m / WEIGHTS).write_bytes(pickle.dumps(Trap(m / "trap"), protocol=0)), "model.safetensors is",
    ),
}  # fmt: skip


def other(model: Path) -> None:
    """Sound weights with a matching checksum, but of StarGAN: what a network changed since would look like."""
    stargan = recipes.find("stargan.tiny")
    nets = run.build(stargan, run.open_data(stargan)[0])
    config = json.loads((model / CONFIG).read_text())
    save_model(model, nets, dict(nets.named_children()), {})
    sha256 = _digest(model / WEIGHTS, ModelConfig.model_validate(config))
    (model / CONFIG).write_text(json.dumps(config | {"sha256": sha256}))


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_said_in_one_line(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str):
    damage, says = DAMAGE[kind]
    damage(model)
    with pytest.raises(UserError) as error:
        dragoman.load(model)
    assert says in str(error.value)
    assert ";" in str(error.value)
    from PIL import Image

    Image.fromarray(PHOTO).save(tmp_path / "a.png")
    assert main(["translate", str(model), str(tmp_path / "a.png"), "--to", "red", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == f"dragoman: {error.value}\n"
    assert not (tmp_path / "out").exists()
    assert not (model / "trap").exists()


def test_the_trap_works(tmp_path: Path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "trap")))
    assert (tmp_path / "trap").read_text() == "unpickled"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 255))
def test_one_changed_byte_is_always_noticed(whole: Path, tmp_path_factory: pytest.TempPathFactory, at: int, by: int):
    model = shutil.copytree(whole, tmp_path_factory.mktemp("flipped") / "model")
    content = bytearray((model / WEIGHTS).read_bytes())
    content[at % len(content)] ^= by
    (model / WEIGHTS).write_bytes(content)
    with pytest.raises(UserError) as error:
        dragoman.load(model)
    assert "\n" not in str(error.value)


def test_other_paths(whole: Path, tmp_path: Path):
    for path, says in (
        (tmp_path / "nowhere", "no model folder"),
        (whole / CONFIG, "no model folder"),
        (tmp_path, "is not a model folder"),
        (whole.parent, "is the folder of a run, not of a model; give "),
    ):
        with pytest.raises(UserError, match=says):
            dragoman.load(path)


def test_a_device_that_is_not_there(whole: Path):
    for device in ("tpu", "cuda:99"):
        with pytest.raises(UserError, match=f"device '{device}' cannot be used here"):
            dragoman.load(whole, device=device)
