"""Oxford RobotCar: poses from the INS, domains of traversals, colour from raw images."""

import json
import math

import numpy as np
import pytest

from dragoman.data.adapters import import_family, robotcar
from dragoman.data.manifest import Manifest
from dragoman.data.pairing import Reach, weak_pairs
from dragoman.errors import UserError

HEADER = ("timestamp,ins_status,latitude,longitude,altitude,northing,easting,down,utm_zone,velocity_north,"
          "velocity_east,velocity_down,roll,pitch,yaw")  # fmt: skip
START = 1_400_000_000_000_000


def record(seconds, easting, northing, yaw, status="INS_SOLUTION_GOOD"):
    return (f"{START + round(seconds * 1e6)},{status},51.7,-1.2,110.5,{northing},{easting},-110.5,30U,0,0,0,"
            f"0.01,0.02,{yaw}")  # fmt: skip


def traversal(tree, name, records, images):
    tree.write(f"{name}/gps/ins.csv", "\n".join([HEADER, *records]) + "\n")
    for seconds in images:
        tree.image(f"{name}/stereo/centre/{START + round(seconds * 1e6)}.png", tree.rng.integers(
            0, 256, (8, 12), np.uint8))  # fmt: skip


def test_poses_are_interpolated(tree, refused):
    traversal(tree, "2014-12-10-18-10-50", [
        record(0, 620000, 5735000, 0.0),
        record(0.5, 620004, 5735002, 0.2),
        "1400000000600000,INS_SOLUTION_GOOD,51.7,-1.2,110.5,broken,620005,-110.5,30U,0,0,0,0,0,0",
        "1400000000700000,short",
        record(1, 620006, 5735010, 0.4),
        record(2.5, 620010, 5735010, 0.4),
        record(3, 620020, 5735010, 0.4, "INS_BAD_GPS_AGREEMENT"),
        record(3.5, 620030, 5735010, 0.4),
    ], [-0.1, 0, 0.125, 1, 1.7, 2.9, 3.5, 3.6])  # fmt: skip
    tree.write("2014-12-10-18-10-50/stereo/centre/preview.png")
    rows, skipped = tree.run("robotcar")
    name = "train/2014-12-10-18-10-50/2014-12-10-18-10-50-{}.png"
    assert [row["file_name"] for row in rows] == [name.format(START + t) for t in (0, 125_000, 1_000_000, 3_500_000)]
    expected = [
        (620000, 5735000, math.pi / 2),  # yaw 0 is north: a quarter turn from the east
        (620001, 5735000.5, math.pi / 2 - 0.05),
        (620006, 5735010, math.pi / 2 - 0.4),
        (620030, 5735010, math.pi / 2 - 0.4),
    ]
    assert np.allclose([row["pose"] for row in rows], expected, atol=1e-6)
    assert {row["domain"] for row in rows} == {"2014-12-10-18-10-50"}
    assert len(skipped) == 7
    refused(skipped, "ins.csv line 4", "broken")
    refused(skipped, "ins.csv line 5", "2 cells")
    refused(skipped, str(START - 100_000), "outside")
    refused(skipped, str(START + 3_600_000), "outside")
    refused(skipped, str(START + 1_700_000), "gap of 1.5 s")
    refused(skipped, str(START + 2_900_000), "INS_BAD_GPS_AGREEMENT")
    refused(skipped, "preview.png")


def test_headings_turn_the_short_way(tree):
    """From 179 to -179 degrees of yaw, the middle is 180: south."""
    records = [record(0, 0, 0, math.radians(179)), record(1, 0, 0, math.radians(-179))]
    traversal(tree, "a", records, [0.5])
    rows, _ = tree.run("robotcar")
    assert rows[0]["pose"][2] == pytest.approx(-math.pi / 2)


def test_domains_of_traversals_and_weak_pairs(tree, refused):
    for name, shift in (("night", 0.0), ("snow", 1.0), ("other", 0.0)):
        records = [record(s, 10 * s + shift, 0, 0.1) for s in (0, 0.5, 1)]
        traversal(tree, name, records, [0.25, 0.75])
    tree.write("domains.json", json.dumps({"night": "WNO", "snow": "WDSn"}))
    rows, skipped = tree.run("robotcar")
    assert [row["domain"] for row in rows] == ["WNO", "WNO", "WDSn", "WDSn"]
    assert len(skipped) == 1
    refused(skipped, "other", "not in domains.json")
    tree.loads()
    pairs = weak_pairs(Manifest.open(tree.out).rows, Reach(max_distance=1.5, max_angle=5))
    assert [pair.metres for pair in pairs] == [1, 1]
    tree.write("domains.json", '["WNO"]')
    with pytest.raises(UserError, match=r"domains\.json must be"):
        import_family("robotcar", tree.src, tree.out.with_name("again"))


def test_a_traversal_without_ins_is_refused(tree):
    tree.image("a/stereo/centre/1400000000000000.png")
    with pytest.raises(UserError, match=r"no .*a/gps/ins\.csv"):
        import_family("robotcar", tree.src, tree.out)


def test_bayer_images_become_colour(tree):
    """A raw image of one colour, seen through the mosaic, gives that colour back everywhere."""
    raw = np.zeros((8, 12), np.uint8)
    raw[0::2, 0::2] = raw[1::2, 1::2] = 100  # green
    raw[0::2, 1::2] = 30  # blue
    raw[1::2, 0::2] = 200  # red
    tree.image("raw.png", raw)
    assert (robotcar._colour(tree.src / "raw.png") == (200, 100, 30)).all()
    ramp = np.add.outer(np.arange(8) * 4, np.arange(12) * 8).astype(np.uint8)  # bilinear is exact on a plane
    tree.image("ramp.png", ramp)
    assert (robotcar._colour(tree.src / "ramp.png")[2:-2, 2:-2] == ramp[2:-2, 2:-2, None]).all()
    colour = tree.image("colour.png")
    assert (robotcar._colour(tree.src / "colour.png") == colour).all()
