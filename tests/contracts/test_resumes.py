"""n steps equal k steps, a save, and n - k steps in a fresh process, bit for bit."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import build, every_recipe, train

STEPS = 6


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of an uninterrupted run of a recipe, with the state after every step."""
    found = {}

    def of(recipe):
        if recipe not in found:
            found[recipe] = tmp_path_factory.mktemp("whole")
            train(recipe, STEPS, found[recipe])
        return found[recipe]

    return of


@every_recipe
def test_resume_in_a_fresh_process(recipe, whole, python, tmp_path):
    """From an odd step, so inside a cycle of n_critic; and across the border of every stage."""
    borders, done = {3}, 0
    for stage in build(recipe).stages(STEPS)[:-1]:
        done += stage.steps
        borders |= {max(1, done - 1), done}
    for k in sorted(borders):
        directory = tmp_path / str(k)
        shutil.copytree(whole(recipe) / "state" / str(k), directory / "state" / str(k))
        python(Path(__file__).with_name("tiny.py"), recipe, STEPS, directory)
        expected, found = (load_file(d / "state" / str(STEPS) / "state.safetensors")
                           for d in (whole(recipe), directory))  # fmt: skip
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert torch.equal(value, found[name]), f"{name} after resuming from step {k}"


@every_recipe
def test_the_state_holds_parameters_averages_and_moments(recipe, whole):
    """So that equal states are equal runs."""
    state = load_file(whole(recipe) / "state" / str(STEPS) / "state.safetensors")
    method = build(recipe)
    for name, p in method.named_parameters():
        assert state[f"method:{name}"].shape == p.shape
    averaged = {f"averages:{n}.{k}" for n in method.ema for k in method.get_submodule(n).state_dict()}
    assert averaged == {name for name in state if name.startswith("averages:")}
    for name, optimizer in method.optimizers().items():
        count = sum(len(group["params"]) for group in optimizer.param_groups)
        for moment in ("exp_avg", "exp_avg_sq", "step"):
            assert all(f"optimizer:{name}.{index}.{moment}" in state for index in range(count))
