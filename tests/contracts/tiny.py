"""The smallest recipe of every method, built and trained.

As a script, `python tiny.py RECIPE STEPS DIR` continues the run in DIR.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from dragoman import methods, recipes, run
from dragoman.engine.ema import Averages
from dragoman.engine.fit import Hook, Run, fit
from dragoman.engine.hooks import Save
from dragoman.engine.method import Method
from dragoman.engine.runtime import Runtime

RECIPES = [name for name in recipes.names() if name.endswith(".tiny")]
GENERATE = [name for name in RECIPES if methods.find(name.partition(".")[0]).generates]
TRANSLATE = [name for name in RECIPES if name not in GENERATE]
MODAL = [name for name in TRANSLATE if recipes.find(name).data.task.modalities]
every_recipe = pytest.mark.parametrize("recipe", RECIPES)
every_translator = pytest.mark.parametrize("recipe", [name for name in TRANSLATE if name not in MODAL])
every_modal = pytest.mark.parametrize("recipe", MODAL)
every_sampler = pytest.mark.parametrize("recipe", GENERATE)


def build(recipe: str, **changes: Any) -> Method:
    """Fresh networks, the same every time; `changes` of the method's configuration."""
    experiment = recipes.find(recipe)
    experiment = experiment.model_copy(update={"method": experiment.method.model_copy(update=changes)})
    return run.build(experiment, experiment.data.open("train"))


def stream_of(recipe: str) -> Any:
    """The recipe's batches, as `fit` asks for them."""
    return run.streams(recipes.find(recipe), recipes.find(recipe).data.open("train"), Runtime.start("cpu"))[0]


def stages_of(recipe: str, steps: int = 6) -> list[tuple[int, int]]:
    """(stage, phase) of everything that a run of the recipe optimises."""
    return [(s, p) for s, stage in enumerate(build(recipe).stages(steps)) for p in range(len(stage.phases))]


def enter(recipe: str, stage: int, steps: int = 6) -> tuple[Run, Any]:
    """A run that has just entered a stage, and that stage's first batch."""
    method = build(recipe)
    method.to(memory_format=torch.channels_last)
    state = Run(method, Averages(method, method.ema, 0.9), Runtime.start("cpu"), method.stages(steps), 0, None)
    for number in range(stage + 1):
        state._enter(number)
        if state.stages[number].enter:
            state.stages[number].enter(state)
    return state, next(stream_of(recipe)(state.stages[stage].data, stage, 0)).to(state.runtime.device)


def train(recipe: str, steps: int, directory: Path | None = None, hooks: Sequence[Hook] = ()) -> Run:
    """`fit`, from the newest state in the directory if there is one, saving after every step."""
    used = [*hooks, Save(1, keep=steps)] if directory else hooks
    return fit(build(recipe), stream_of(recipe), steps=steps, directory=directory, runtime=Runtime.start("cpu"),
               hooks=used, ema_decay=0.9, precision="fp32", resume=True)  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
