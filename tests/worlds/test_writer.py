"""A world as a folder: the same images, labels and counterfactuals that it streams."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dragoman import worlds
from dragoman.cli import main
from dragoman.data.check import check
from dragoman.data.dataset import Folder, FolderDataset
from dragoman.data.manifest import Manifest
from dragoman.data.pairing import PAIRS, read_pairs
from dragoman.worlds.world import Rendered, World

RENDERED = {name: world for name, world in worlds.WORLDS.items() if issubclass(world, World)}
SETS = [(name, kind) for name, world in RENDERED.items() for kind in world.sets]


def make(tmp_path: Path, name: str, kind: str) -> tuple[World, FolderDataset, Rendered]:
    """A world of one set, its test split as a folder on disk and as it streams."""
    world = RENDERED[name](size=32, images=24, test_images=24, set=kind)
    worlds.make(world, tmp_path / "made")
    folder = Folder(root=tmp_path / "made", size=32, flip=False, domains=world.task.domains)
    return world, folder.open("test"), world.open("test")


def test_every_rendered_world_is_here():
    assert set(RENDERED) == {"faces", "streets"}


@pytest.mark.parametrize(("name", "kind"), SETS)
def test_folder_is_what_the_world_streams(tmp_path: Path, name: str, kind: str):
    _, folder, stream = make(tmp_path, name, kind)
    assert folder.task.domains == stream.task.domains
    assert folder.task.exclusive == stream.task.exclusive
    assert len(folder) == len(stream) == 24
    assert set(folder.attributes) == set(stream.attributes)
    for index, row in enumerate(folder.rows):
        number = int(Path(row.file_name).stem)
        assert torch.equal(folder.load(index), stream.load(number))
        assert torch.equal(folder.labels[index], stream.labels[number])
        assert all(folder.attributes[a][index] == stream.attributes[a][number] for a in stream.attributes)
    assert not check(tmp_path / "made").columns
    assert not check(tmp_path / "made").corrupt


@pytest.mark.parametrize("name", RENDERED)
def test_pairs_are_counterfactuals(tmp_path: Path, name: str):
    _, folder, stream = make(tmp_path, name, "pairs")
    assert {row.group for row in folder.rows[:2]} == {"test-00000"}
    found = 0
    for index, row in enumerate(folder.rows):
        for code in stream.labels.unique(dim=0):
            image = folder.counterfactual(index, code)
            if image is not None:
                assert torch.equal(image, stream.counterfactual(int(Path(row.file_name).stem), code))
                found += 1
    assert found > 24  # each image is its own, and there are others


@pytest.mark.parametrize("name", RENDERED)
def test_a_folder_without_groups_knows_no_counterfactual(tmp_path: Path, name: str):
    _, folder, _ = make(tmp_path, name, "images")
    assert folder.counterfactual(0, folder.labels[0]) is None


def test_modalities_boxes_and_poses(tmp_path: Path):
    _, folder, stream = make(tmp_path, "streets", "modalities")
    for row in folder.rows:
        view = stream.view(int(Path(row.file_name).stem))
        read = {name: np.array(Image.open(tmp_path / "made" / path)) for name, path in row.modalities.items()}
        assert set(read) == {"depth", "nir", "segmentation", "instances"}
        assert read["depth"].dtype == np.uint16
        assert np.abs(read["depth"] / 256 - view.modalities["depth"]).max() <= 1 / 512 + 1e-6
        for name in ("nir", "segmentation", "instances"):
            assert np.array_equal(read[name], view.modalities[name])
        assert row.pose == pytest.approx(view.pose)
        assert [(box.class_, [*box.box]) for box in row.boxes] == [(b["class"], b["box"]) for b in view.boxes]


def test_classes_have_names(tmp_path: Path):
    world, _, _ = make(tmp_path, "streets", "modalities")
    names = json.loads((tmp_path / "made/classes.json").read_text())["segmentation"]
    assert tuple(names) == world.classes and names[0] == "sky"


def test_boxes_without_the_other_modalities(tmp_path: Path):
    _, folder, _ = make(tmp_path, "streets", "boxes")
    assert any(row.boxes for row in folder.rows)
    assert {name for row in folder.rows for name in row.modalities} == {"instances"}


def test_weak_pairs_show_the_same_place_from_another_pose(tmp_path: Path):
    world, _, _ = make(tmp_path, "streets", "weak-pairs")
    pairs = read_pairs(tmp_path / "made" / PAIRS)
    count = len(world.task.domains)
    same = [int(Path(p.first).stem) // count == int(Path(p.second).stem) // count for p in pairs]
    assert np.mean(same) > 0.9
    assert 0.05 < np.mean([p.metres for p in pairs]) < 2


def test_splits_are_written_apart(tmp_path: Path):
    make(tmp_path, "faces", "images")
    assert Manifest.open(tmp_path / "made").splits() == ["test", "train"]
    assert len(Manifest.open(tmp_path / "made").of("train")) == 24


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    words = "data make faces made --size 32 --n 6 --test-images 2 --set pairs --seed 3 --json"
    assert main(words.split()) == 0
    assert json.loads(capsys.readouterr().out) == {"root": "made", "images": 8}
    assert main(["data", "make", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in worlds.WORLDS)
    with pytest.raises(SystemExit) as stop:
        main(["data", "make", "streets", "--help"])
    assert stop.value.code == 0
    assert "--n" in capsys.readouterr().out


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        worlds.make(RENDERED["streets"](size=32, images=4, test_images=2, set="modalities"), tmp_path / name)
    files = [p.relative_to(tmp_path / "a") for p in sorted((tmp_path / "a").rglob("*")) if p.is_file()]
    assert len(files) == 6 * 5 + 2  # and metadata.jsonl, classes.json
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
