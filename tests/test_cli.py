"""The command line from end to end, on a run of four steps."""

import inspect
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel
from safetensors.torch import save_file

import dragoman
from dragoman import methods, plan, recipes, worlds
from dragoman.cli import COMMANDS, main
from dragoman.data.manifest import Manifest, Row
from dragoman.nets.frozen import PUBLISHED, build

RNG = np.random.default_rng(0)
QUICK = ["--evaluate.classifier-steps", "2", "--evaluate.inputs", "16", "--evaluate.styles", "2", "--quiet"]


def call(*words: object) -> int:
    """The exit code."""
    try:
        return main([str(word) for word in words])
    except SystemExit as stop:  # --help
        return int(stop.code or 0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert call("train", "sdit.tiny", "--out", out, *QUICK) == 0
    return out


def noise(path: Path, height: int = 20, width: int = 20) -> Image.Image:
    """An image of noise, with a place for it to be saved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(capsys: pytest.CaptureFixture[str], words: list[str]):
    assert call(*words) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("train", "data make")])
def test_help_of_a_command_names_every_field(capsys: pytest.CaptureFixture[str], name: str):
    assert call(*name.split(), "--help") == 0
    shown = capsys.readouterr().out
    for parameter in inspect.signature(COMMANDS[name][0]).parameters.values():
        keyword = parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert (
            f"--{parameter.name.rstrip('_').replace('_', '-')}" if keyword else parameter.name.upper().removesuffix("S")
        ) in shown


@pytest.mark.parametrize("words", [["data"], ["data", "--help"]])
def test_help_lists_the_data_commands(capsys: pytest.CaptureFixture[str], words: list[str]):
    assert call(*words) == 0
    listed = [line.strip().split("  ")[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert listed == [name for name in COMMANDS if name.startswith("data ")]


def test_help_of_data_make_lists_the_worlds_and_explains_every_field_of_each(capsys: pytest.CaptureFixture[str]):
    assert call("data", "make", "--help") == 0
    shown = capsys.readouterr().out
    for name, world in worlds.WORLDS.items():
        assert f"  {name} " in shown
        assert call("data", "make", name, "--help") == 0
        explained = " ".join(capsys.readouterr().out.replace("│", " ").split())
        for field, about in world.model_fields.items():
            assert f"--{field.replace('_', '-')}" in explained
            assert " ".join((about.description or "nothing").split())[:20] in explained


def leaves(config: BaseModel, prefix: str = "--") -> Iterator[str]:
    for name in type(config).model_fields:
        value, flag = getattr(config, name), prefix + name.replace("_", "-")
        yield from leaves(value, f"{flag}.") if isinstance(value, BaseModel) else [flag]


def test_help_of_train(capsys: pytest.CaptureFixture[str]):
    assert call("train", "--help") == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in recipes.names())
    for flag in ("--out", "--resume", "--dry-run", "--config", "--quiet", "--json"):
        assert f"  {flag} " in shown


@pytest.mark.parametrize("recipe", ["sdit.paper", "stargan.tiny"])
def test_help_of_a_recipe_names_and_explains_every_field(capsys: pytest.CaptureFixture[str], recipe: str):
    experiment = recipes.find(recipe)
    assert call("train", recipe, "--help") == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    flags = [flag for flag in leaves(experiment) if flag != "--recipe"]
    assert len(flags) > 20
    for flag in flags:
        assert f"{flag} " in shown or f"{flag}," in shown, flag
    for part in (experiment.method, experiment.data, experiment.train):
        for name, field in type(part).model_fields.items():
            assert " ".join((field.description or "no docstring").split()) in shown, name


def test_version(capsys: pytest.CaptureFixture[str]):
    assert call("--version") == 0
    assert capsys.readouterr().out == f"{dragoman.__version__}\n"


def test_methods(capsys: pytest.CaptureFixture[str]):
    assert call("methods", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == methods.names()
    assert {r for facts in found.values() for r in facts["recipes"]} == set(recipes.names())
    assert call("methods") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in recipes.names())


def test_a_run_leaves_a_whole_folder(run: Path):
    names = {p.name for p in run.iterdir()}
    assert names == {"config.json", "environment.json", "features.png", "grid.png", "log.jsonl", "masks.png",
                     "metrics.json", "model", "report.html", "samples", "state"}  # fmt: skip
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["0000002.png", "0000004.png"]
    assert sorted(p.name for p in (run / "state").iterdir()) == ["2", "4"]
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "D/gan" in line] == [1, 2, 3, 4]
    assert json.loads((run / "config.json").read_text())["recipe"] == "sdit.tiny"
    assert not [p for p in run.rglob("*") if ".tmp" in p.name]


def test_the_report_holds_everything_and_is_written_again(run: Path, capsys: pytest.CaptureFixture[str]):
    (run / "report.html").unlink()
    assert call("report", run) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    page = (run / "report.html").read_text()
    for part in ("sdit.tiny", "Wang et al.", "domain_accuracy", "16 test images", "data:image/png;base64,"):
        assert part in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_config_repeats_the_run_bit_for_bit(run: Path, tmp_path: Path):
    assert call("train", "--config", run / "config.json", "--out", tmp_path / "again", "--quiet") == 0
    for name in ("config.json", "model/model.safetensors", "model/config.json", "grid.png", "metrics.json"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes(), name


def test_another_seed_is_another_run(run: Path, tmp_path: Path):
    words = ["--config", run / "config.json", "--train.seed", 1, "--out", tmp_path / "other", "--quiet"]
    assert call("train", *words) == 0
    name = "model/model.safetensors"
    assert (tmp_path / "other" / name).read_bytes() != (run / name).read_bytes()


def test_resume_begins_continues_and_repeats_nothing(tmp_path: Path):
    words = ["train", "sdit.tiny", "--out", tmp_path / "run", "--resume", *QUICK]
    assert call(*words, "--train.steps", 2) == 0
    first = (tmp_path / "run/log.jsonl").read_text()
    assert call(*words, "--train.steps", 4) == 0
    log = (tmp_path / "run/log.jsonl").read_text()
    assert log.startswith(first)
    assert [json.loads(line)["step"] for line in log.splitlines() if "D/gan" in line] == [1, 2, 3, 4]
    model = (tmp_path / "run/model/model.safetensors").read_bytes()
    assert call(*words, "--train.steps", 4) == 0
    assert (tmp_path / "run/log.jsonl").read_text() == log
    assert (tmp_path / "run/model/model.safetensors").read_bytes() == model


def test_a_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    assert call("train", "sdit.tiny", "--dry-run") == 0
    assert call("train", "stargan.tiny", "--dry-run", "--out", tmp_path / "out") == 0
    assert list(tmp_path.iterdir()) == []
    shown = capsys.readouterr().out
    for part in ("1438 images of 4 domains: blue, green, red, yellow", "every", "peak memory"):
        assert part in shown


def test_advice_on_memory_names_fields_that_the_recipe_has():
    for name, options in {
        "sdit.tiny": "--train.batch-size, --data.size or --method.width",
        "bsa.tiny": "--train.batch-size, --data.size or --method.gan.width",
        "wct.tiny": "--train.batch-size or --data.size",
    }.items():
        assert plan.less(recipes.find(name)) == options
    assert all("size" in type(recipes.find(name).data).model_fields for name in recipes.names())


def test_a_dry_run_as_json(capsys: pytest.CaptureFixture[str]):
    assert call("train", "sdit.tiny", "--dry-run", "--json", "--train.steps", "3600") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["hours"] == pytest.approx(found["seconds_per_step"])
    assert found["parameters"].keys() == {"E", "M", "G", "D"}
    assert [(p["phase"], p["every"]) for p in found["phases"]] == [("D", 1), ("G", 2)]
    assert 0.05 < found["memory_gib"] < 50


def test_data_make_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert call("data", "make", "digits", tmp_path / "digits", "--size", "16", "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == len(list((tmp_path / "digits").rglob("*.png")))


def test_train_prints_metrics_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert call("train", "stargan.tiny", "--out", tmp_path / "run", "--json", *QUICK) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert shown.err == ""
    assert result["n"] == 16
    written = json.loads((tmp_path / "run/metrics.json").read_text())
    assert {name: written[name] for name in result["metrics"]} == result["metrics"]


def test_evaluate_prints_numbers_with_protocol(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(run / "model", tmp_path / "model")
    words = ["evaluate", tmp_path / "model", "digits", "--inputs", 8, "--styles", 2, "--metrics", "diversity"]
    assert call(*words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "N = 8; 8 test images, each to every other domain, 2 styles (seed 0)" in shown
    assert "diversity" in shown
    assert "domain_accuracy" not in shown
    assert call(*words, "--json", "--out", tmp_path / "new/folder") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["n"] == 8
    assert "8 test images" in result["protocol"]
    written = json.loads((tmp_path / "new/folder/metrics.json").read_text())
    assert written["diversity"] == result["metrics"]["diversity"] > 0


def test_evaluate_adds_to_the_report_of_the_run(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(run, tmp_path / "run")
    run = tmp_path / "run"
    own = (run / "metrics.json").read_bytes()
    words = ["evaluate", run / "model", "digits", "--styles", 2, "--metrics"]
    assert call(*words, "sift") == 2  # digits have no poses
    assert not (run / "evaluations").exists()
    names = [f"evaluations/digits-test.{n}" for n in ("json", "grid.png")]
    for inputs, metric in ((12, "diversity"), (13, "domain_accuracy")):  # the second call replaces the first
        capsys.readouterr()
        assert call(*words, metric, "--inputs", inputs) == 0
        names += ["evaluations/digits-test.features.png"] if inputs == 13 else []
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == "written: " + ", ".join(str(run / name) for name in (*names, "report.html"))
        assert sorted(p.name for p in (run / "evaluations").iterdir()) == sorted(Path(name).name for name in names)
    assert (run / "metrics.json").read_bytes() == own
    page = (run / "report.html").read_text()
    for part in ("16 test images", "13 test images", "Evaluation: digits, test split", "Principal components"):
        assert part in page
    assert "12 test images" not in page
    assert call(*words, "diversity", "--inputs", 11, "--split", "train", "--out", run, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["written"][0] == str(run / "evaluations/digits-train.json")
    assert found["written"][-1] == str(run / "report.html")
    page = (run / "report.html").read_text()
    assert "13 test images" in page and "11 train images" in page
    (run / "report.html").unlink()
    assert call("report", run) == 0
    assert (run / "report.html").read_text() == page


def test_evaluate_of_a_model_without_a_run_writes_nothing_unasked(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(run / "model", tmp_path / "model")
    words = ["evaluate", tmp_path / "model", "digits", "--inputs", 12, "--metrics", "diversity"]
    assert call(*words) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "nothing was written; --out DIR writes a report"
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert call(*words, "--out", tmp_path / "measured") == 0
    assert "none of the metrics measured compares features" in (tmp_path / "measured/report.html").read_text()
    assert {p.name for p in (tmp_path / "measured").iterdir()} == {"grid.png", "metrics.json", "report.html"}


def test_evaluate_on_a_folder_whose_test_images_are_all_of_one_domain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    root = tmp_path / "data"
    for name in ("train/day/a", "train/day/b", "train/night/a", "train/night/b", "test/day/a"):
        noise(root / f"{name}.png").save(root / f"{name}.png")
    assert call("train", "stargan.folder", *TINY_FOLDER, "--data.root", root, "--out", tmp_path / "run", *QUICK) == 0
    capsys.readouterr()
    assert call("evaluate", tmp_path / "run/model", root, "--metrics", "domain_accuracy", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["per_domain"]) == ["night"]
    assert all(math.isfinite(value) for value in result["metrics"].values())


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "gan"
    assert call("train", "transfer_gan.tiny", "--out", out, "--evaluate.classifier-steps", 2, "--quiet") == 0
    return out / "model"


def test_generate(generator: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert call("generate", generator, "--n", 3, "--seed", 5, "--out", tmp_path / "a", "--json") == 0
    *images, grid = map(Path, json.loads(capsys.readouterr().out))
    assert len(images) == 3 and all(Image.open(path).size == (32, 32) for path in images)
    assert Image.open(grid).width > 32
    assert call("generate", generator, "--n", 1, "--seed", 7, "--out", tmp_path / "b", "--json") == 0
    (alone, _) = map(Path, json.loads(capsys.readouterr().out))  # the third image's seed
    assert np.array_equal(np.asarray(Image.open(alone)), np.asarray(Image.open(images[2])))
    assert call("generate", generator, "--n", 2, "--label", "1", "--out", tmp_path / "c") == 0
    assert "2 images in" in capsys.readouterr().out
    assert call("generate", generator, "--label", "nine", "--out", tmp_path / "d") == 2
    assert "nine" in capsys.readouterr().err and not (tmp_path / "d").exists()


def test_rank_sources(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The features have random weights."""
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for number in range(60):
        path = tmp_path / "target" / f"{number}.png"
        noise(path, 32, 32).convert("L").save(path)
    quick = ("--evaluate.classifier-steps", 2, "--quiet")
    assert call("train", "transfer_gan.tiny", "--train.seed", 1, "--out", tmp_path / "other", *quick) == 0
    both, few = [generator, tmp_path / "other" / "model"], ["--n", 60, "--json"]
    words = ["rank-sources", tmp_path / "target"]
    assert call(*words, *both, *few) == 2
    assert "ranking needs the weights of squeezenet" in capsys.readouterr().err
    assert call(*words) == 2
    assert "nothing to rank" in capsys.readouterr().err
    (tmp_path / "weights").mkdir()
    state = {k: v.contiguous() for k, v in build("squeezenet").state_dict().items()}
    save_file(state, tmp_path / PUBLISHED["squeezenet"].items[0].name)
    found = []
    for models in (both, both[::-1]):
        capsys.readouterr()
        assert call(*words, *models, *few) == 0
        found.append(list(json.loads(capsys.readouterr().out).items()))
    (near, less), (far, more) = found[0]
    assert {near, far} == set(map(str, both)) and 0 < less < more and found[1] == found[0]
    assert call(*words, generator, *few[:2]) == 0
    assert "distance to" in capsys.readouterr().out


def test_load_and_call(run: Path):
    translator = dragoman.load(run / "model")
    assert translator.domains == ("blue", "green", "red", "yellow")
    done = translator(RNG.integers(0, 256, (30, 21, 3), dtype=np.uint8), to="red", seed=3)
    assert done.image.size == (21, 30)
    assert done.mask is not None
    assert done.mask.size == (21, 30)


TINY_FOLDER = ["--data.size", "16", "--data.load-size", "18", "--train.steps", "6", "--train.batch-size", "8",
               "--method.width", "4", "--method.blocks", "1", "--method.d-layers", "3", "--train.precision", "fp32",
               "--train.grid-every", "6", "--train.save-every", "6"]  # fmt: skip


def test_a_folder_of_everything_trains_and_what_is_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    root = tmp_path / "data"
    for split in ("train", "test"):
        for domain in ("day", "night"):
            for number in range(3):
                noise(path := root / split / domain / f"{number}.png").save(path)
    day = root / "train/day"
    (day / "text.jpg").write_text("no image")
    noise(day / "cut.jpg").save(day / "cut.jpg")
    (day / "cut.jpg").write_bytes((day / "cut.jpg").read_bytes()[:-300])
    noise(day, 1, 1).save(day / "pixel.png")
    noise(day).convert("CMYK").save(day / "cmyk.jpg")
    noise(day).quantize(16).save(day / "palette.png")
    Image.fromarray(RNG.integers(0, 65536, (20, 30), dtype=np.uint16)).save(day / "sixteen.png")
    exif = Image.Exif()
    exif[274] = 6
    noise(day, 20, 40).save(day / "rotated.jpg", exif=exif)
    words = [word for word in QUICK if word != "--quiet"]
    assert call("train", "stargan.folder", *TINY_FOLDER, "--train.batch-size", 32, "--data.root", root,
                "--out", tmp_path / "run", *words) == 0  # fmt: skip
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out: ")]
    assert sorted(line.split(": ")[1] for line in said) == [
        str(day / name) for name in ("cut.jpg", "pixel.png", "text.jpg")
    ]
    assert dragoman.load(tmp_path / "run/model")(day / "sixteen.png", to="night").image.size == (30, 20)
    assert dragoman.load(tmp_path / "run/model")(day / "rotated.jpg", to="night").image.size == (20, 40)


def test_a_folder_of_attributes_trains(tmp_path: Path):
    root, rows = tmp_path / "data", []
    for number in range(12):
        attributes = {"hat": number % 2, "smile": number // 2 % 2, "kind": number % 3}
        split = "train" if number < 8 else "test"
        rows.append(Row(file_name=f"{number}.png", split=split, attributes=attributes))
        noise(root / rows[-1].file_name).save(root / rows[-1].file_name)
    Manifest(root, rows).write()
    words = [*TINY_FOLDER, "--method.cin-blocks", 1, "--data.root", root, "--out", tmp_path / "run", *QUICK]
    assert call("train", "sdit.folder", *words) == 0
    measured = json.loads((tmp_path / "run/metrics.json").read_text())
    assert set(measured["per_domain"]) == {"hat", "smile"}
    assert 0 <= measured["kind_accuracy"] <= 1
    out = tmp_path / "out"
    assert call("translate", tmp_path / "run/model", root, "--to", "no-hat,smile", "--out", out) == 0
    assert len(list(out.glob("*.png"))) == 12


def test_as_a_program(tmp_path: Path):
    """Exit code, one line and no traceback, also through `python -m dragoman`."""
    done = subprocess.run(
        [sys.executable, "-m", "dragoman", "trian"], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "dragoman: unknown command 'trian'; did you mean train or translate?\n"
