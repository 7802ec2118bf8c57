"""Oxford RobotCar: the same streets in many conditions, with poses (Maddern et al., 2017; weakly-paired section 4)."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from dragoman.data.adapters import found as f
from dragoman.data.image import find
from dragoman.errors import UserError

LAYOUT = (
    "<traversal>/stereo/centre/<timestamp>.png and <traversal>/gps/ins.csv; optional domains.json {traversal: name}"
)
ORIGIN = "robotcar-dataset.robots.ox.ac.uk (CC BY-NC-SA 4.0)"
GOOD = "INS_SOLUTION_GOOD"
MAX_GAP = 1_000_000
"""Microseconds between two poses that are still interpolated."""


def read(src: Path, skip: f.Skip) -> Iterator[f.Found]:
    """Rows with a domain and a pose (easting, northing, heading counter-clockwise from the east), all train.

    The pose is interpolated linearly between the two records of the INS around the image's timestamp. Images that have
    none there, none with a good status, or none within a second are left out. The domain is what domains.json says of
    the traversal, as WNO in the paper's Table 1, else the traversal's name. Raw Bayer images are made colour images.

    Raises:
        UserError: domains.json is not of that form.
    """
    domains = f.read_json(src / "domains.json") if (src / "domains.json").is_file() else None
    if domains is not None and not (isinstance(domains, dict) and all(isinstance(v, str) for v in domains.values())):
        raise UserError(f'{src / "domains.json"} must be {{"traversal": "domain", ...}}; correct it')
    for traversal in (p for p in f.folders(src) if (p / "stereo/centre").is_dir()):
        if domains is not None and traversal.name not in domains:
            skip(f"{traversal}: not in domains.json")
            continue
        domain = domains[traversal.name] if domains else traversal.name
        track = _Track(traversal / "gps/ins.csv", skip)
        for path in find(traversal / "stereo/centre"):
            try:
                pose = track.pose(int(path.stem))
            except ValueError as error:
                skip(f"{path}: {error}")
                continue
            name = f"train/{domain}/{traversal.name}-{path.stem}.png"
            yield from f.found(skip, path, {name: partial(_colour, path)}, file_name=name, domain=domain, pose=pose)


class _Track:
    """The records of an INS, in the order of their times."""

    def __init__(self, path: Path, skip: f.Skip):
        records: list[tuple[int, str, float, float, float]] = []
        columns = ("timestamp", "ins_status", "easting", "northing", "yaw")
        for where, (time, status, x, y, yaw) in f.table(path, columns, skip):
            try:
                records.append((int(time), status, float(x), float(y), float(yaw)))
            except ValueError as error:
                skip(f"{where}: {error}")
        records.sort()
        self.path, self.status = path, [record[1] for record in records]
        self.times = np.array([record[0] for record in records], np.int64)
        self.poses = np.array([record[2:] for record in records]).reshape(-1, 3)

    def pose(self, time: int) -> tuple[float, float, float]:
        """x and y in metres and the heading in radians at a time in microseconds."""
        after = int(np.searchsorted(self.times, time))
        before = after if after < len(self.times) and self.times[after] == time else after - 1
        if before < 0 or after == len(self.times):
            raise ValueError(f"outside the times of {self.path}")
        gap = int(self.times[after] - self.times[before])
        if gap > MAX_GAP:
            raise ValueError(f"in a gap of {gap / 1e6:.1f} s of {self.path}")
        if bad := {self.status[before], self.status[after]} - {GOOD}:
            raise ValueError(f"the status of {self.path} is {min(bad)}")
        step = self.poses[after] - self.poses[before]
        step[2] = _wrapped(step[2])
        x, y, yaw = self.poses[before] + step * ((time - self.times[before]) / max(gap, 1))
        return float(x), float(y), float(_wrapped(np.pi / 2 - yaw))  # yaw is clockwise from the north


def _wrapped(angle: float) -> float:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _colour(path: Path) -> np.ndarray:
    """uint8 [H, W, 3] from a Bayer image (rows GBGB, RGRG) by bilinear interpolation; other images as they are."""
    raw = f.pixels(path)
    if raw.ndim != 2:
        return raw
    values = torch.from_numpy(raw.astype(np.float32))
    planes = torch.zeros(3, 1, *values.shape)
    planes[0, 0, 1::2, 0::2] = values[1::2, 0::2]
    planes[1, 0, 0::2, 0::2] = values[0::2, 0::2]
    planes[1, 0, 1::2, 1::2] = values[1::2, 1::2]
    planes[2, 0, 0::2, 1::2] = values[0::2, 1::2]
    near = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 4
    cross = torch.tensor([[0.0, 1.0, 0.0], [1.0, 4.0, 1.0], [0.0, 1.0, 0.0]]) / 4
    padded = F.pad(planes, (1, 1, 1, 1), mode="reflect")  # keeps the pattern
    colour = torch.cat([F.conv2d(padded[c : c + 1], k[None, None]) for c, k in enumerate((near, cross, near))], 1)
    return colour[0].round().to(torch.uint8).permute(1, 2, 0).numpy()
