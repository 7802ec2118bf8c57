"""Folders as domains, and metadata.jsonl."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragoman.data.manifest import METADATA, Manifest, Row, code
from dragoman.errors import UserError


def images(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(root / name)
    return root


def metadata(root: Path, *lines: str | dict[str, object]) -> Path:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (root / METADATA).write_text(text + "\n")
    return root


def test_folders_with_split(tmp_path: Path):
    images(tmp_path, "train/day/b.png", "train/day/deep/a.png", "train/night/a.png", "test/day/a.png", "readme.png")
    manifest = Manifest.open(tmp_path)
    assert {(r.file_name, r.split, r.domain) for r in manifest.rows} == {
        ("train/day/b.png", "train", "day"), ("train/day/deep/a.png", "train", "day"),
        ("train/night/a.png", "train", "night"), ("test/day/a.png", "test", "day"),
    }  # fmt: skip
    assert manifest.splits() == ["test", "train"]
    assert manifest.domains() == (("day", "night"), True)
    assert manifest.need_domains() == (("day", "night"), True)


def test_folders_without_split_are_train(tmp_path: Path):
    manifest = Manifest.open(images(tmp_path, "day/a.png", "night/a.png"))
    assert {(r.split, r.domain) for r in manifest.rows} == {("train", "day"), ("train", "night")}
    with pytest.raises(UserError, match=r"no test images in .*; add some, or take these: --split train"):
        manifest.of("test")


def test_metadata_round_trip(tmp_path: Path):
    rows = [
        Row(file_name="a.png", domain="été", split="val", group="g", pose=(1.0, 2.5, 0.1)),
        Row(file_name="d/b.png", attributes={"hat": 1, "kind": 7}, boxes=[{"class": "car", "box": [0, 0, 3, 4]}],
            modalities={"depth": "d/b.tif"}),
    ]  # fmt: skip
    Manifest(tmp_path, rows).write()
    assert Manifest.open(tmp_path).rows == rows


def test_metadata_from_other_systems(tmp_path: Path):
    """A byte order mark, Windows line ends, blank lines, and characters that only Unicode calls line ends."""
    lines = ['{"file_name": "a.png", "domain": "x"}', "", '{"file_name": "b\u2028.png", "domain": "y"}']
    (tmp_path / METADATA).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert [row.file_name for row in Manifest.open(tmp_path).rows] == ["a.png", "b\u2028.png"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"file_name": "b.png"', "JSON"),
        ("hello", "JSON"),
        ('"b.png"', "object"),
        ('{"domain": "x"}', "file_name"),
        ('{"file_name": "b.png", "domian": "x"}', "domian"),
        ('{"file_name": "b.png", "attributes": {"hat": -1}}', "attributes.hat"),
        ('{"file_name": "../b.png"}', "must stay inside"),
        ('{"file_name": "d/../../b.png"}', "must stay inside"),
        ('{"file_name": "/etc/b.png"}', "must stay inside"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, says: str):
    metadata(tmp_path, {"file_name": "a.png", "domain": "x"}, "", line)
    with pytest.raises(UserError) as error:
        Manifest.open(tmp_path)
    assert f"{METADATA} line 3: " in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path):
    (tmp_path / METADATA).write_bytes(b'{"file_name": "\xff\xfe.png"}\n')
    with pytest.raises(UserError, match="line 1"):
        Manifest.open(tmp_path)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "no images"),
        (["a.png"], "no images"),
        (["train/day/a.png"], "one domain \\(day\\); translation needs two"),
        (["train/day/a.png", "test/day/a.png", "test/night/a.png"], "'night' has no train image"),
        (["test/day/a.png", "test/night/a.png"], "no train images"),
    ],
)
def test_folders_that_are_not_enough(tmp_path: Path, names: list[str], says: str):
    images(tmp_path, *names)
    with pytest.raises(UserError, match=says):
        Manifest.open(tmp_path).need_domains()


def test_an_empty_domain_folder(tmp_path: Path):
    images(tmp_path, "train/day/a.png", "train/night/a.png")
    (tmp_path / "train" / "dusk").mkdir()
    (tmp_path / "train" / ".cache").mkdir()
    with pytest.raises(UserError, match="dusk is empty"):
        Manifest.open(tmp_path).need_domains()


def test_no_folder(tmp_path: Path):
    with pytest.raises(UserError, match="no folder"):
        Manifest.open(tmp_path / "nowhere")


def test_attributes_as_domains(tmp_path: Path):
    metadata(tmp_path, {"file_name": "a.png", "attributes": {"smile": 1, "hat": 0, "pose": 3}},
             {"file_name": "b.png", "attributes": {"smile": 0, "hat": 1, "pose": 1}})  # fmt: skip
    manifest = Manifest.open(tmp_path)
    assert manifest.need_domains() == (("hat", "smile"), False)
    assert [code(row, ("hat", "smile"), False) for row in manifest.rows] == [[0, 1], [1, 0]]


def test_a_domain_makes_domains_exclusive(tmp_path: Path):
    metadata(tmp_path, {"file_name": "a.png", "domain": "day", "attributes": {"hat": 1}},
             {"file_name": "b.png", "domain": "night", "attributes": {"hat": 0}})  # fmt: skip
    manifest = Manifest.open(tmp_path)
    assert manifest.domains() == (("day", "night"), True)
    assert [code(row, ("day", "night"), True) for row in manifest.rows] == [[1, 0], [0, 1]]
