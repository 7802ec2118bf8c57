"""Two processes train one model."""

import json

from tiny import every_recipe

from dragoman.model import load_model


@every_recipe
def test_two_ranks_stay_identical(recipe, torchrun, tmp_path):
    """Every save compares the ranks' parameters and stops the run if they differ."""
    small = "--evaluate.classifier-steps 1 --evaluate.classifier-images 64 --evaluate.inputs 8 --evaluate.styles 1"
    torchrun("-m", "dragoman", "train", recipe, "--out", tmp_path / "run", "--train.device", "cpu", "--quiet",
             "--train.steps", 4, "--train.save-every", 2, *small.split())  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "run" / "state").iterdir()) == ["2", "4"]
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2
    assert load_model(tmp_path / "run" / "model").domains
