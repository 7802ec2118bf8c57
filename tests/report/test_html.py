"""The report: one file that holds everything, made from what the folder of a run holds."""

import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from dragoman import recipes
from dragoman.errors import UserError
from dragoman.report.html import report

METRICS = {
    "domain_accuracy": 0.98765, "diversity": 0.0, "protocol": "400 test images, 3 styles (seed 0)", "n": 400,
    "per_domain": {"red": {"domain_accuracy": 0.91234}, "blue": {"domain_accuracy": 0.81234}},
}  # fmt: skip


@pytest.fixture
def run(tmp_path) -> Path:
    """A run's folder, as training leaves it."""
    folder = tmp_path / "myrun"
    (folder / "model").mkdir(parents=True)
    (folder / "config.json").write_text(recipes.find("sdit.digits").model_dump_json(indent=2))
    (folder / "metrics.json").write_text(json.dumps(METRICS))
    (folder / "environment.json").write_text(json.dumps({"torch": "9.8.7", "device": "cpu"}))
    (folder / "model" / "README.md").write_text("# sdit\n\n- method: Somebody et al., A Title, 2019\n- parameters: 5\n")
    lines = [{"step": s, "stage": "train", "seconds": s / 2, "images_per_s": 9.5, "D/gan": -s / 10} for s in range(9)]
    lines[4] |= {"G/rec": 0.5}
    lines.insert(5, {"step": 4, "stage": "train", "warning": "outputs equal inputs <script>"})
    lines.append({"step": 8, "stage": "train", "eval/diversity": 0.25})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    Image.new("RGB", (30, 20), (1, 2, 3)).save(folder / "grid.png")
    Image.new("L", (10, 40), 7).save(folder / "masks.png")
    return folder


def _pictures(page: str) -> dict[str, Image.Image]:
    found = re.findall(r'<img[^>]*alt="([^"]*)" src="data:image/png;base64,([^"]*)"', page)
    return {name: Image.open(io.BytesIO(base64.b64decode(data))) for name, data in found}


def test_one_self_contained_file(run):
    path = report(run)
    page = path.read_text()
    assert path == run / "report.html"
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    pictures = _pictures(page)
    assert list(pictures) == ["Translations", "Attention", "loss curves"]
    assert pictures["Translations"].getpixel((5, 5)) == (1, 2, 3) and pictures["Attention"].size == (10, 40)


def test_it_says_what_was_measured_how_and_on_what(run):
    page = report(run).read_text()
    for text in (
        "sdit.digits: myrun", "Somebody et al., A Title, 2019", "0.9877", "0.9123", "0.8123", "400 test images",
        "N = 400", "9.8.7", "step 4: outputs equal inputs", "&lt;script&gt;", "cin_blocks",
    ):  # fmt: skip
        assert text in page, text
    assert page.index("<td>diversity</td>") < page.index("0.0000")


def test_a_curve_for_every_logged_term(run):
    before = _pictures(report(run).read_text())["loss curves"]
    extra = [{"step": s, "stage": "train", "D/gp": 1.0, "D/real": 2.0} for s in range(9)]
    with (run / "log.jsonl").open("a") as file:
        file.write("".join(json.dumps(line) + "\n" for line in extra))
    after = _pictures(report(run).read_text())["loss curves"]
    assert before.width == after.width and before.height * 2 == after.height  # three terms, then five: two rows


@pytest.mark.parametrize("missing", ["metrics.json", "environment.json", "log.jsonl", "grid.png", "masks.png", "model"])
def test_what_is_not_there_is_left_out(run, missing):
    path = run / missing
    if path.is_dir():
        (path / "README.md").unlink()
        path.rmdir()
    else:
        path.unlink()
    page = report(run).read_text()
    assert ("<h2>Metrics</h2>" in page) == (missing != "metrics.json")
    assert ("<h2>Warnings</h2>" in page) == ("<h2>Curves</h2>" in page) == (missing != "log.jsonl")
    assert ("<h2>Translations</h2>" in page) == (missing != "grid.png")
    assert ("<h2>Attention</h2>" in page) == (missing != "masks.png")


def test_a_log_line_cut_off_by_an_interruption_is_left_out(run):
    with (run / "log.jsonl").open("a") as file:
        file.write('{"step": 9, "D/g')
    assert "<h2>Curves</h2>" in report(run).read_text()


@pytest.mark.parametrize("folder", ["elsewhere", "empty"])
def test_a_folder_that_is_no_run_is_one_line(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"is not the folder of a run: .*config\.json") as error:
        report(tmp_path / folder)
    assert "\n" not in str(error.value)
    assert list(tmp_path.rglob("report.html")) == []


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_a_damaged_file_is_one_line(run, name):
    (run / name).write_text("{")
    with pytest.raises(UserError, match=f"{name} is damaged") as error:
        report(run)
    assert "\n" not in str(error.value)
