"""A world by name, set to show what a model translates between."""

import pytest

from dragoman import worlds
from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.worlds.digits import Digits
from dragoman.worlds.faces import Faces
from dragoman.worlds.mnist import MNISTSingle
from dragoman.worlds.streets import Streets

TRAINED_ON = [
    ("digits", Digits(size=32)),
    ("digits", Digits(size=32, colours="eleven")),
    ("faces", Faces(size=32)),
    ("faces", Faces(size=32, wanted=("makeup", "male"))),
    ("mnist-single", MNISTSingle(size=32, source="small")),
    *(("streets", Streets(size=32, conditions=c)) for c in ("weather4", "robotcar11", "day_night", "sim_real")),
]


@pytest.mark.parametrize(("name", "config"), TRAINED_ON, ids=lambda v: v if isinstance(v, str) else "")
def test_a_model_meets_the_domains_it_was_trained_on(name: str, config, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("DRAGOMAN_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    task = config.task
    assert worlds.open_source(name, task).task == task == config.open("test").task


def test_other_domains_are_refused():
    with pytest.raises(UserError, match="streets has the domains sunny, night, cloudy, rainy, the model red, green"):
        worlds.open_source("streets", Task(domains=("red", "green"), size=32))
    with pytest.raises(UserError, match=r"faces has the domains bangs, .*, the model hat"):
        worlds.open_source("faces", Task(domains=("hat",), exclusive=False, size=32))
    with pytest.raises(UserError, match="no folder 'street'; give a data set folder or one of: digits, faces"):
        worlds.open_source("street", Task(domains=("day", "night"), size=32))


@pytest.mark.parametrize("name", worlds.WORLDS)
def test_every_world_says_in_one_line_what_it_shows(name: str):
    assert 20 < len(worlds.summary(name)) < 120


def test_unknown_world():
    with pytest.raises(UserError, match="unknown world 'street'; did you mean streets"):
        worlds.find("street")
