"""A method is found by its file's name."""

import pytest

from dragoman import methods
from dragoman.engine.method import Method
from dragoman.errors import UserError


def test_every_file_is_one_method():
    assert {"sdit", "stargan"} <= set(methods.names())
    for name in methods.names():
        found = methods.find(name)
        assert issubclass(found, Method) and methods.name_of(found) == name


def test_an_unknown_name_is_an_error_with_a_suggestion():
    with pytest.raises(UserError, match="unknown method 'stargn'; did you mean stargan"):
        methods.find("stargn")
