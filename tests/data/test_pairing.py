"""Weak pairs: against the definition by brute force, and as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragoman.cli import main
from dragoman.data.manifest import Manifest, Row
from dragoman.data.pairing import PAIRS, Pair, Reach, read_pairs, summary, weak_pairs
from dragoman.errors import UserError

RNG = np.random.default_rng(3)


def row(name: str, domain: str, x: float, y: float = 0, heading: float = 0, split: str = "train") -> Row:
    return Row(file_name=name, domain=domain, pose=(x, y, heading), split=split)


def random_rows(count: int = 120) -> list[Row]:
    return [
        row(f"{i}.png", "abc"[i % 3], *RNG.uniform(0, 60, 2), RNG.uniform(-np.pi, np.pi), ("train", "test")[i % 2])
        for i in range(count)
    ]  # fmt: skip


def distance(a: Row, b: Row) -> tuple[float, float]:
    turn = abs(np.degrees(a.pose[2] - b.pose[2])) % 360
    return float(np.linalg.norm(np.subtract(a.pose[:2], b.pose[:2]))), min(turn, 360 - turn)


def test_nearest_in_reach_by_brute_force():
    rows, reach = random_rows(), Reach(max_distance=12, max_angle=50)
    expected = set()
    for a in rows:
        for domain in set("abc") - {a.domain}:
            near = [b for b in rows if b.domain == domain and b.split == a.split]
            near = [b for b in near if distance(a, b)[0] <= 12 and distance(a, b)[1] <= 50]
            if near:
                b = min(near, key=lambda b: distance(a, b)[0])
                expected.add(tuple(r.file_name for r in sorted((a, b), key=lambda r: r.domain)))
    pairs = weak_pairs(rows, reach)
    assert {(p.first, p.second) for p in pairs} == expected
    assert len(pairs) == len(expected) > 20
    where = {r.file_name: r for r in rows}
    for pair in pairs:
        metres, degrees = distance(where[pair.first], where[pair.second])
        assert pair.metres == pytest.approx(metres, abs=1e-4)
        assert pair.degrees == pytest.approx(degrees, abs=1e-3)


def test_a_near_image_with_another_heading_does_not_hide_a_farther_one():
    rows = [row("a", "day", 0), row("opposite", "night", 0.1, 0, np.pi), row("along", "night", 2, 0, 0.01)]
    assert [(p.first, p.second) for p in weak_pairs(rows, Reach())] == [("a", "along")]


def test_headings_meet_at_the_half_turn():
    rows = [row("a", "day", 0, 0, np.pi - 0.05), row("b", "night", 0, 0, -np.pi + 0.05)]
    (pair,) = weak_pairs(rows, Reach(max_angle=10))
    assert pair.degrees == pytest.approx(np.degrees(0.1), abs=1e-3)


def test_never_across_splits_nor_within_a_domain():
    rows = [row("a", "day", 0), row("b", "day", 0.1), row("c", "night", 0, split="test")]
    with pytest.raises(UserError, match="no two images of different domains are within 5 m and 15 degrees"):
        weak_pairs(rows, Reach())


def test_rows_without_a_pose_are_left_alone():
    rows = [row("a", "day", 0), row("b", "night", 1), Row(file_name="c", domain="night"), Row(file_name="d")]
    assert len(weak_pairs(rows, Reach())) == 1
    with pytest.raises(UserError, match="add a pose column"):
        weak_pairs(rows[2:], Reach())


def test_summary_counts_every_pair_once():
    rows = random_rows()
    reach = Reach(max_distance=20, max_angle=180)
    pairs = weak_pairs(rows, reach)
    found = summary(pairs, rows, reach, bins=4)
    assert found["pairs"] == sum(found["counts"].values()) == sum(found["histogram"]) == len(pairs)
    assert found["metres"] == [0, 5, 10, 15, 20]
    assert found["histogram"][0] == sum(p.metres < 5 for p in pairs)
    assert set(found["counts"]) <= {f"{s}: {d}" for s in ("train", "test") for d in ("a - b", "a - c", "b - c")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [row("day/0.png", "day", 0), row("day/1.png", "day", 50), row("night/0.png", "night", 0.5, 0.1, 0.02)]
    for r in rows:
        (tmp_path / r.file_name).parent.mkdir(exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(tmp_path / r.file_name)
    Manifest(tmp_path, rows).write()
    return tmp_path


def test_command(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["data", "pairs", str(folder), "--max-distance", "2"]) == 0
    shown = capsys.readouterr().out
    assert "train: day - night" in shown
    assert "0.40 -  0.60 m        1 ####" in shown
    expected = Pair(first="day/0.png", second="night/0.png", metres=0.5099, degrees=1.146)
    assert read_pairs(folder / PAIRS) == [expected]
    assert main(["data", "pairs", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "--max-distance 0": "max_distance: Input should be greater than 0",
        "--max-angle 200": "max_angle: Input should be less than or equal to 180",
        "--max-distance 0.1": "give a larger --max-distance or --max-angle",
    }.items(),
)
def test_mistakes(folder: Path, capsys: pytest.CaptureFixture[str], words: str, message: str):
    assert main(["data", "pairs", str(folder), *words.split()]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (folder / PAIRS).exists()


def test_damaged_pairs_file(folder: Path):
    with pytest.raises(UserError, match="run: dragoman data pairs"):
        read_pairs(folder / PAIRS)
    (folder / PAIRS).write_text('{"first": "a", "second": "b", "metres": 1, "degrees": 2}\n{"first": 3}\n')
    with pytest.raises(UserError, match="line 2: "):
        read_pairs(folder / PAIRS)
