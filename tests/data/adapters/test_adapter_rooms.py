"""Rooms with depth and 13 classes: NYU Depth v2, SceneNet RGB-D, SUN RGB-D."""

import json

import numpy as np
import pytest

from dragoman.data.adapters import import_family, nyuv2, sunrgbd
from dragoman.errors import UserError

CLASSES = {"segmentation": ["bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa",
                            "table", "tv", "wall", "window"]}  # fmt: skip


@pytest.fixture
def depth(tree):
    """12 x 10 pixels in millimetres, among them unknown, a metre and 9 metres."""
    values = tree.rng.integers(500, 7000, (10, 12)).astype(np.uint16)
    values[0, :3] = 0, 1000, 9000
    return values


@pytest.fixture
def numbers(tree):
    return tree.rng.integers(0, 14, (10, 12), np.uint8)


def coded(depth):
    return np.round(depth / 1000 * 256)


def renumbered(numbers):
    return np.where(numbers == 0, 255, numbers.astype(int) - 1)


def test_nyuv2(tree, depth, numbers, refused):
    for name in ("train/{}/0003.png", "test/{}/0001.png", "test/{}/0002.png", "train/{}/0004.png"):
        tree.image(name.format("rgb"))
        tree.image(name.format("depth"), depth)
        tree.image(name.format("labels_13"), numbers)
    tree.image("test/labels_13/0002.png", np.full((10, 12), 40, np.uint8))
    tree.image("train/depth/0004.png", (depth / 100).astype(np.uint8))
    rows, skipped = tree.run("nyuv2")
    assert rows == [
        {"file_name": "train/0003.png",
         "modalities": {"depth": "depth/train/0003.png", "segmentation": "segmentation/train/0003.png"}},
        {"file_name": "test/0001.png", "split": "test",
         "modalities": {"depth": "depth/test/0001.png", "segmentation": "segmentation/test/0001.png"}},
    ]  # fmt: skip
    stored = tree.pixels("depth/train/0003.png")
    assert stored[0, :3].tolist() == [0, 256, 2304] and (stored == coded(depth)).all()
    assert (tree.pixels("segmentation/test/0001.png") == renumbered(numbers)).all()
    assert json.loads((tree.out / "classes.json").read_text()) == CLASSES
    assert len(skipped) == 2
    refused(skipped, "test/rgb/0002.png", "40 is no class number")
    refused(skipped, "train/rgb/0004.png", "16-bit grey")
    assert not (tree.out / "test/0002.png").exists()


def test_scenenet(tree, depth, numbers, refused):
    for trajectory, frame in (("train/0/1", 0), ("train/0/1", 25), ("train/3/3001", 50), ("val/0/223", 0)):
        tree.image(f"{trajectory}/photo/{frame}.jpg")
        tree.image(f"{trajectory}/depth/{frame}.png", depth)
        tree.image(f"{trajectory}/instance/{frame}.png", depth)
    tree.image("train/0/1/class13/0.png", numbers)  # of frame 25 there is none
    tree.image("val/0/223/photo/25.jpg")  # without depth
    tree.image("val/0/223/photo/last.jpg")
    rows, skipped = tree.run("scenenet")
    assert rows == [
        {"file_name": "train/0-1-0.jpg",
         "modalities": {"depth": "depth/train/0-1-0.png", "segmentation": "segmentation/train/0-1-0.png"}},
        {"file_name": "train/3-3001-50.jpg", "modalities": {"depth": "depth/train/3-3001-50.png"}},
        {"file_name": "test/0-223-0.jpg", "split": "test", "modalities": {"depth": "depth/test/0-223-0.png"}},
    ]  # fmt: skip
    assert (tree.pixels("depth/test/0-223-0.png") == coded(depth)).all()
    assert (tree.pixels("segmentation/train/0-1-0.png") == renumbered(numbers)).all()
    assert json.loads((tree.out / "classes.json").read_text()) == CLASSES
    assert len(skipped) == 3
    refused(skipped, "train/0/1/photo/25.jpg", "class13/25.png")
    refused(skipped, "val/0/223/photo/25.jpg", "depth/25.png")
    refused(skipped, "val/0/223/photo/last.jpg", "number of a frame")


def test_sunrgbd(tree, depth, refused):
    rotated = (depth << 3 | depth >> 13).astype(np.uint16)  # as the official files are coded
    numbers = tree.rng.integers(0, 38, (10, 12), np.uint8)
    scenes = [f"SUNRGBD/kv2/kinect2data/{n:06d}_2014-05-16-resize" for n in range(5)]
    for scene in scenes:
        tree.image(f"{scene}/image/0000121.jpg")
        tree.image(f"{scene}/depth_bfx/0000121.png", rotated)
    tree.image(f"{scenes[3]}/depth_bfx/0000122.png", rotated)  # which of the two?
    paths = [f"{scene}/image/0000121.jpg" for scene in scenes]
    tree.write("sunrgbd_testing_images.txt", "\n".join([paths[0], "SUNRGBD/kv1/gone/image/x.jpg"]) + "\n")
    tree.write("sunrgbd_training_images.txt", "\n".join(paths[1:]) + "\n")
    for number in (1, 2, 3, 5):
        tree.image(f"labels37/img-{number:06d}.png", numbers)
    tree.image("labels37/img-000004.png", np.full((10, 12), 38, np.uint8))
    rows, skipped = tree.run("sunrgbd")
    assert rows == [
        {"file_name": "test/img-000001.jpg", "split": "test",
         "modalities": {"depth": "depth/test/img-000001.png", "segmentation": "segmentation/test/img-000001.png"}},
        {"file_name": "train/img-000003.jpg",
         "modalities": {"depth": "depth/train/img-000003.png", "segmentation": "segmentation/train/img-000003.png"}},
    ]  # fmt: skip
    stored = tree.pixels("depth/train/img-000003.png")
    assert stored[0, :3].tolist() == [0, 256, 8 * 256]  # 9 m are capped at 8
    assert (stored == coded(np.minimum(depth, 8000))).all()
    new = tree.pixels("segmentation/test/img-000001.png")
    assert (new == np.vectorize(sunrgbd.NUMBERS.get)(numbers)).all()
    assert len(skipped) == 4
    refused(skipped, "testing_images.txt line 2", "0 files")
    refused(skipped, "training_images.txt line 2", "38 is no class number")
    refused(skipped, "training_images.txt line 3", "2 files")
    refused(skipped, "training_images.txt line 4", "img-000006.png")


def test_sunrgbd_classes():
    """All 37 have a place; some by name, from the published list of the 37."""
    names = ("wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture",
             "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat",
             "clothes", "ceiling", "books", "fridge", "tv", "paper", "towel", "shower_curtain", "box",
             "whiteboard", "person", "night_stand", "toilet", "sink", "lamp", "bathtub", "bag")  # fmt: skip
    assert sorted(sunrgbd.NUMBERS) == list(range(38)) and sunrgbd.NUMBERS[0] == 255
    place = {name: nyuv2.CLASSES[sunrgbd.NUMBERS[number]] for number, name in enumerate(names, 1)}
    for name in ("wall", "floor", "bed", "chair", "sofa", "table", "window", "picture", "ceiling", "books", "tv"):
        assert place[name] == name
    grouped = {"door": "wall", "floor_mat": "floor", "desk": "table", "blinds": "window", "curtain": "window",
               "bookshelf": "furniture", "fridge": "furniture", "pillow": "objects", "bag": "objects"}  # fmt: skip
    assert grouped.items() <= place.items()


def test_lists_are_needed(tree):
    tree.image("SUNRGBD/kv1/a/image/0.jpg")
    with pytest.raises(UserError, match=r"no .*sunrgbd_testing_images\.txt"):
        import_family("sunrgbd", tree.src, tree.out)
