"""The one kind of error that is shown to a person as a single line."""

from pydantic import ValidationError


class UserError(ValueError):
    """A mistake in what the user gave: says what is wrong, where, and what to do.

    The command line prints it as one line and exits with code 2; from Python it is an ordinary `ValueError`.
    """


def one_line(error: Exception) -> str:
    """What is wrong, in one line; of pydantic's complaints the first."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'as a whole'}: {first['msg']}"
    return " ".join(str(error).split())


def suggest(name: str, known: list[str]) -> str:
    """`did you mean ...?` with the nearest of `known`, or the list of what there is."""
    import difflib

    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there is: {', '.join(known)}"
