"""CamVid in SegNet's layout, tiny and, where it is there, the real thing."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dragoman.data.adapters import camvid, import_family
from dragoman.data.dataset import Folder
from dragoman.errors import UserError

REAL = Path(os.environ.get("DRAGOMAN_DATA", "nowhere")) / "camvid"


def annotated(tree, name):
    split, stem = name.split("/")
    tree.image(f"{name}.png")
    return tree.image(f"{split}annot/{stem}.png", tree.rng.integers(0, 12, (10, 12), np.uint8))


def test_without_boxes_the_video_says_the_time(tree, refused):
    mask = annotated(tree, "train/0001TP_006690")
    annotated(tree, "train/Seq05VD_f00000")
    annotated(tree, "test/0016E5_08640")
    annotated(tree, "val/unknown_1")
    tree.image("train/0006R0_f00930.png")  # without a mask
    rows, skipped = tree.run("camvid")
    assert rows == [
        {"file_name": f"{split}/{domain}/{stem}.png", "domain": domain,
         "modalities": {"segmentation": f"segmentation/{split}/{stem}.png"}}
        | ({"split": split} if split != "train" else {})
        for split, domain, stem in (("train", "dusk", "0001TP_006690"), ("train", "day", "Seq05VD_f00000"),
                                    ("test", "day", "0016E5_08640"))
    ]  # fmt: skip
    assert (tree.pixels("segmentation/train/0001TP_006690.png") == mask).all()
    assert json.loads((tree.out / "classes.json").read_text()) == {"segmentation": list(camvid.CLASSES)}
    assert len(skipped) == 2
    refused(skipped, "val/unknown_1.png", "not of one of the videos")
    refused(skipped, "train/0006R0_f00930.png", "no file")
    tree.loads()


def test_boxes(tree, refused):
    for stem in "abcd":
        annotated(tree, f"train/{stem}")
    label = {"category": "car", "area": 4, "box2d": {"x1": 1, "y1": 2, "x2": 3, "y2": 4}}
    facts = [
        {"name": "train/a.png", "attributes": {"timeofday": "daytime"}, "labels": [label]},
        {"name": "train/b.png", "attributes": {"timeofday": "dawn/dusk"}, "labels": []},
        {"name": "train/c.png", "attributes": {"timeofday": "noon"}, "labels": []},
    ]
    tree.write("boxes_derived.json", json.dumps({"images": facts}))
    rows, skipped = tree.run("camvid")
    assert [(row["domain"], row.get("boxes", [])) for row in rows] == [
        ("day", [{"class": "car", "box": (1, 2, 3, 4)}]), ("dusk", []),
    ]  # fmt: skip
    assert len(skipped) == 2
    refused(skipped, "train/c.png", "noon")
    refused(skipped, "train/d.png")
    tree.write("boxes_derived.json", "[]")
    with pytest.raises(UserError, match=r"boxes_derived\.json must hold images"):
        import_family("camvid", tree.src, tree.out.with_name("again"))


@pytest.mark.skipif(not REAL.is_dir(), reason="needs CamVid in the folder DRAGOMAN_DATA/camvid")
def test_the_real_data_set(tmp_path):
    manifest, skipped = import_family("camvid", REAL, tmp_path / "out")
    assert skipped == []
    assert Counter(row.split for row in manifest.rows) == {"train": 367, "val": 101, "test": 233}
    assert Counter(row.domain for row in manifest.rows) == {"day": 577, "dusk": 124}
    assert sum(len(row.boxes) for row in manifest.rows) == 7121
    assert {box.class_ for row in manifest.rows for box in row.boxes} == {"sign_symbol", "car", "pedestrian",
                                                                           "bicyclist"}  # fmt: skip
    seen = set()
    for row in manifest.rows[::20]:
        mask = np.asarray(Image.open(tmp_path / "out" / row.modalities["segmentation"]))
        seen.update(np.unique(mask).tolist())
        for box in row.boxes:  # boxes come from the masks: their class must be inside
            left, top, right, bottom = map(int, box.box)
            assert (mask[top:bottom, left:right] == camvid.CLASSES.index(box.class_)).any()
    assert seen == set(range(12))
    assert Folder(root=tmp_path / "out", size=32).open("train").load(0).shape == (3, 32, 32)
