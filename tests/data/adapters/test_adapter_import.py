"""What every import has in common: linked files, nothing half-written, one line for every mistake."""

import json

import numpy as np
import pytest
from PIL import Image

from dragoman import cli
from dragoman.data.adapters import FAMILIES, import_family
from dragoman.data.adapters.found import labels, lines, metres, relabel, table
from dragoman.errors import UserError


def test_official_files_are_linked(tree):
    tree.image("day/a.png")
    tree.image("night/b.png")
    rows, skipped = tree.run("folders")
    assert rows == [{"file_name": f"train/{d}/{n}.png", "domain": d} for d, n in (("day", "a"), ("night", "b"))]
    assert skipped == []
    assert (tree.out / "train/day/a.png").samefile(tree.src / "day/a.png")
    assert not (tree.out / "classes.json").exists()


def test_copies_where_links_are_impossible(tree, monkeypatch):
    tree.image("day/a.png")

    def impossible(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.link", impossible)
    tree.run("folders")
    assert (tree.out / "train/day/a.png").read_bytes() == (tree.src / "day/a.png").read_bytes()
    assert not (tree.out / "train/day/a.png").samefile(tree.src / "day/a.png")


def test_a_damaged_image_is_named_and_left_out(tree, refused):
    tree.image("day/a.png")
    tree.write("day/b.png", "no image")
    rows, skipped = tree.run("folders")
    assert [row["file_name"] for row in rows] == ["train/day/a.png"]
    refused(skipped, "day/b.png", "not an image")
    assert not (tree.out / "train/day/b.png").exists()


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_found_says_what_was_expected(tree, family):
    """Of an empty folder, and of one with something else, in every family."""
    tree.write("something/else.txt")
    with pytest.raises(UserError) as error:
        tree.run(family)
    assert "\n" not in str(error.value)
    assert FAMILIES[family].LAYOUT in str(error.value) or str(tree.src) in str(error.value)
    assert list(tree.out.parent.iterdir()) == [tree.src]


def test_mistakes_of_the_caller(tree):
    tree.image("day/a.png")
    with pytest.raises(UserError, match=r"unknown family 'camvit'; did you mean camvid"):
        import_family("camvit", tree.src, tree.out)
    with pytest.raises(UserError, match=r"no folder .*missing; expected <domain>"):
        import_family("folders", tree.src / "missing", tree.out)
    with pytest.raises(UserError, match="is inside"):
        import_family("folders", tree.src, tree.src / "out")
    tree.out.mkdir()
    with pytest.raises(UserError, match="out exists"):
        import_family("folders", tree.src, tree.out)
    assert list(tree.out.iterdir()) == []


def test_nothing_is_left_of_an_import_that_fails(tree):
    """The second domain's name is too long for a file system."""
    header = "timestamp,ins_status,northing,easting,yaw\n"
    for name in ("first", "second"):
        tree.write(f"{name}/gps/ins.csv", f"{header}1000,INS_SOLUTION_GOOD,0,0,0\n")
        tree.image(f"{name}/stereo/centre/1000.png")
    tree.write("domains.json", json.dumps({"first": "night", "second": "x" * 300}))
    with pytest.raises(UserError, match="cannot write"):
        import_family("robotcar", tree.src, tree.out)
    assert list(tree.out.parent.iterdir()) == [tree.src]


def test_command_line(tree, capsys):
    tree.image("day/a.png")
    tree.write("day/b.png", "no image")
    assert cli.main(["data", "import", "folders", str(tree.src), str(tree.out)]) == 0
    printed = capsys.readouterr()
    assert "1 images" in printed.out and "day/b.png" in printed.err
    assert (tree.out / "metadata.jsonl").is_file()


def test_relabel():
    numbers = np.array([[0, 1], [2, 7]], np.uint8)
    new = relabel(numbers, {0: 255, 1: 0, 2: 1, 7: 1})
    assert new.dtype == np.uint8 and new.tolist() == [[255, 0], [1, 1]]
    with pytest.raises(ValueError, match="7 is no class number"):
        relabel(numbers, {0: 255, 1: 0, 2: 1})
    with pytest.raises(ValueError, match="one channel"):
        relabel(np.zeros((2, 2, 3), np.uint8), {0: 0})


def test_labels_of_a_palette_image_are_its_numbers(tmp_path):
    image = Image.fromarray(np.array([[0, 5], [5, 9]], np.uint8))
    image.putpalette([255 - n // 3 for n in range(768)])
    image.save(tmp_path / "mask.png")
    assert labels(tmp_path / "mask.png", {0: 255, 5: 1, 9: 2})().tolist() == [[255, 1], [1, 2]]


def test_metres():
    coded = metres(np.array([0, -3, 0.25, 1, 255.996, 1e9, np.inf]))
    assert coded.dtype == np.uint16 and coded.tolist() == [0, 0, 64, 256, 65535, 65535, 65535]


def test_tables_name_the_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('\ufeffa, b,c\n1,2,3\n\n4,5\n6,"7,8",9\n')
    skipped: list[str] = []
    assert [(w.split()[-1], c) for w, c in table(path, ("c", "b"), skipped.append)] == [
        ("2", ["3", "2"]), ("5", ["9", "7,8"]),
    ]  # fmt: skip
    assert skipped == [f"{path} line 4: 2 cells, the header has 3"]
    with pytest.raises(UserError, match="no column 'd'"):
        list(table(path, ("d",), skipped.append))
    with pytest.raises(UserError, match=r"no .*missing\.csv"):
        lines(tmp_path / "missing.csv")
