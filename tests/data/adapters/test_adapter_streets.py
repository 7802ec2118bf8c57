"""Street scenes with masks and depth: Cityscapes, GTA5, SYNTHIA."""

import json

import cv2
import numpy as np
import pytest

from dragoman.data.adapters import cityscapes, import_family, synthia
from dragoman.errors import UserError

CAMERA = {"extrinsic": {"baseline": 0.2, "pitch": 0.03}, "intrinsic": {"fx": 2000.0, "fy": 2000.0}}


def city(tree, split, view, ids, disparity=None):
    name = view.split("_")[0]
    tree.image(f"leftImg8bit/{split}/{name}/{view}_leftImg8bit.png")
    tree.image(f"gtFine/{split}/{name}/{view}_gtFine_labelIds.png", ids)
    if disparity is not None:
        tree.image(f"disparity/{split}/{name}/{view}_disparity.png", disparity)
        tree.write(f"camera/{split}/{name}/{view}_camera.json", json.dumps(CAMERA))


def test_cityscapes(tree, refused):
    ids = tree.rng.integers(0, 34, (10, 12), np.uint8)
    ids[0, :4] = 7, 33, 26, 34  # road, bicycle, car, licence plate
    disparity = tree.rng.integers(6000, 30000, (10, 12)).astype(np.uint16)
    disparity[0, :4] = 0, 1, 1 + 256 * 40, 2
    city(tree, "train", "aachen_000000_000019", ids, disparity)
    city(tree, "val", "ulm_000001_000019", ids, disparity)
    city(tree, "train", "aachen_000002_000019", np.full((10, 12), 77, np.uint8), disparity)
    city(tree, "train", "aachen_000003_000019", ids)  # without disparity
    city(tree, "train", "aachen_000004_000019", ids[:5], disparity)  # of another size
    city(tree, "train", "aachen_000005_000019", ids, disparity)
    tree.write("camera/train/aachen/aachen_000005_000019_camera.json", "{}")
    rows, skipped = tree.run("cityscapes")
    assert rows == [
        {"file_name": "train/cityscapes/aachen_000000_000019.png", "domain": "cityscapes",
         "modalities": {"segmentation": "segmentation/train/aachen_000000_000019.png",
                        "depth": "depth/train/aachen_000000_000019.png"}},
        {"file_name": "test/cityscapes/ulm_000001_000019.png", "split": "test", "domain": "cityscapes",
         "modalities": {"segmentation": "segmentation/test/ulm_000001_000019.png",
                        "depth": "depth/test/ulm_000001_000019.png"}},
    ]  # fmt: skip
    mask = tree.pixels("segmentation/train/aachen_000000_000019.png")
    assert mask[0, :4].tolist() == [0, 18, 13, 255]
    assert set(np.unique(mask)) <= {*range(19), 255}
    depth = tree.pixels("depth/test/ulm_000001_000019.png")
    assert depth[0, :4].tolist() == [0, 65535, 10 * 256, 65535]  # 0.2 m * 2000 / 40 pixels = 10 m
    expected = 0.2 * 2000 / ((disparity[1:].astype(float) - 1) / 256)
    assert np.abs(depth[1:] / 256 - expected).max() <= 1 / 512 + 1e-9
    assert len(skipped) == 4
    refused(skipped, "aachen_000002", "77 is no class number")
    refused(skipped, "aachen_000003", "disparity.png")
    refused(skipped, "aachen_000004", "12 x 5 pixels", "12 x 10")
    refused(skipped, "aachen_000005", "camera.json")
    assert json.loads((tree.out / "classes.json").read_text()) == {"segmentation": list(cityscapes.CLASSES)}


def test_cityscapes_classes():
    """The 19 that are evaluated, at the numbers of the official table."""
    official = {7: "road", 8: "sidewalk", 11: "building", 17: "pole", 19: "traffic light", 23: "sky", 24: "person",
                28: "bus", 31: "train", 33: "bicycle"}  # fmt: skip
    for number, name in official.items():
        assert cityscapes.CLASSES[cityscapes.NUMBERS[number]] == name
    assert [n for n in range(35) if cityscapes.NUMBERS[n] == 255] == [*range(7), 9, 10, 14, 15, 16, 18, 29, 30, 34]


def test_cityscapes_without_depth_or_labels(tree):
    city(tree, "train", "aachen_000000_000019", np.full((10, 12), 7, np.uint8))
    rows, _ = tree.run("cityscapes")
    assert list(rows[0]["modalities"]) == ["segmentation"]
    (tree.src / "gtFine").rename(tree.src / "gtCoarse")
    with pytest.raises(UserError, match=r"no .*gtFine"):
        import_family("cityscapes", tree.src, tree.out.with_name("again"))


def test_gta5(tree, refused):
    ids = tree.rng.integers(0, 35, (10, 12), np.uint8)
    for name in ("00001", "00002", "00003"):
        tree.image(f"images/{name}.png")
        tree.image(f"labels/{name}.png", ids, palette=True)
    tree.image("labels/00002.png", ids[:, :6], palette=True)
    tree.write("labels/00003.png", "no image")
    rows, skipped = tree.run("gta5")
    assert rows == [{"file_name": "train/gta5/00001.png", "domain": "gta5",
                     "modalities": {"segmentation": "segmentation/train/00001.png"}}]  # fmt: skip
    assert (tree.pixels("segmentation/train/00001.png") == np.vectorize(cityscapes.NUMBERS.get)(ids)).all()
    assert len(skipped) == 2
    refused(skipped, "images/00002.png", "6 x 10 pixels")
    refused(skipped, "labels/00003.png", "damaged")


def scene(tree, package, numbers, centimetres, camera="", depths="Depth", stem="000000"):
    """16-bit colour images, which only OpenCV writes: the class is in red, what is in the other channels is noise."""
    tree.image(f"{package}/RGB/{camera}{stem}.png")
    noise = tree.rng.integers(0, 60000, (10, 12)).astype(np.uint16)
    layers = {f"GT/LABELS/{camera}": (noise, noise, numbers), f"{depths}/{camera}": [centimetres] * 3}
    for folder, channels in layers.items():
        path = tree.write(f"{package}/{folder}{stem}.png")
        assert cv2.imwrite(str(path), np.stack(channels, 2).astype(np.uint16))


@pytest.fixture
def centimetres(tree):
    values = tree.rng.integers(1, 20000, (10, 12))
    values[0, :2] = 100, 65535  # a metre, and the sky
    return values


def test_synthia_sequences(tree, centimetres, refused):
    numbers = tree.rng.choice([*range(13), 15], (10, 12))
    numbers[0, :4] = 0, 1, 12, 15
    for time in ("NIGHT", "SUMMER"):
        scene(tree, f"SYNTHIA-SEQS-05-{time}", numbers, centimetres, "Stereo_Left/Omni_F/")
    scene(tree, "SYNTHIA-SEQS-05-NIGHT", np.full((10, 12), 14), centimetres, "Stereo_Left/Omni_F/", stem="000001")
    tree.image("SYNTHIA-SEQS-05-NIGHT/RGB/Stereo_Left/Omni_F/000002.png")
    tree.image("SYNTHIA-SEQS-05-NIGHT/RGB/Stereo_Right/Omni_F/000000.png")  # another camera
    rows, skipped = tree.run("synthia")
    stems = [f"train/{time.lower()}/SYNTHIA-SEQS-05-{time}-000000" for time in ("NIGHT", "SUMMER")]
    assert rows == [
        {"file_name": f"{stem}.png", "domain": stem.split("/")[1],
         "modalities": {"depth": f"depth/{stem}.png", "segmentation": f"segmentation/{stem}.png"}}
        for stem in stems
    ]  # fmt: skip
    mask, depth = tree.pixels(f"segmentation/{stems[0]}.png"), tree.pixels(f"depth/{stems[0]}.png")
    names = [synthia.CLASSES[n] if n != 255 else "" for n in mask[0, :4]]
    assert names == ["", "sky", "lane marking", "traffic light"]
    assert depth[0, :2].tolist() == [256, 65535]
    assert (depth == np.minimum(np.round(centimetres / 100 * 256), 65535)).all()
    assert len(skipped) == 2
    refused(skipped, "000001.png", "14 is no class number")
    refused(skipped, "000002.png")
    tree.loads()


def test_synthia_rand(tree, centimetres):
    numbers = tree.rng.integers(0, 23, (10, 12))
    scene(tree, "RAND_CITYSCAPES", numbers, centimetres, depths="Depth/Depth")
    tree.src = tree.src / "RAND_CITYSCAPES"
    rows, skipped = tree.run("synthia")
    assert [(row["file_name"], row["domain"]) for row in rows] == [
        ("train/synthia/RAND_CITYSCAPES-000000.png", "synthia")
    ]
    mask = tree.pixels("segmentation/train/synthia/RAND_CITYSCAPES-000000.png")
    assert (mask == np.where(numbers == 0, 255, numbers - 1)).all()
    assert skipped == []
