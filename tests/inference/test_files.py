"""Many files through `dragoman translate`: names kept, restartable, bad images named and left out."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dragoman.cli import main
from dragoman.data.batch import Task
from dragoman.data.manifest import Manifest, Row
from dragoman.inference.files import SETTINGS, plan
from dragoman.methods.egsc_it import EGSCIT, EGSCITConfig
from dragoman.methods.sdit import SDIT, SDITConfig
from dragoman.methods.stargan import StarGAN, StarGANConfig
from dragoman.model import save_model

RNG = np.random.default_rng(0)


def save(path: Path, task: Task, seed: int) -> Path:
    """A model folder of untrained networks."""
    torch.manual_seed(seed)
    method = SDIT(SDITConfig(width=4, blocks=1, cin_blocks=1, d_layers=3, z_dim=4), task)
    save_model(path, method, dict(method.named_children()), {})
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("days") / "model", Task(domains=("day", "night"), size=16), 0)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    task = Task(domains=("hat", "smile"), exclusive=False, size=16)
    return save(tmp_path_factory.mktemp("faces") / "model", task, 1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg", "deep/a.png", "deep/er/c.bmp"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        side = 16 + len(name)
        Image.fromarray(RNG.integers(0, 256, (side, 19, 3), dtype=np.uint8)).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("not an image, and not said to be one")
    return tmp_path / "photos"


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != SETTINGS)


def translate(*words: object, expect: int = 0) -> None:
    assert main(["translate", *map(str, words)]) == expect


def test_names_tree_and_sizes_are_kept(model: Path, photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    translate(model, photos, "--to", "night", "--out", out)
    assert tree(out) == ["a.png", "b.jpg", "deep/a.png", "deep/er/c.bmp"]
    for name in tree(out):
        with Image.open(photos / name) as before, Image.open(out / name) as after:
            assert (before.size, before.format) == (after.size, after.format)
            assert not np.array_equal(np.asarray(before), np.asarray(after))


def test_files_and_the_python_call_agree(model: Path, photos: Path, tmp_path: Path):
    import dragoman

    out = tmp_path / "out"
    translate(model, photos / "a.png", "--to", "night", "--seed", 5, "--out", out)
    alone = dragoman.load(model)(photos / "a.png", to="night", seed=5).image
    with Image.open(out / "a.png") as image:
        assert np.abs(np.asarray(image).astype(int) - np.asarray(alone)).max() <= 1


def test_a_batch_of_one_size_equals_one_by_one(model: Path, tmp_path: Path):
    for name in "abcde":
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(tmp_path / f"in/{name}.png")
    translate(model, tmp_path / "in", "--to", "day", "--out", tmp_path / "together")
    for name in "abcde":
        translate(model, tmp_path / f"in/{name}.png", "--to", "day", "--out", tmp_path / "alone")
        with Image.open(tmp_path / f"together/{name}.png") as one, Image.open(tmp_path / f"alone/{name}.png") as two:
            assert np.abs(np.asarray(one).astype(int) - np.asarray(two)).max() <= 1


def test_samples_get_numbers_and_differ(model: Path, photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    translate(model, photos / "a.png", photos / "b.jpg", "--to", "night", "--samples", 3, "--seed", 7, "--out", out)
    assert tree(out) == ["a-0.png", "a-1.png", "a-2.png", "b-0.jpg", "b-1.jpg", "b-2.jpg"]
    assert len({(out / f"a-{k}.png").read_bytes() for k in range(3)}) == 3
    translate(model, photos / "a.png", "--to", "night", "--seed", 9, "--out", tmp_path / "one")
    assert (tmp_path / "one/a.png").read_bytes() == (out / "a-2.png").read_bytes()  # sample k has seed + k


def test_a_restart_does_only_what_is_missing(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    words = [model, photos, "--to", "night", "--out", out, "--json"]
    translate(*words)
    assert json.loads(capsys.readouterr().out)["translated"] == 4
    before = {name: (out / name).stat().st_mtime_ns for name in tree(out)}
    content = (out / "deep/a.png").read_bytes()
    (out / "deep/a.png").unlink()
    translate(*words)
    summary = json.loads(capsys.readouterr().out)
    assert (summary["translated"], summary["skipped"], summary["failed"]) == (1, 3, {})
    assert (out / "deep/a.png").read_bytes() == content
    assert all((out / name).stat().st_mtime_ns == before[name] for name in before if name != "deep/a.png")


@pytest.mark.parametrize(("change", "name"), [(["--to", "day"], "to"), (["--seed", "8"], "seed")])
def test_other_settings_do_not_mix(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], name: str
):
    out, words = tmp_path / "out", {"--to": "night", "--seed": "7"}
    translate(model, photos, *sum(words.items(), ()), "--out", out)
    before = {n: (out / n).read_bytes() for n in tree(out)}
    capsys.readouterr()
    words |= {change[0]: change[1]}
    translate(model, photos, *sum(words.items(), ()), "--out", out, expect=2)
    shown = capsys.readouterr()
    assert shown.err.startswith(f"dragoman: {out} holds translations with another {name} (")
    assert shown.err.count("\n") == 1
    assert {n: (out / n).read_bytes() for n in tree(out)} == before


def test_another_image_of_the_same_name_is_not_taken_for_done(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, other = tmp_path / "out", tmp_path / "other"
    words = ["--to", "night", "--out", out]
    translate(model, photos, *words)
    before = {name: (out / name).read_bytes() for name in tree(out)}
    other.mkdir()
    (other / "a.png").write_bytes((photos / "a.png").read_bytes())
    capsys.readouterr()
    translate(model, other / "a.png", *words)
    assert "0 translated, 1 were done already" in capsys.readouterr().out
    Image.new("RGB", (16, 16), (30, 30, 200)).save(other / "a.png")
    says = f"dragoman: {out / 'a.png'} is the translation of other files; use another --out\n"
    assert refused(capsys, model, other / "a.png", *words) == says
    assert {name: (out / name).read_bytes() for name in tree(out)} == before


def test_another_picture_of_the_same_name_is_another_exemplar(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    torch.manual_seed(0)
    config = EGSCITConfig(width=4, downs=1, blocks=2, d_layers=2, vgg="random")
    method = EGSCIT(config, Task(domains=("a", "b"), size=16))
    save_model(tmp_path / "model", method, dict(method.named_children()), {})
    look, out = tmp_path / "look.png", tmp_path / "out"
    words = [tmp_path / "model", photos, "--to", "b", "--out", out, "--exemplar"]
    Image.new("RGB", (16, 16), (200, 30, 30)).save(look)
    translate(*words, look)
    before = {name: (out / name).read_bytes() for name in tree(out)}
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved/look.png").write_bytes(look.read_bytes())
    capsys.readouterr()
    translate(*words, tmp_path / "moved/look.png")
    assert "0 translated, 4 were done already" in capsys.readouterr().out
    Image.new("RGB", (16, 16), (30, 30, 200)).save(look)
    content = hashlib.sha256((tmp_path / "moved/look.png").read_bytes()).hexdigest()[:16]
    assert f"{out} holds translations with another exemplar (look.png, SHA-256 {content}...)" in refused(
        capsys, *words, look
    )
    assert {name: (out / name).read_bytes() for name in tree(out)} == before


def test_another_model_does_not_mix(
    model: Path, faces: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    translate(model, photos, "--to", "night", "--out", tmp_path / "out")
    capsys.readouterr()
    translate(faces, photos, "--to", "hat", "--out", tmp_path / "out", expect=2)
    assert "with another model (" in capsys.readouterr().err


def test_bad_images_are_left_out_counted_and_named(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (photos / "text.jpg").write_text("no image")
    (photos / "deep/empty.png").write_bytes(b"")
    out = tmp_path / "out"
    translate(model, photos, "--to", "night", "--out", out)
    shown = capsys.readouterr()
    assert tree(out) == ["a.png", "b.jpg", "deep/a.png", "deep/er/c.bmp"]
    assert "4 translated, 0 were done already, 2 left out" in shown.out
    assert [line.partition(": not")[0] for line in shown.err.splitlines()] == [
        f"dragoman: {photos / 'deep/empty.png'}", f"dragoman: {photos / 'text.jpg'}",
    ]  # fmt: skip
    translate(model, photos, "--to", "night", "--out", out, "--json")
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert set(failed) == {str(photos / "deep/empty.png"), str(photos / "text.jpg")}


def test_only_bad_images_is_a_failure(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "text.jpg").write_text("no image")
    translate(model, tmp_path / "text.jpg", "--to", "night", "--out", tmp_path / "out", expect=2)
    assert "0 translated, 0 were done already, 1 left out" in capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a refused call says."""
    capsys.readouterr()
    translate(*words, expect=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("dragoman: ")
    assert shown.err.count("\n") == 1
    return shown.err


def test_two_inputs_of_one_name(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    line = refused(capsys, model, photos / "a.png", photos / "deep/a.png", "--to", "night", "--out", out)
    assert "would both be written to" in line
    assert not out.exists()
    translate(model, photos / "a.png", photos / "a.png", "--to", "night", "--out", out)  # one file twice is no clash


def test_an_input_is_never_written_onto_itself(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    before = {name: (photos / name).read_bytes() for name in tree(photos)}
    assert "onto itself" in refused(capsys, model, photos, "--to", "night", "--out", photos)
    assert "onto itself" in refused(capsys, model, photos / "a.png", "--to", "night", "--out", photos)
    assert {name: (photos / name).read_bytes() for name in tree(photos)} == before
    assert not (photos / SETTINGS).exists()


def test_translations_below_the_inputs_are_no_inputs(model: Path, photos: Path):
    for _ in range(2):
        translate(model, photos, "--to", "night", "--out", photos / "out")
    assert tree(photos / "out") == ["a.png", "b.jpg", "deep/a.png", "deep/er/c.bmp"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "nihgt"], "did you mean night?"),
        (["--to", "night", "--exemplar", "EXEMPLAR"], "takes no exemplar"),
        (["--to", "night", "--exemplar", "nothing.png"], "nothing.png: No such file"),
        (["--to", "night", "--exemplar", "EXEMPLAR", "--samples", "3"], "--exemplar and --samples do not go together"),
        (["--to", "night", "--exemplar", "EXEMPLAR", "--seed", "0"], "--exemplar and --seed do not go together"),
        (["--to", "night", "--samples", "0"], "--samples must be at least 1, got 0"),
        (["--to", "night", "--seed", "-1"], "--seed must be from 0"),
        (["--to", "night", "--seed", "99999999999999999999"], "--seed must be from 0"),
        (["--to", "night", "--device", "cadu"], "device 'cadu' cannot be used here"),
    ],
)
def test_a_mistake_writes_nothing(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
):
    words = [str(photos / "a.png") if word == "EXEMPLAR" else word for word in words]
    assert says in refused(capsys, model, photos, *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_inputs_that_are_not_there(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["--to", "night", "--out", tmp_path / "out"]
    assert "no such file or folder" in refused(capsys, model, tmp_path / "nowhere", *words)
    (tmp_path / "bare").mkdir()
    assert "no image files in" in refused(capsys, model, tmp_path / "bare", *words)
    assert not (tmp_path / "out").exists()


def test_damaged_settings(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    out.mkdir()
    for content in ("", "[1]", '"x"'):
        (out / SETTINGS).write_text(content)
        assert "is damaged; remove it" in refused(capsys, model, photos, "--to", "night", "--out", out)
        assert tree(out) == []


def test_a_place_that_cannot_be_written(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file/below", Path("/proc/dragoman")):
        assert f"cannot write {out}/{SETTINGS}: " in refused(capsys, model, photos, "--to", "night", "--out", out)
    assert (tmp_path / "file").read_text() == "in the way"


def test_attributes_of_the_inputs_come_from_metadata(faces: Path, tmp_path: Path):
    """With metadata.jsonl beside an input, what --to does not name is as written there, not as the model sees it."""
    import dragoman

    pixels = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    translator = dragoman.load(faces)
    seen = translator.classify(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1)[0]
    other = int(1 - seen[1])  # of "smile"
    for name, folder in (("known", tmp_path / "known/deep"), ("unknown", tmp_path / "unknown")):
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / "a.png")
        if name == "known":
            Manifest(tmp_path / name, [Row(file_name="deep/a.png", attributes={"hat": 0, "smile": other})]).write()
        translate(faces, folder / "a.png", "--to", "hat", "--out", tmp_path / f"{name}-out")
    for name, smile in (("known", other), ("unknown", int(seen[1]))):
        expected = translator(pixels, to=f"hat,{'smile' if smile else 'no-smile'}").image
        with Image.open(tmp_path / f"{name}-out/a.png") as image:
            assert np.array_equal(np.asarray(image), np.asarray(expected))
    one, two = ((tmp_path / f"{name}-out/a.png").read_bytes() for name in ("known", "unknown"))
    assert one != two


def test_masks_stand_beside_their_translations(model: Path, photos: Path, tmp_path: Path):
    import dragoman

    out = tmp_path / "out"
    translate(model, photos, "--to", "night", "--out", out)
    before = {name: (out / name).read_bytes() for name in tree(out)}
    translate(model, photos, "--to", "night", "--out", out, "--masks")
    assert tree(out) == sorted([*before, "a.mask.png", "b.mask.png", "deep/a.mask.png", "deep/er/c.mask.png"])
    assert {name: (out / name).read_bytes() for name in before} == before
    with Image.open(out / "b.mask.png") as mask, Image.open(photos / "b.jpg") as photo:
        assert mask.size == photo.size and mask.mode == "L"
        expected = dragoman.load(model)(photo, to="night").mask
        assert np.abs(np.asarray(mask).astype(int) - np.asarray(expected)).max() <= 1
    (out / "a.mask.png").unlink()
    translate(model, photos, "--to", "night", "--out", out, "--masks")  # only what is missing
    assert (out / "a.mask.png").exists()


def test_a_model_without_styles_has_one_sample(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    method = StarGAN(StarGANConfig(width=4, downs=1, blocks=1, d_layers=2), Task(domains=("day", "night"), size=16))
    save_model(tmp_path / "model", method, dict(method.named_children()), {})
    words = [tmp_path / "model", photos / "a.png", "--to", "night", "--out", tmp_path / "out"]
    assert "no styles; leave --samples out" in refused(capsys, *words, "--samples", "2")
    assert not (tmp_path / "out").exists()
    translate(*words, "--samples", "1")
    assert tree(tmp_path / "out") == ["a.png"]


def test_masks_of_samples(model: Path, photos: Path, tmp_path: Path):
    out = tmp_path / "out"
    translate(model, photos / "b.jpg", "--to", "night", "--samples", 2, "--masks", "--out", out)
    assert tree(out) == ["b-0.jpg", "b-0.mask.png", "b-1.jpg", "b-1.mask.png"]


def test_a_model_without_masks_writes_nothing(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    method = StarGAN(StarGANConfig(width=4, blocks=1, d_layers=3), Task(domains=("day", "night"), size=16))
    save_model(tmp_path / "model", method, dict(method.named_children()), {})
    line = refused(capsys, tmp_path / "model", photos, "--to", "night", "--masks", "--out", tmp_path / "out")
    assert line == "dragoman: this model has no masks; leave --masks out\n"
    assert not (tmp_path / "out").exists()


def test_two_masks_of_one_name(model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("a.jpg", "a.mask.png"):
        Image.new("RGB", (20, 20)).save(photos / name)
        line = refused(capsys, model, photos, "--to", "night", "--masks", "--out", tmp_path / "out")
        assert f"would both be written to {tmp_path / 'out/a.mask.png'}; translate them to two folders" in line
        assert not (tmp_path / "out").exists()
        (photos / name).unlink()


def test_plan_keeps_the_order_and_the_suffix(photos: Path, tmp_path: Path):
    jobs = plan([photos / "b.jpg", photos / "deep"], tmp_path / "out", 2)
    assert [[p.relative_to(tmp_path).as_posix() for p in job.outputs] for job in jobs] == [
        ["out/b-0.jpg", "out/b-1.jpg"], ["out/a-0.png", "out/a-1.png"], ["out/er/c-0.bmp", "out/er/c-1.bmp"],
    ]  # fmt: skip
