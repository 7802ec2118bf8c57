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
    assert page.startswith("<!doctype html>")
    assert path == run / "report.html"
    assert not re.search(r"https?:|<script|<link|url\(", page)
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    pictures = _pictures(page)
    assert list(pictures) == ["Translations", "Masks", "loss curves"]
    assert pictures["Translations"].getpixel((5, 5)) == (1, 2, 3) and pictures["Masks"].size == (10, 40)


def test_it_says_what_was_measured_how_and_on_what(run):
    page = report(run).read_text()
    for text in (
        "sdit.digits: myrun", "Somebody et al., A Title, 2019", "0.9877", "0.9123", "0.8123", "400 test images",
        '<td class="n">400</td>', "9.8.7", "step 4: outputs equal inputs", "&lt;script&gt;", "cin_blocks",
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


def _evaluate(run: Path, name: str, value: float) -> None:
    """What an evaluation leaves in the folder of a run."""
    found = {"domain_accuracy": value, "per_domain": {"red": {"domain_accuracy": value}, "blue": {"other": 0.125}},
             "protocol": f"how {name} was measured", "n": 77, "n_per_domain": {"red": 33, "blue": 44},
             "left_out": ["sift: needs poses"], "features": f"t-SNE of {name}", "evaluated": {
                 "model": "runs/myrun/model", "sha256": "f" * 64, "data": name, "split": "test"},
             "model": {"parameters": 1234567, "mebibytes": 2.25, "multiply_adds": 1.5e9}}  # fmt: skip
    (run / "evaluations").mkdir(exist_ok=True)
    (run / f"evaluations/{name}-test.json").write_text(json.dumps(found))
    for kind, width in (("grid", 11), ("features", 12)):
        Image.new("RGB", (width, 5)).save(run / f"evaluations/{name}-test.{kind}.png")


def test_a_section_for_each_evaluation(run):
    before = report(run).read_text()
    _evaluate(run, "photos", 0.31416)
    _evaluate(run, "digits", 0.27182)
    page = report(run).read_text()
    assert page.index("0.9877") < page.index("Evaluation: digits, test split") < page.index("0.2718")
    assert page.index("0.2718") < page.index("Evaluation: photos, test split") < page.index("0.3142")
    for text in ("how digits was measured", "how photos was measured", ">77<", ">33<", ">44<",
                 "sift: needs poses", "1,234,567 parameters, 2.2 MiB, 1.500 billion multiply-adds", "t-SNE of photos",
                 "0.1250"):  # fmt: skip
        assert text in page and text not in before, text
    assert [n for n, _ in re.findall(r'<img[^>]*alt="([^"]*)" src="data:([^"]*)"', page)] == [
        "Translations", "Masks", *["Translations", "Features"] * 2, "loss curves",
    ]  # fmt: skip


def test_a_metric_that_a_target_lacks_is_a_blank_cell(run):
    _evaluate(run, "digits", 0.5)
    page = report(run).read_text()
    assert '<tr><td>other</td><td class="n"></td><td class="n">0.1250</td></tr>' in page


def test_the_same_evaluation_again_replaces_its_section(run):
    _evaluate(run, "digits", 0.27182)
    _evaluate(run, "digits", 0.16180)
    page = report(run).read_text()
    assert "0.1618" in page and "0.2718" not in page and page.count("Evaluation: ") == 1


def test_why_there_is_no_plot_of_features(run):
    numbers = METRICS | {"features": "no plot: too few"}
    (run / "metrics.json").write_text(json.dumps(numbers))
    page = report(run).read_text()
    assert '<h2>Features</h2>\n<p class="note">no plot: too few</p>' in page and 'alt="Features"' not in page


@pytest.mark.parametrize("content", ["{", '{"diversity": 0.5}'])
def test_a_damaged_evaluation_is_one_line(run, content):
    _evaluate(run, "digits", 0.5)
    (run / "evaluations/digits-test.json").write_text(content)
    with pytest.raises(UserError, match=r"digits-test\.json is damaged") as error:
        report(run)
    assert "\n" not in str(error.value)


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
    assert ("<h2>Masks</h2>" in page) == (missing != "masks.png")


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
