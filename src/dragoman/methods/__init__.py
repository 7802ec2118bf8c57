"""One file per paper. A method is found by its file's name; deleting the file removes the method."""

import importlib
import pkgutil

from dragoman.engine.method import Method
from dragoman.errors import UserError, suggest


def names() -> list[str]:
    """The methods there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Method]:
    """The method of a file: the one subclass of `Method` that the file defines.

    Raises:
        UserError: there is no such method.
    """
    if name not in names():
        raise UserError(f"unknown method {name!r}; {suggest(name, names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, Method)]
    (method,) = [v for v in found if v.__module__ == module.__name__]
    return method


def name_of(method: type[Method]) -> str:
    """The name that `find` knows a method by."""
    return method.__module__.rpartition(".")[2]
