import json
import re
from pathlib import Path

import claim as shared
import pytest
import torch
from claim import Claim, changed, kept, trained


@pytest.fixture
def claim(tmp_path, monkeypatch):
    """A claim that is recorded below a folder of its own."""
    monkeypatch.setattr(shared, "HERE", tmp_path / "evidence")
    (tmp_path / "evidence").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("before\n<!-- evidence: it -->\nstale\n<!-- end -->\nafter\n")
    return Claim("it", recipe="stargan.tiny", scale="tiny", protocol="by hand", paper={"a": {"fid": 3}}, docs="page.md")


def test_a_row_is_computed_once(claim):
    values = iter([1.0, 2.0])
    for _ in range(2):
        claim.row("a", 0, 5, lambda folder: {"metric": next(values)})
    assert [row["metrics"]["metric"] for row in claim.rows] == [1.0, 1.0]


def test_a_row_of_other_steps_is_refused(claim):
    claim.row("a", 0, 5, lambda folder: {"metric": 1.0})
    with pytest.raises(SystemExit, match="holds a row of 5 steps, not 6"):
        claim.row("a", 0, 6, lambda folder: {"metric": 1.0})


def test_a_row_of_other_settings_is_refused(claim):
    experiment = changed("stargan.tiny", 2, {}, {})
    claim.row("a", 0, experiment, lambda folder: {"size": float(trained(experiment, folder / "run").is_dir())})
    claim.row("a", 0, experiment, lambda folder: {"size": 2.0})
    assert [row["metrics"]["size"] for row in claim.rows] == [1.0, 1.0]
    run = claim.work / "a-0" / "run"
    logged = max(json.loads(line).get("seconds", 0) for line in (run / "log.jsonl").read_text().splitlines())
    assert logged > 0 and claim.rows[0]["seconds"] == round(logged, 1)  # of the training, not of the measuring
    assert claim.rows[0]["device"] == json.loads((run / "environment.json").read_text())["processor"]
    with pytest.raises(SystemExit, match="other settings"):
        claim.row("a", 0, changed("stargan.tiny", 2, {}, {"w_rec": 3.0}), lambda folder: {})


def test_the_commit_of_a_row_is_that_which_began_its_training(claim, tmp_path, monkeypatch):
    experiment, shared_run = changed("stargan.tiny", 2, {}, {}), tmp_path / "shared"

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(shared, "COMMIT", "first")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shared, "train", stopped)
        trained(experiment, shared_run)
    monkeypatch.setattr(shared, "COMMIT", "second")
    claim.row("a", 0, experiment, lambda _: {"size": float(trained(experiment, shared_run).is_dir())}, shared_run)
    claim.row("b", 0, experiment, lambda folder: {"size": float(trained(experiment, folder / "run").is_dir())})
    claim.row("c", 0, 0, lambda _: {"size": 0.0})
    (shared_run / "evidence.json").unlink()  # as in runs that are older than it
    claim.row("d", 0, experiment, lambda _: {"size": 1.0}, shared_run)
    assert [row["commit"] for row in claim.rows] == ["first", "second", "second", "second"]


def test_pictures_of_a_row_outlive_its_model(tmp_path):
    images = [torch.full((1, 4, 4), value) for value in (-1.0, 0.5, 1.0)]
    first = kept(tmp_path / "images.png", lambda: images)
    again = kept(tmp_path / "images.png", list)
    assert len(first) == 3 and all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for image, found in zip(images, again, strict=True):
        assert found.shape == (3, 4, 4) and torch.allclose(found, image.expand(3, -1, -1), atol=1 / 255)


def test_the_result_has_what_was_measured_and_what_holds(claim, tmp_path):
    for seed, value in enumerate((1.0, 3.0)):
        claim.row("a", seed, 5, lambda folder, value=value: {"metric": value})
    claim.row("b", 0, 9, lambda folder: {"other": 0.5})
    claim.write({"a is two": claim.mean("a", "metric") == 2, "a is three": claim.mean("a", "metric") == 3})
    result = json.loads((tmp_path / "evidence" / "results" / "it.json").read_text())
    assert result["means"] == {"a": {"metric": 2.0}, "b": {"other": 0.5}}
    assert result["holds"] == {"a is two": True, "a is three": False}
    page = (tmp_path / "docs" / "page.md").read_text()
    assert page.startswith("before\n") and page.endswith("<!-- end -->\nafter\n") and "stale" not in page
    assert "| a | fid 3 | 2.0000 |  |" in page and "| b |  |  | 0.5000 |" in page
    assert "5 to 9 steps" in page and "- does not hold: a is three" in page


def test_every_claim_has_a_place_in_its_page_and_in_the_list_of_all():
    root = Path(__file__).parents[2]
    listed = (root / "docs" / "evidence.md").read_text()
    claims = 0
    for script in (root / "evidence").glob("*.py"):
        text = script.read_text()
        for name, page in re.findall(r'Claim\(\s*"(\w+)",.*?docs="([\w.]+)"', text, re.S):
            claims += 1
            assert name == script.stem and f"| `evidence/{name}.py` |" in listed, f"docs/evidence.md lacks {name}"
            assert f"<!-- evidence: {name} -->" in (root / "docs" / page).read_text(), f"docs/{page} lacks {name}"
    assert claims > 15
