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


def test_another_scene_of_the_same_names_is_never_taken_for_done(place: Path, capsys: pytest.CaptureFixture[str]):
    """Elsewhere, or in the same files: `rgb.png` and `depth.png` are what everybody calls them."""
    for number, folder in enumerate((Path("one"), Path("two"))):
        folder.mkdir()
        shutil.copy(sorted(Path("scenes/test").glob("*/*.png"))[0], folder / "rgb.png")
        shutil.copy(Path(f"scenes/depth/test/{number:05d}.png"), folder / "depth.png")

    def translated(*inputs: object, names: str = "rgb depth", expect: int = 0) -> str:
        capsys.readouterr()
        words = [*inputs, "--from", *names.split(), "--to", "segmentation", "--out", f"out-{names}", "--quiet"]
        assert call("translate", "run/model", *words) == expect
        shown = capsys.readouterr()
        return shown.out[: shown.out.find(",")] if not expect else shown.err

    assert translated("one/rgb.png", "one/depth.png") == "1 translated"
    before = Path("out-rgb depth/rgb.png").read_bytes()
    assert translated("one/rgb.png", "one/depth.png") == "0 translated"
    says = "dragoman: out-rgb depth/rgb.png is the translation of other files; use another --out\n"
    assert translated("two/rgb.png", "two/depth.png", expect=2) == says
    shutil.copy("two/depth.png", "one/depth.png")
    assert translated("one/rgb.png", "one/depth.png", expect=2) == says
    assert Path("out-rgb depth/rgb.png").read_bytes() == before
    Path("out-rgb depth/rgb.png").unlink()
    assert translated("one/rgb.png", "one/depth.png") == "1 translated"
    assert Path("out-rgb depth/rgb.png").read_bytes() != before
    shutil.copy("scenes/depth/test/00002.png", "two/depth.png")
    assert translated("one/depth.png", names="depth") == "1 translated"
    assert "is the translation of other files" in translated("two/depth.png", names="depth", expect=2)


def test_parallel_folders_of_several_modalities(place: Path, capsys: pytest.CaptureFixture[str]):
    """Matched by name whatever the suffix; the first gives the names."""
    for k, path in enumerate(sorted(Path("scenes/test").glob("*/*.png"))):
        (Path("colour/deep") / path.name).parent.mkdir(parents=True, exist_ok=True)
        Image.open(path).save(Path("colour/deep") / path.with_suffix(".jpg").name)
        Path("far/deep").mkdir(parents=True, exist_ok=True)
        if k:
            shutil.copy(f"scenes/depth/test/{path.name}", "far/deep")
        else:
            metres = np.asarray(Image.open(f"scenes/depth/test/{path.name}")) / np.float32(256)
            np.save(Path("far/deep") / path.with_suffix(".npy").name, metres)
    words = ["translate", "run/model", "far", "colour", "--from", "depth", "rgb", "--to", "segmentation", "--out"]
    assert call(*words, "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["translated"] == 3
    assert sorted(str(p) for p in Path("out").rglob("*.png")) == [f"out/deep/0000{k}.png" for k in range(3)]
    translator = dragoman.load("run/model")
    for name, suffix in (("00000", "npy"), ("00002", "png")):
        inputs = {"rgb": f"colour/deep/{name}.jpg", "depth": f"far/deep/{name}.{suffix}"}
        assert np.array_equal(np.asarray(Image.open(f"out/deep/{name}.png")),
                              translator(inputs, to="segmentation").numbers)  # fmt: skip
    assert call(*words, "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 3
    for lost, has in (("far", "colour/deep/00001.jpg"), ("colour", "far/deep/00002.png")):
        if lost == "far":
            Path("far/deep/00001.png").unlink()
        else:
            Path("colour/deep/00001.jpg").unlink()
            Path("colour/deep/00002.jpg").unlink()
        assert call(*words, "new") == 2
        says = f"dragoman: {lost} has no file for {has}; give a scene the same name in each folder\n"
        assert capsys.readouterr().err == says
        assert not Path("new").exists()


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
