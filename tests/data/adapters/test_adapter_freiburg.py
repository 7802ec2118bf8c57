"""Freiburg Forest: four pictures of each view."""

import json

import numpy as np
import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError

COLOURS = np.array([[170, 170, 170], [0, 255, 0], [102, 102, 51], [0, 60, 0], [0, 120, 255], [0, 0, 0],
                    [255, 255, 255]], np.uint8)  # fmt: skip
NUMBERS = np.array([0, 1, 2, 2, 3, 4, 255])


def view(tree, split, name, seed=None):
    """A view under its official names; its near infrared picture is twice as large."""
    kind = tree.rng.integers(0, 7, (10, 12))
    nir, depth = (tree.rng.integers(0, 256, (10, 12), np.uint8) for _ in range(2))
    tree.image(f"{split}/rgb/{name}_Clipped.jpg")
    tree.image(f"{split}/nir_gray/{name}.tif", nir.repeat(2, 0).repeat(2, 1))
    tree.image(f"{split}/depth_gray/{name}_Clipped_redict_depth_gray.png", depth)
    tree.image(f"{split}/GT_color/{name}_mask.png", COLOURS[kind])
    return NUMBERS[kind], nir, depth


def test_views(tree, refused):
    view(tree, "train", "b1-09517")
    view(tree, "train", "b1-09518")
    kept = view(tree, "test", "b275-311")
    tree.image("train/rgb/b1-09519_Clipped.jpg")
    tree.image("train/depth_gray/b1-09518_Clipped_redict_depth_gray.png", np.zeros((10, 12), np.uint16))
    rows, skipped = tree.run("freiburg")
    assert rows == [
        {"file_name": f"{split}/{name}.jpg",
         "modalities": {kind: f"{kind}/{split}/{name}.png" for kind in ("nir", "depth_gray", "segmentation")}}
        | ({"split": split} if split != "train" else {})
        for split, name in (("train", "b1-09517"), ("test", "b275-311"))
    ]  # fmt: skip
    for kind, values in zip(("segmentation", "nir", "depth_gray"), kept, strict=True):
        stored = tree.pixels(f"{kind}/test/b275-311.png")
        assert stored.dtype == np.uint8 and (stored == values).all()
    assert json.loads((tree.out / "classes.json").read_text()) == {
        "segmentation": ["trail", "grass", "vegetation", "sky", "obstacle"]
    }
    assert len(skipped) == 2
    refused(skipped, "b1-09519_Clipped.jpg", "no nir_gray")
    refused(skipped, "b1-09518_Clipped.jpg", "8-bit grey")


def test_a_kind_of_picture_that_is_missing(tree):
    tree.image("train/rgb/b1-09517_Clipped.jpg")
    with pytest.raises(UserError, match=r"no .*train/nir_gray"):
        import_family("freiburg", tree.src, tree.out)
