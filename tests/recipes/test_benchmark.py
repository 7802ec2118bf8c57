"""The benchmarks run and say what they must; what they say about time is not tested here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman import recipes
from dragoman import run as runs
from dragoman.model import save_model

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


def _run(*arguments: object, script: str = "engine") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_it_compares_and_writes_the_numbers(tmp_path):
    file = tmp_path / "numbers.json"
    done = _run("--recipe", "sdit.tiny", "--steps", 3, "--warmup", 1, "--repeats", 1, "--json", file)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(file.read_text())
    assert result["recipe"] == "sdit.tiny"
    assert (result["steps"], result["warmup"], result["repeats"]) == (4, 2, 1)  # whole cycles of n_critic 2
    assert list(result["seconds"]) == [
        "fit", "fp32, channels_last, fused Adam", "without channels_last", "without fused Adam", "with bf16 autocast",
    ]  # fmt: skip
    assert all(0 < value < 60 for value in result["seconds"].values())
    by_hand = result["seconds"]["fp32, channels_last, fused Adam"]
    assert abs(result["overhead"] - (result["seconds"]["fit"] / by_hand - 1)) < 1e-9
    assert result["same_parameters"] is True
    assert done.returncode == int(result["overhead"] > 0.05)
    assert "against by hand" in done.stdout and "without fused Adam" in done.stdout


@pytest.mark.parametrize(
    "arguments, what", [(("--recipe", "sdit.tyni"), "unknown recipe 'sdit.tyni'"), (("--steps", 0), "at least 1")]
)
def test_a_mistake_is_one_line(arguments, what):
    done = _run(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert what in done.stderr and done.stderr.count("\n") == 1


def test_the_metrics(tmp_path):
    file = tmp_path / "numbers.json"
    done = _run("--images", 8, "--size", 32, "--json", file, script="metrics")
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    assert list(result["seconds"]) == ["SqueezeNet features", "Frechet distance", "kernel distance", "LPIPS"]
    assert all(0 < value < 60 for value in result["seconds"].values())
    assert _run("--size", 16, script="metrics").returncode == 2


def test_the_worlds():
    done = _run("--images", 8, script="worlds")
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert "drawn /s, one core" in header
    assert [line.split()[:2] for line in lines] == [["faces", "64"], ["streets", "64"], ["streets", "256"]]
    assert all(float(value) > 0 for line in lines for value in line.split()[2:])


def test_generation(tmp_path):
    experiment, file = recipes.find("dgn_am.tiny"), tmp_path / "numbers.json"
    method = runs.build(experiment, experiment.data.open("train"))
    model = tmp_path / "model"
    save_model(model, method, dict(method.named_children()), {})
    done = _run(model, "--batch", 3, "--repeats", 1, "--json", file, script="generation")
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text())
    assert list(result["seconds"]) == [str(model)] and result["batch"] == 3
    assert all(0 < result["seconds"][str(model)][key] < 60 for key in ("alone", "batched"))
    assert "s / image, 3 at once" in done.stdout
    missing = _run(tmp_path / "nothing", script="generation")
    assert missing.returncode == 2 and "no model folder" in missing.stderr
