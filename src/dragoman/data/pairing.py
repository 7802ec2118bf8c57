"""Weak pairs: images of the same place in different domains, found by the poses they were taken from."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from dragoman.config import Config
from dragoman.data.image import write_whole
from dragoman.data.manifest import Row
from dragoman.errors import UserError, one_line

PAIRS = "pairs.jsonl"
"""Beside metadata.jsonl."""


class Reach(Config):
    """How near two poses must be for their images to be a weak pair."""

    max_distance: float = Field(5, gt=0)
    """Metres between the positions."""
    max_angle: float = Field(15, gt=0, le=180)
    """Degrees between the headings."""


class Pair(Config):
    """Two images of the same place in different domains of one split."""

    first: str
    """file_name of the image in the domain that comes first in the alphabet."""
    second: str
    """file_name of the other."""
    metres: float
    """Between the positions."""
    degrees: float
    """Between the headings."""


def weak_pairs(rows: Iterable[Row], reach: Reach) -> list[Pair]:
    """For every image the nearest one of each other domain of its split, where one is in reach; each pair once.

    Nearest in position, among those whose heading is near enough (weakly-paired paper, section 4: the distance between
    two images of a pair is below a threshold).

    Raises:
        UserError: no row has both a domain and a pose, scipy is missing, or nothing is in reach.
    """
    try:
        from scipy.spatial import cKDTree
    except ImportError:
        raise UserError("pairing by pose needs scipy; run: pip install 'dragoman[metrics]'") from None
    places: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.pose is not None and row.domain is not None:
            places.setdefault(row.split, {}).setdefault(row.domain, []).append(row)
    if not places:
        raise UserError("no image has both a domain and a pose: add a pose column [x, y, heading] to metadata.jsonl")
    found: dict[tuple[str, str], Pair] = {}
    for domains in places.values():
        poses = {name: np.array([row.pose for row in mine]) for name, mine in domains.items()}
        trees = {name: cKDTree(pose[:, :2]) for name, pose in poses.items()}
        for a, b in combinations(sorted(domains), 2):
            for i, j in _nearest(poses[a], poses[b], trees[b], reach):
                _add(found, domains[a][i], domains[b][j])
            for j, i in _nearest(poses[b], poses[a], trees[a], reach):
                _add(found, domains[a][i], domains[b][j])
    if not found:
        raise UserError(
            f"no two images of different domains are within {reach.max_distance:g} m and {reach.max_angle:g} degrees; "
            "give a larger --max-distance or --max-angle, and check that poses are in metres and radians"
        )
    return list(found.values())


def _nearest(queries: np.ndarray, poses: np.ndarray, tree: Any, reach: Reach) -> Iterator[tuple[int, int]]:
    """(query number, number of the nearest pose in reach) for each query that has one."""
    for number, around in enumerate(tree.query_ball_point(queries[:, :2], reach.max_distance)):
        near = [k for k in around if _degrees(queries[number, 2], poses[k, 2]) <= reach.max_angle]
        if near:
            distances = np.hypot(*(poses[near, :2] - queries[number, :2]).T)
            yield number, near[int(distances.argmin())]


def _degrees(a: float, b: float) -> float:
    """Between two headings in radians, 0 to 180."""
    return float(np.degrees(abs((a - b + np.pi) % (2 * np.pi) - np.pi)))


def _add(found: dict[tuple[str, str], Pair], a: Row, b: Row) -> None:
    (ax, ay, heading_a), (bx, by, heading_b) = a.pose or (0, 0, 0), b.pose or (0, 0, 0)
    found[a.file_name, b.file_name] = Pair(
        first=a.file_name, second=b.file_name,
        metres=round(float(np.hypot(ax - bx, ay - by)), 4), degrees=round(_degrees(heading_a, heading_b), 3),
    )  # fmt: skip


def write_pairs(path: Path, pairs: list[Pair]) -> None:
    """A JSON object a line, whole or not at all."""
    write_whole(path, "".join(json.dumps(pair.model_dump()) + "\n" for pair in pairs).encode())


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a data set folder.

    Raises:
        UserError: there are none, or a line is wrong.
    """
    if not path.is_file():
        raise UserError(f"no {path}; run: dragoman data pairs {path.parent}")
    pairs = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            pairs.append(Pair.model_validate_json(line))
        except ValidationError as error:
            raise UserError(f"{path} line {number}: {one_line(error)}; correct or remove the line") from None
    return pairs


def summary(pairs: list[Pair], rows: Iterable[Row], reach: Reach, bins: int = 10) -> dict[str, Any]:
    """How many pairs, per split and pair of domains, and a histogram of their distances."""
    where = {row.file_name: row for row in rows}
    counts: Counter[str] = Counter()
    for pair in pairs:
        a, b = where[pair.first], where[pair.second]
        counts[f"{a.split}: {a.domain} - {b.domain}"] += 1
    heights, edges = np.histogram([pair.metres for pair in pairs], bins=bins, range=(0, reach.max_distance))
    return {
        "pairs": len(pairs),
        "counts": dict(sorted(counts.items())),
        "metres": [round(float(edge), 4) for edge in edges],
        "histogram": heights.tolist(),
    }
