"""`data check`: every defect is found, said once, and in JSON."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragoman.cli import main
from dragoman.data.check import check
from dragoman.data.dataset import Images
from dragoman.data.manifest import Manifest, Row

RNG = np.random.default_rng(0)


def noise(path: Path, mode: str = "RGB", size: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (size, size, 3), dtype=np.uint8)).convert(mode).save(path)
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        for domain in ("day", "night"):
            for number in range(2):
                noise(tmp_path / split / domain / f"{number}.png")
    return tmp_path


def test_a_good_folder(good: Path, capsys: pytest.CaptureFixture[str]):
    found = check(good)
    assert found.problems == []
    assert found.counts == {"test": {"day": 2, "night": 2}, "train": {"day": 2, "night": 2}}
    assert found.sizes == {"16 x 16": 8}
    assert found.modes == {"RGB": 8}
    assert main(["data", "check", str(good)]) == 0
    shown = capsys.readouterr()
    assert "nothing is wrong" in shown.out
    assert shown.err == ""


def test_images_of_one_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As generators take them: no domains are asked for."""
    noise(tmp_path / "0.png")
    problem(tmp_path, "no test split", "into test/ and the others into train/")
    (tmp_path / "train/any").mkdir(parents=True)
    (tmp_path / "0.png").rename(tmp_path / "train/any.png")
    noise(tmp_path / "test/1.png")
    noise(tmp_path / "elsewhere.png")
    found = check(tmp_path)
    assert (found.plain, found.problems) == (True, [])
    assert found.counts == {"test": {"images": 1}, "train": {"images": 1}}
    capsys.readouterr()
    assert main(["data", "check", str(tmp_path)]) == 0
    assert "images of one kind, for generators" in capsys.readouterr().out


def test_images_of_one_kind_without_train_are_all_but_the_test_images(tmp_path: Path):
    for name in ("a.png", "more/b.png", "test/c.png"):
        noise(tmp_path / name)
    rows = {split: [row.file_name for row in Images(root=tmp_path).open(split).rows] for split in ("train", "test")}
    assert rows == {"train": ["a.png", "more/b.png"], "test": ["test/c.png"]}


def test_progress_counts_every_image(good: Path):
    (good / "train/day/text.jpg").write_text("no image")
    seen: list[int] = []
    check(good, seen.append)
    assert sum(seen) == 9


def problem(folder: Path, *parts: str) -> None:
    """The folder has exactly one problem, whose line has these parts; the command says so with exit code 1."""
    found = check(folder)
    assert len(found.problems) == 1, found.problems
    assert all(part in found.problems[0] for part in parts), found.problems
    assert "\n" not in found.problems[0]
    assert main(["data", "check", str(folder)]) == 1


def test_damaged(good: Path):
    (good / "train/day/text.jpg").write_text("no image")
    problem(good, "1 damaged image", "text.jpg", "leaves them out")
    assert len(check(good).corrupt) == 1


def test_blank(good: Path):
    Image.new("RGB", (16, 16), (3, 4, 5)).save(good / "train/day/flat.png")
    problem(good, "1 blank image", "flat.png")


def test_small(good: Path):
    noise(good / "train/day/small.png", size=7)
    noise(good / "train/day/smaller.png", size=6)
    problem(good, "2 tiny (under 8 pixels) images", "small.png", ", ...")


def test_copies(good: Path):
    (good / "train/day/copy.png").write_bytes((good / "train/day/0.png").read_bytes())
    problem(good, "more than once", "0.png")
    assert check(good).leaks == []


def test_the_same_pixels_in_another_format_and_split(good: Path):
    with Image.open(good / "train/day/0.png") as image:
        image.save(good / "test/day/other.bmp")
    problem(good, "more than one split")
    assert len(check(good).leaks) == 1


def test_no_test_split(tmp_path: Path):
    noise(tmp_path / "day/a.png")
    noise(tmp_path / "night/a.png")
    problem(tmp_path, "no test split", "--split train", "test/<domain>/", "train/<domain>/")


def test_one_domain(tmp_path: Path):
    noise(tmp_path / "train/day/a.png")
    noise(tmp_path / "test/day/a.png")
    problem(tmp_path, "one domain (day)", "add another folder")


def test_a_domain_without_train_images(good: Path):
    noise(good / "test/dusk/a.png")
    problem(good, "'dusk' has no train image")


def test_an_empty_domain(good: Path):
    (good / "train/dusk").mkdir()
    problem(good, "dusk is empty")


def test_unequal_domains(good: Path):
    for number in range(30):
        noise(good / f"train/night/more{number}.png")
    problem(good, "night has 32 train images, day only 2")


def test_an_attribute_that_is_always_the_same(tmp_path: Path):
    rows = []
    for number in range(4):
        split = "train" if number < 2 else "test"
        rows.append(Row(file_name=f"{number}.png", split=split, attributes={"hat": number % 2, "face": 1}))
        noise(tmp_path / rows[-1].file_name)
    Manifest(tmp_path, rows).write()
    problem(tmp_path, "attribute face is the same on every train image")
    assert check(tmp_path).counts["train"] == {"face": 2, "hat": 1}


def test_a_file_that_is_not_there(good: Path):
    manifest = Manifest.open(good)
    manifest.rows.append(Row(file_name="train/day/gone.png", split="train", domain="day"))
    manifest.write()
    problem(good, "1 damaged image", "gone.png")


def test_json(good: Path, capsys: pytest.CaptureFixture[str]):
    noise(good / "train/day/grey.png", "L")
    (good / "train/night/text.jpg").write_text("no image")
    assert main(["data", "check", str(good), "--json"]) == 1
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["modes"] == {"RGB": 8, "L": 1}
    assert found["counts"]["train"] == {"day": 3, "night": 3}
    assert found["exclusive"] is True
    assert len(found["corrupt"]) == len(found["problems"]) == 1
    assert found == check(good).as_json()


def test_names_that_look_like_markup(good: Path, capsys: pytest.CaptureFixture[str]):
    manifest = Manifest.open(good)
    rows = [row.model_copy(update={"domain": {"day": "[/day]", "night": "[red]night"}[row.domain or ""]})
            for row in manifest.rows]  # fmt: skip
    Manifest(good, rows).write()
    assert main(["data", "check", str(good)]) == 0
    assert "[/day]" in (shown := capsys.readouterr().out)
    assert "[red]night" in shown


def test_nothing_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "check", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"dragoman: no images in {tmp_path}; expected train/<domain>/*.jpg (or <domain>/*.jpg)\n"
    )


def test_further_pictures_and_boxes_that_do_not_fit(good: Path):
    rows = Manifest.open(good).rows
    noise(good / "depth/right.png")
    noise(good / "depth/small.png", size=8)
    (good / "depth/metres.npy").touch()
    fits = {"modalities": {"depth": "depth/right.png", "metres": "depth/metres.npy"},
            "boxes": [{"class": "car", "box": [0, 0, 16, 16]}]}  # fmt: skip
    rows[0] = Row.model_validate(rows[0].model_dump() | fits)
    Manifest(good, rows).write()
    assert check(good).problems == []
    misfits = {"modalities": {"depth": "depth/small.png", "nir": "nir/none.png"},
               "boxes": [{"class": "car", "box": [0, 0, 17, 16]}, {"class": "car", "box": [-1, 0, 9, 9]}]}  # fmt: skip
    rows[1] = Row.model_validate(rows[1].model_dump() | misfits)
    Manifest(good, rows).write()
    assert len(check(good).columns) == 4
    problem(good, "4 further pictures or boxes do not fit", "small.png: depth has 8 x 8 pixels", "16 x 16")


@pytest.mark.parametrize("box", [[4, 0, 4, 9], [0, 9, 9, 3], [0, 0, 9]])
def test_a_box_that_is_none(good: Path, box: list[int], capsys: pytest.CaptureFixture[str]):
    row = {"file_name": "train/day/0.png", "boxes": [{"class": "car", "box": box}]}
    (good / "metadata.jsonl").write_text(json.dumps(row))
    assert main(["data", "check", str(good)]) == 2
    shown = capsys.readouterr().err
    assert "metadata.jsonl line 1: boxes" in shown
    assert shown.count("\n") == 1
