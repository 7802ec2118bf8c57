"""The source x exemplar matrix: which image is where, and what has no place in it."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dragoman
from dragoman.cli import main
from dragoman.data.batch import Task
from dragoman.errors import UserError
from dragoman.inference.translator import Core, Translator
from dragoman.report.matrix import MOST, write_matrix

CELL, GAP = 64, 2
WHITE = (255, 255, 255)


class Tint(Core):
    """Shifts the colour of an image by half of the mean colour of an exemplar."""

    style_dim = 3

    def __init__(self):
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
        return (x + self.share * s[:, :, None, None] + 0.2 * c[:, :1, None, None]).clamp(-1, 1), None

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        return exemplar.mean((2, 3))


class Plain(Core):
    """Takes no exemplar."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))


TASK = Task(domains=("a", "b"), size=16)


def save(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (16, 16)) -> tuple[int, int, int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return colour


def at(picture: Image.Image, row: int, column: int) -> tuple[int, int, int]:
    """The colour in the middle of a cell."""
    return picture.getpixel(tuple(GAP + n * (CELL + GAP) + CELL // 2 for n in (column, row)))


def tinted(source: tuple[int, ...], exemplar: tuple[int, ...]) -> list[float]:
    return [min(max(s + 0.5 * (e - 127.5), 0), 255) for s, e in zip(source, exemplar, strict=True)]


@pytest.fixture
def folders(tmp_path) -> dict[str, list[tuple[int, int, int]]]:
    """Two sources and three exemplars, of any sizes; their colours by name."""
    sources = [save(tmp_path / "in/x.png", (200, 100, 50), (30, 20)), save(tmp_path / "in/y.png", (20, 90, 250))]
    looks = [(255, 0, 0), (0, 255, 0), (100, 100, 200)]
    return {"in": sources, "looks": [save(tmp_path / f"looks/{n}.png", c, (9 + n, 70)) for n, c in enumerate(looks)]}


def test_source_i_in_the_style_of_exemplar_j(folders, tmp_path):
    done = write_matrix(Translator(Tint(), TASK), [tmp_path / "in"], tmp_path / "looks", tmp_path / "out", "b")
    assert [p.name for p in tmp_path.glob("out/*")] == ["matrix.png"]
    assert [p.name for p in done.sources] == ["x.png", "y.png"] and len(done.exemplars) == 3 and not done.failed
    picture = Image.open(done.path)
    assert picture.size == (4 * (CELL + GAP) + GAP, 3 * (CELL + GAP) + GAP)
    assert at(picture, 0, 0) == WHITE
    for j, look in enumerate(folders["looks"]):
        assert at(picture, 0, j + 1) == pytest.approx(look, abs=1)
        for i, source in enumerate(folders["in"]):
            assert at(picture, i + 1, 0) == pytest.approx(source, abs=1)
            assert at(picture, i + 1, j + 1) == pytest.approx(tinted(source, look), abs=1), (i, j)


def test_an_image_is_whole_in_its_cell(folders, tmp_path):
    """30 x 20 pixels: white above and below, at the sides none."""
    done = write_matrix(Translator(Tint(), TASK), [tmp_path / "in/x.png"], tmp_path / "looks", tmp_path / "out", "b")
    picture = Image.open(done.path)
    top, middle = GAP + CELL + GAP, GAP + CELL + GAP + CELL // 2
    assert picture.getpixel((GAP + CELL // 2, top)) == WHITE
    assert picture.getpixel((GAP, middle)) == picture.getpixel((GAP + CELL - 1, middle)) == folders["in"][0]


def test_the_target_counts(folders, tmp_path):
    words = [tmp_path / "in"], tmp_path / "looks"
    a, b = (Image.open(write_matrix(Translator(Tint(), TASK), *words, tmp_path / to, to).path) for to in ("a", "b"))
    assert at(a, 1, 3)[1] == pytest.approx(at(b, 1, 3)[1] + 0.2 * 127.5, abs=1)


def test_a_cell_is_what_translating_with_that_exemplar_gives(folders, tmp_path):
    """Also where the exemplar's mean depends on its scale."""
    noise = torch.randint(0, 256, (50, 40, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for name in ("in/n.png", "looks/n.png"):
        Image.fromarray(noise.numpy()).save(tmp_path / name)
    translator = Translator(Tint(), TASK)
    write_matrix(translator, [tmp_path / "in/x.png"], tmp_path / "looks", tmp_path / "out", "b")
    alone = translator(tmp_path / "in/x.png", to="b", exemplar=tmp_path / "looks/n.png").image
    assert at(Image.open(tmp_path / "out/matrix.png"), 1, 4) == pytest.approx(alone.getpixel((15, 10)), abs=1)


def test_the_first_by_name_and_bad_images_are_named(tmp_path):
    for n in range(MOST + 3):
        save(tmp_path / f"in/{n:02}.png", (10 * n, 0, 0))
        save(tmp_path / f"looks/{n:02}.png", (0, 10 * n, 0))
    (tmp_path / "in/01.png").write_text("no image")
    said: list[str] = []
    translator = Translator(Tint(), TASK)
    done = write_matrix(translator, [tmp_path / "in"], tmp_path / "looks", tmp_path / "out", "b", warn=said.append)
    assert [p.name for p in done.exemplars] == [f"{n:02}.png" for n in range(MOST)]
    assert [p.name for p in done.sources] == [f"{n:02}.png" for n in (0, *range(2, MOST + 1))]
    assert list(done.failed) == [str(tmp_path / "in/01.png")]
    assert said[0] == f"3 exemplars left out: the picture has place for the first {MOST}"
    assert said[1].startswith(f"{tmp_path}/in/01.png: not an image") and said[2].startswith("2 sources left out: ")
    assert Image.open(done.path).size == ((MOST + 1) * (CELL + GAP) + GAP,) * 2


def test_the_picture_itself_is_no_source(folders, tmp_path):
    for _ in range(2):
        done = write_matrix(Translator(Tint(), TASK), [tmp_path / "in"], tmp_path / "looks", tmp_path / "in", "b")
        assert len(done.sources) == 2


def test_mistakes_write_nothing(folders, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/a.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    good = {"inputs": [tmp_path / "in"], "exemplars": tmp_path / "looks", "to": "b"}
    for core, change, says in (
        (Plain, {}, "this model takes no exemplar; leave it out"),
        (Tint, {"to": "c"}, "unknown domain 'c'"),
        (Tint, {"exemplars": tmp_path / "nowhere"}, "no folder .*nowhere; give a folder of exemplars"),
        (Tint, {"exemplars": tmp_path / "in/x.png"}, "no folder .*x.png; give a folder of exemplars"),
        (Tint, {"exemplars": tmp_path / "empty"}, "no image files in"),
        (Tint, {"exemplars": tmp_path / "bad"}, "none of 1 exemplars can be read"),
        (Tint, {"inputs": [tmp_path / "bad"]}, "none of 1 sources can be read"),
        (Tint, {"inputs": []}, "nothing to translate"),
    ):
        with pytest.raises(UserError, match=says) as error:
            write_matrix(Translator(core(), TASK), out=tmp_path / "out", **(good | change))
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out").exists()


def test_attributes_not_named_are_each_sources_own(tmp_path):
    class Read(Tint):
        """Reads the attributes off the red and the green channel; paints the code."""

        def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, None]:
            return torch.cat([c * 2 - 1, s[:, :1]], 1)[:, :, None, None].expand_as(x), None

        def classify(self, x: Tensor) -> Tensor:
            return x[:, :2].mean((2, 3))

    save(tmp_path / "in/x.png", (255, 255, 0))
    save(tmp_path / "in/y.png", (255, 0, 0))
    save(tmp_path / "looks/z.png", (255, 0, 0))
    task = Task(domains=("hat", "smile"), size=16, exclusive=False)
    done = write_matrix(Translator(Read(), task), [tmp_path / "in"], tmp_path / "looks", tmp_path / "out", "no-hat")
    picture = Image.open(done.path)
    assert [at(picture, i, 1) for i in (1, 2)] == [(0, 255, 255), (0, 0, 255)]


def test_on_the_command_line(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dragoman, "load", lambda path, device: Translator(Tint(), TASK))
    (tmp_path / "looks/bad.png").write_text("no image")
    words = ["translate", "model", str(tmp_path / "in"), "--to", "b", "--out", str(tmp_path / "out")]
    words += ["--exemplar-dir", str(tmp_path / "looks")]
    assert main(words) == 0
    shown = capsys.readouterr()
    picture = tmp_path / "out/matrix.png"
    assert shown.out == f"2 sources in the style of 3 exemplars, 1 bad images left out; in {picture}\n"
    assert shown.err.count("\n") == 1 and "bad.png: not an image" in shown.err
    picture.unlink()
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["path"] == str(picture) and picture.exists()
    assert found["sources"] == [str(tmp_path / f"in/{name}.png") for name in "xy"] and len(found["failed"]) == 1


@pytest.mark.parametrize("more", [["--exemplar", "in/x.png"], ["--samples", "1"], ["--seed", "0"], ["--masks"]])
def test_options_that_do_not_go_together(folders, tmp_path, capsys, more):
    words = ["translate", "model", str(tmp_path / "in"), "--to", "b", "--out", str(tmp_path / "out")]
    assert main([*words, "--exemplar-dir", str(tmp_path / "looks"), *more]) == 2
    assert capsys.readouterr().err == f"dragoman: --exemplar-dir and {more[0]} do not go together; leave one out\n"
    assert not (tmp_path / "out").exists()
