"""Recipes: functions that return an Experiment; one module per method, named like it."""

import importlib
import inspect
import pkgutil
from typing import Any

from dragoman.errors import UserError, suggest
from dragoman.recipes.experiment import Experiment


def names() -> list[str]:
    """Every recipe as "module.function"."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        if module.name != "experiment":
            found += [f"{module.name}.{name}" for name in _functions(module.name)]
    return sorted(found)


def find(name: str) -> Experiment[Any, Any]:
    """The experiment of a recipe.

    Raises:
        UserError: there is no such recipe.
    """
    module, _, function = name.partition(".")
    if name not in names():
        raise UserError(f"unknown recipe {name!r}; {suggest(name, names())}")
    return _functions(module)[function]()


def summary(name: str) -> str:
    """The first line of a recipe's docstring."""
    module, _, function = name.partition(".")
    return (inspect.getdoc(_functions(module)[function]) or "").splitlines()[0]


def _functions(module: str) -> dict[str, Any]:
    loaded = importlib.import_module(f"{__name__}.{module}")
    return {
        name: value
        for name, value in vars(loaded).items()
        if inspect.isfunction(value) and value.__module__ == loaded.__name__ and not name.startswith("_")
    }
