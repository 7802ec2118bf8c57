"""For every mistake one line that says what, where and what to do; exit code 2; nothing half-written."""

import contextlib
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragoman.cli import main

RNG = np.random.default_rng(0)
QUICK = ["--evaluate.classifier-steps", "2", "--evaluate.inputs", "16", "--evaluate.styles", "2", "--quiet"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert main(["train", "sdit.tiny", "--out", str(out), *QUICK]) == 0
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a run, a photo, a file in the way, a data set."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "run")
    Path("file").write_text("in the way")
    for name in ("photo.png", "data/train/day/a.png", "data/train/night/a.png", "data/test/day/a.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(name)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    """The one line of a call that fails with code 2 and prints nothing else."""
    capsys.readouterr()
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("dragoman: ")
    assert shown.err.count("\n") == 1, shown.err
    return shown.err


TRAIN, TRANSLATE, EVALUATE = (
    "train sdit.tiny --out new",
    "translate run/model photo.png --out new",
    "evaluate run/model",
)

MISTAKES = {
    # commands and recipes
    "trian sdit.tiny": "unknown command 'trian'; did you mean train",
    "data chek data": "did you mean data check",
    "dragoman": "unknown command 'dragoman'; there is: methods, data check",
    "train sdit.tinny": "unknown recipe 'sdit.tinny'; did you mean sdit.tiny",
    "train sdit": "unknown recipe 'sdit'",
    "train --out new": "name a recipe, or --config FILE",
    # fields and values
    f"{TRAIN} --method.widht 3": "--method.width",
    f"{TRAIN} --metod.width 3": "--method.width",
    f"{TRAIN} --method.width wide": "--method.width: invalid literal for int()",
    f"{TRAIN} --method.width": "--method.width",
    f"{TRAIN} --method.width 0": "width: Input should be greater than or equal to 1",
    f"{TRAIN} --method.width 1000000000": "not enough memory; take a smaller --train.batch-size",
    f"{TRAIN} --method.cin bth": "('both', 'beta', 'gamma', 'none')",
    f"{TRAIN} --method.cin none": "set w_lat to 0 as well",
    f"{TRAIN} --method.cin-blocks 5": "cin_blocks 5 must be at most blocks 2",
    f"{TRAIN} --method.d-layers 9": "at least 512 for d_layers 9",
    f"{TRAIN} --method.lr nan": "lr",
    f"{TRAIN} --method.lr -1": "lr",
    f"{TRAIN} --data.size 18": "size 18 must be a multiple of 4",
    f"{TRAIN} --data.size 8": "size: Input should be greater than or equal to 16",
    f"{TRAIN} --train.steps 0": "steps: Input should be greater than or equal to 1",
    f"{TRAIN} --train.steps 1.5": "--train.steps",
    f"{TRAIN} --train.batch-size 0": "batch_size: Input should be greater",
    f"{TRAIN} --train.seed -1": "seed: Input should be greater",
    f"{TRAIN} --train.seed 99999999999999999999": "seed: Input should be less than 4294967296",
    f"{TRAIN} --train.precision fp61": "'fp32'",
    f"{TRAIN} --train.device tpu": "device 'tpu' is not available here; use --train.device auto or cpu",
    f"{TRAIN} --train.device cuda:99": "device 'cuda:99' is not available here",
    f"{TRAIN} --evaluate.split tset": "the digits have no split 'tset'; there is: train, test",
    f"{TRAIN} --evaluate.styles 0": "styles: Input should be greater",
    f"{TRAIN} sdit.digits": "sdit.digits",
    f"{TRAIN} --recipe sdit.digits": "--recipe cannot be changed; run: dragoman train sdit.digits",
    "train sdit.tiny --out": "--out needs a value",
    "train sdit.tiny --out=": "--out needs a value",
    "train sdit.tiny --out --resume": "--out needs a value",
    # where runs are written
    "train sdit.tiny --out run": "run is not empty; use --resume to continue that run, or another --out",
    "train sdit.tiny --out data": "data is not empty",
    "train sdit.tiny --out file": "cannot write in file: Not a directory",
    "train sdit.tiny --out file/new": "cannot write in file/new: Not a directory; choose another --out",
    "train sdit.tiny --out /proc/new": "cannot write in /proc/new: ",
    "train stargan.tiny --out run --resume": "run holds a run of sdit.tiny, not stargan.tiny",
    "train sdit.tiny --out run --resume --method.width 8": "begun with --method.width 4, not 8; resume with the same",
    "train sdit.tiny --out run --resume --train.batch-size 8": "begun with --train.batch-size 4, not 8",
    "train sdit.tiny --out run --resume --data.seed 8": "begun with --data.seed 0, not 8",
    "train sdit.tiny --out data --resume": "data",
    # configurations
    "train --config": "--config needs a value",
    "train --config nothing.json": "cannot read nothing.json: No such file or directory",
    "train --config data": "cannot read data: Is a directory",
    "train --config file": "file is not the config.json of a run",
    "train --config photo.png": "photo.png is not the config.json of a run",
    "train --config run/model/config.json": "run/model/config.json is not the config.json of a run",
    # data
    "train sdit.folder --out new": "no folder DIR; give --data.root a folder with train/<domain>",
    "train sdit.folder --out new --data.root nowhere": "no folder nowhere; give a folder with train/<domain>",
    "train vae.folder --out new": "no image files in DIR; give --data.root a folder with .jpg or .png files",
    "train sdit.folder --out new --data.root data/test": "data/test has one domain (day)",
    "train sdit.folder --out new --data.root data --data.domains day": "--data.domains names only day",
    "train sdit.folder --out new --data.root data --data.domains day day": "names only day, day",
    "train sdit.folder --out new --data.root data --data.domains day nigth": "no domain 'nigth' in data",
    "train sdit.folder --out new --data.root data --data.channels 4": "channels must be 3 (colour) or 1 (grey), got 4",
    "data check nowhere": "no folder nowhere",
    "data check file": "no folder file",
    "data check run/model": "no images in run/model",
    "data make digit new": "unknown world 'digit'; did you mean digits?",
    "data make digits data": "data exists; give a folder that does not",
    "data make digits file/new": "cannot write in file/new: ",
    "data make digits new --size 8": "size: Input should be greater than or equal to 16; see",
    "data make digits": "name the folder to write: dragoman data make digits OUT",
    # models
    f"{TRANSLATE}": "Missing from dragoman translate: --to",
    f"{TRANSLATE} --to purple": "unknown domain 'purple' in --to; there is: blue, green, red, yellow",
    f"{TRANSLATE} --to rde": "did you mean red",
    f"{TRANSLATE} --to red --from depth": "between domains (blue, green, red, yellow); leave --from out",
    f"{TRANSLATE} --to red --exemplar photo.png": "this model takes no exemplar",
    "translate run photo.png --to red --out new": "run is the folder of a run, not of a model; give run/model",
    "translate data photo.png --to red --out new": "data is not a model folder",
    "translate run/model nothing.png --to red --out new": "nothing.png: no such file or folder",
    "translate run/model photo.png --to red --out file": "cannot write file/.dragoman.json: ",
    "translate run/model --to red --out new": "nothing to translate; name image files or folders",
    "translate run/model photo.png --to red --out .": "photo.png would be written onto itself",
    f"{EVALUATE} digts": "no folder 'digts'; give a data set folder or one of: digits",
    f"{EVALUATE} data": "no domain 'blue' in data; there is: day, night",
    f"{EVALUATE} digits --split tset": "the digits have no split 'tset'",
    f"{EVALUATE} digits --metrics fid": "unknown metric 'fid'; there is: domain_accuracy",
    f"{EVALUATE} digits --inputs 0": "inputs: Input should be greater than or equal to 1; see dragoman evaluate --help",
    f"{EVALUATE} digits --styles 0": "styles: Input should be greater",
    f"{EVALUATE} digits --seed -1": "seed: Input should be greater",
    f"{EVALUATE} digits --out file/new": "cannot write in file/new: ",
    f"{EVALUATE} digits --device tpu": "device 'tpu' cannot be used here",
    "report nowhere": "nowhere is not the folder of a run",
    "report file": "file is not the folder of a run",
    "report run/model": "run/model is not the folder of a run",
    "methods --jsn": "Perhaps you meant: --json",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake(place: Path, capsys: pytest.CaptureFixture[str], mistake: str):
    before = content(place)
    line = refused(capsys, mistake.split())
    assert MISTAKES[mistake] in line
    assert content(place) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"recipe": 5}', "unknown recipe '5'"),
        ('{"recipe": "sdit.tny"}', "did you mean sdit.tiny"),
        ('{"recipe": "sdit.tiny"}', "method: Field required"),
        ("[]", "not the config.json of a run"),
        ("{", "not the config.json of a run"),
    ],
)
def test_configurations(place: Path, capsys: pytest.CaptureFixture[str], text: str, says: str):
    Path("config.json").write_text(text)
    assert says in refused(capsys, ["train", "--config", "config.json", "--out", "new"])
    assert not Path("new").exists()


def test_an_unknown_key_in_a_config(place: Path, capsys: pytest.CaptureFixture[str]):
    config = json.loads(Path("run/config.json").read_text())
    config["method"]["widht"] = 3
    Path("config.json").write_text(json.dumps(config))
    assert "method.widht: Extra inputs" in refused(capsys, ["train", "--config", "config.json", "--out", "new"])


@pytest.mark.parametrize("name", ["metrics.json", "log.jsonl", "config.json", "environment.json"])
def test_a_report_of_damaged_files(place: Path, capsys: pytest.CaptureFixture[str], name: str):
    before = Path("run/report.html").read_bytes()
    Path("run", name).write_text('{"recipe": }\n')
    assert f"run/{name} is damaged" in refused(capsys, ["report", "run"])
    assert Path("run/report.html").read_bytes() == before


@pytest.mark.parametrize("file", ["state.safetensors", "state.json"])
def test_resuming_from_a_damaged_state(place: Path, capsys: pytest.CaptureFixture[str], file: str):
    path = Path("run/state/4") / file
    path.write_bytes(path.read_bytes()[:100])
    line = refused(capsys, ["train", "sdit.tiny", "--out", "run", "--resume", *QUICK])
    assert "cannot resume from run/state/4: " in line
    assert "delete that folder" in line


def test_a_loss_that_is_not_finite(place: Path, capsys: pytest.CaptureFixture[str]):
    line = refused(capsys, ["train", "sdit.tiny", "--method.lr", "1e30", "--out", "new", *QUICK])
    assert "is not finite at step" in line
    assert "lower --method.lr" in line
    assert not Path("new/model").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_data_set_of_damaged_images(place: Path, capsys: pytest.CaptureFixture[str], workers: str):
    for path in Path("data").rglob("*.png"):
        path.write_text("no image")
    words = ["--data.root", "data", "--out", "new", "--train.workers", workers, *QUICK]
    assert "no image could be read" in refused(capsys, ["train", "stargan.folder", *words])
    shutil.rmtree("new", ignore_errors=True)
    Image.fromarray(RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save("data/test/day/a.png")
    line = refused(capsys, ["train", "stargan.folder", *words])
    assert "20 draws in a row gave no usable image, the last one: data/train/" in line


@contextlib.contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes: every write beyond fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [100, 3_000, 20_000, 150_000])
def test_a_disk_that_fills_up_while_training(place: Path, capsys: pytest.CaptureFixture[str], limit: int):
    """config.json, the pictures, the state or the model: whatever comes to nothing is not there at all."""
    with full_disk(limit):
        line = refused(capsys, ["train", "sdit.tiny", "--out", "new", *QUICK])
    assert "cannot write " in line
    assert not Path("new/model").exists()
    for path in Path("new").rglob("*.json"):
        json.loads(path.read_text())
    for path in Path("new").rglob("*.png"):
        Image.open(path).load()
    assert main(["train", "sdit.tiny", "--out", "new", "--resume", *QUICK]) == 0
    assert Path("new/model/model.safetensors").read_bytes() == Path("run/model/model.safetensors").read_bytes()


def test_a_full_disk_for_every_other_command(place: Path, capsys: pytest.CaptureFixture[str]):
    before = content(place)
    for words, limit in (
        ("translate run/model photo.png --to red --out new", 20),
        ("translate run/model photo.png --to red --out new", 500),
        ("data make digits new --size 16", 300),
        ("data make digits new --size 16", 50_000),
        ("evaluate run/model digits --metrics diversity --inputs 8 --out new", 20),
        ("report run", 1000),
    ):
        with full_disk(limit):
            assert "cannot write " in refused(capsys, words.split()), words
        left = [path for path in Path("new").rglob("*") if path.is_file() and path.name != ".dragoman.json"]
        assert left == [], words
        shutil.rmtree("new", ignore_errors=True)
        assert content(place) == before, words
