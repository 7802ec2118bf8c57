"""The command line on a model between modalities, from training on."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dragoman
from dragoman.cli import main
from dragoman.inference.modal import ModalTranslator

QUICK = ["--evaluate.inputs", "4", "--quiet"]


def call(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and a folder of scenes."""
    out = tmp_path_factory.mktemp("modal")
    assert call("train", "mix_and_match.tiny", "--out", out / "run", *QUICK) == 0
    assert call("data", "make", "streets", out / "scenes", "--set", "modalities", "--size", 20, "--n", 4,
                "--test-images", 3) == 0  # fmt: skip
    return out


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


RGB = "scenes/test/*/00000.png"
DEPTH, SEGMENTATION = Path("scenes/depth/test/00000.png"), Path("scenes/segmentation/test/00000.png")


def colour() -> Path:
    return next(Path().glob(RGB))


def test_a_run_shows_and_measures_every_translation(trained: Path):
    run = trained / "run"
    found = json.loads((run / "metrics.json").read_text())
    assert found["unseen"] == ["depth to segmentation", "segmentation to depth"]
    assert set(found["per_domain"]["depth to segmentation"]) >= {"miou", "accuracy"}
    assert set(found["per_domain"]["rgb to depth"]) == {
        "delta_1", "delta_2", "delta_3", "rmse", "rmse_log", "alignment",
    }  # fmt: skip
    assert {"l1", "psnr"} <= set(found["per_domain"]["segmentation to rgb"])
    assert {"unseen_miou", "seen_rmse", "several_psnr"} <= found.keys()
    page = (run / "report.html").read_text()
    assert "depth to segmentation" in page and "4 test scenes" in page
    assert Image.open(run / "grid.png").size[0] == (3 + 6) * 66 + 2
    assert len(list((run / "samples").iterdir())) == 2
    assert 'to="segmentation"' in (run / "model/README.md").read_text()


def test_the_next_command_that_a_run_prints_works(place: Path, capsys: pytest.CaptureFixture[str]):
    assert call("train", "mix_and_match.tiny", "--out", "new", *QUICK) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "next: dragoman translate new/model IMAGE --from depth --to segmentation --out translated"
    words = line.removeprefix("next: dragoman ").replace("IMAGE", str(DEPTH)).split()
    assert call(*words) == 0


def test_one_picture(place: Path, capsys: pytest.CaptureFixture[str]):
    assert call("translate", "run/model", DEPTH, "--from", "depth", "--to", "segmentation", "--out", "out") == 0
    assert capsys.readouterr().out.startswith("1 translated, 0 were done already, 0 left out")
    image = Image.open("out/00000.png")
    assert (image.mode, image.size) == ("P", (20, 20))
    translator = dragoman.load("run/model")
    assert isinstance(translator, ModalTranslator)
    assert np.array_equal(np.asarray(image), translator({"depth": DEPTH}, to="segmentation").numbers)
    assert call("translate", "run/model", SEGMENTATION, "--from", "segmentation", "--to", "depth", "--out", "deep") == 0
    assert np.asarray(Image.open("deep/00000.png")).dtype == np.uint16


def test_several_pictures_of_one_scene(place: Path):
    words = [colour(), DEPTH, "--from", "rgb", "depth", "--to", "segmentation", "--out", "out"]
    assert call("translate", "run/model", *words, "--quiet") == 0
    expected = dragoman.load("run/model")({"rgb": colour(), "depth": DEPTH}, to="segmentation").numbers
    assert np.array_equal(np.asarray(Image.open("out/00000.png")), expected)


def test_a_folder_of_one_modality_with_bad_files(place: Path, capsys: pytest.CaptureFixture[str]):
    folder = Path("scenes/depth/test")
    (folder / "bad.png").write_text("no image")
    np.save(folder / "metres.npy", np.full((7, 9), 4.0))
    capsys.readouterr()
    words = ["translate", "run/model", folder, "--from", "depth", "--to", "depth", "--out", "out", "--json"]
    assert call(*words) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["translated"], found["skipped"], [*found["failed"]]) == (4, 0, [str(folder / "bad.png")])
    assert shown.err.splitlines() == [f"dragoman: {folder}/bad.png: not an image file; remove it or convert it to PNG "
                                      "or JPEG"]  # fmt: skip
    assert np.load("out/metres.npy").shape == (7, 9)
    assert call(*words) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 4
    assert call("translate", "run/model", folder / "bad.png", "--from", "depth", "--to", "rgb", "--out", "new") == 2


def test_evaluate_on_a_folder_and_on_the_world(place: Path, capsys: pytest.CaptureFixture[str]):
    words = ["evaluate", "run/model", "scenes", "--inputs", 3, "--json"]
    assert call(*words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["n"] == 3 and len(found["per_domain"]) == 9
    assert found["written"][-1] == "run/report.html"
    assert Path("run/evaluations/scenes-test.grid.png").exists()
    assert "Evaluation: scenes, test split" in Path("run/report.html").read_text()
    assert call("evaluate", "run/model", "streets", "--inputs", 2, "--out", "measured") == 0
    assert "unseen_miou" in capsys.readouterr().out
    assert {p.name for p in Path("measured").iterdir()} == {"grid.png", "metrics.json", "report.html"}


def test_training_on_a_folder_leaves_bad_scenes_out(place: Path, capsys: pytest.CaptureFixture[str]):
    Path("scenes/segmentation/train/00001.png").write_text("no image")
    small = ["--method.width", 4, "--method.blocks", 1, 1, "--method.d-layers", 2, "--data.size", 16,
             "--data.load-size", 18, "--train.steps", 4, "--train.batch-size", 4]  # fmt: skip
    assert call("train", "mix_and_match.folder", "--data.root", "scenes", "--data.seen", "rgb+depth+nir",
                "rgb+segmentation", *small, "--out", "new", "--evaluate.inputs", 3) == 0  # fmt: skip
    task = dragoman.load("new/model").task
    assert task.domains == ("rgb", "depth", "nir", "segmentation")
    assert set(task.seen) == {("rgb", "depth", "nir"), ("rgb", "segmentation")}
    assert json.loads(Path("new/config.json").read_text())["data"]["seen"] == [["rgb", "depth", "nir"],
                                                                              ["rgb", "segmentation"]]  # fmt: skip
    assert call("train", "--config", "new/config.json", "--dry-run") == 0
    capsys.readouterr()


TRANSLATE = "translate run/model scenes/depth/test/00000.png --out new"
MISTAKES = {
    f"{TRANSLATE} --to segmentation": "--from is missing: say what the inputs are, of rgb, depth, segmentation",
    f"{TRANSLATE} --from dpth --to rgb": "unknown modality 'dpth'; did you mean depth?",
    f"{TRANSLATE} --from depth --to segmentatoin": "unknown modality 'segmentatoin'; did you mean segmentation?",
    f"{TRANSLATE} --from rgb depth --to segmentation": "--from rgb depth needs 2 files of one scene in that order",
    f"{TRANSLATE} --from depth --to rgb --seed 3": "this model translates between modalities; leave --seed out",
    f"{TRANSLATE} --from depth --to rgb --masks": "leave --masks out",
    f"{TRANSLATE} --from depth --to rgb --exemplar scenes": "leave --exemplar out",
    f"{TRANSLATE} --from segmentation --to rgb": "no class has the number",
    "translate run/model nothing.png --from depth --to rgb --out new": "nothing.png: no such file or folder",
    "translate run/model run/state --from depth --to rgb --out new": "no image files in run/state",
    f"{TRANSLATE}/../scenes/depth/test --from depth --to segmentation": "would be written onto itself",
    "evaluate run/model scenes --metrics miou": "all metrics of a model between modalities are measured",
    "evaluate run/model run": "run has no metadata.jsonl; give a folder with a metadata.jsonl",
    "evaluate run/model digits": "digits has the domains",
    "generate run/model --out new": "translates images and makes none from noise",
    "train mix_and_match.folder --out new": "no folder DIR; give --data.root a folder with a metadata",
    "train mix_and_match.folder --out new --data.root scenes --data.seen rgb+dpth": "has 'dpth', which --data.seen",
    "train mix_and_match.folder --out new --data.root scenes --data.seen rgb": "two modalities or more",
    "train mix_and_match.tiny --out new --data.seen rgb+depth nir+segmentation": "connected through modalities",
    "train mix_and_match.tiny --out new --train.batch-size 5": "cannot be shared equally by 2 sets",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(place: Path, capsys: pytest.CaptureFixture[str], mistake: str):
    before = sorted(str(p) for p in place.rglob("*"))
    capsys.readouterr()
    assert call(*mistake.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == "" or shown.out.startswith("0 translated")
    assert shown.err.count("\n") == 1, shown.err
    assert shown.err.startswith("dragoman: ")
    assert MISTAKES[mistake] in shown.err
    left = [p for p in sorted(str(p) for p in place.rglob("*")) if p not in before and Path(p).is_file()]
    assert [Path(p).name for p in left] in ([], [".dragoman.json"], ["config.json"])
