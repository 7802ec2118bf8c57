"""BDD100K: the four domains of the cross-granularity paper, and boxes."""

import json

import pytest

from dragoman.data.adapters import import_family
from dragoman.errors import UserError


def frame(name, weather, time, labels=()):
    return {"name": name, "attributes": {"weather": weather, "scene": "highway", "timeofday": time},
            "timestamp": 10000, "labels": list(labels)}  # fmt: skip


def box(category, *sides):
    return {"category": category, "attributes": {}, "id": 1, "box2d": dict(zip(("x1", "y1", "x2", "y2"), sides,
            strict=True))}  # fmt: skip


def test_domains_and_boxes(tree, refused):
    lane = {"category": "lane", "poly2d": [{"vertices": [[0, 0], [1, 1]]}]}
    train = [
        frame("a.jpg", "clear", "daytime", [box("car", 1, 2, 5.5, 6), lane]),
        frame("b.jpg", "clear", "night"),
        frame("c.jpg", "partly cloudy", "daytime"),
        frame("d.jpg", "rainy", "daytime"),
        frame("e.jpg", "overcast", "daytime"),  # of no domain
        frame("f.jpg", "rainy", "night"),  # of no domain
        frame("g.jpg", "clear", "daytime", [box("car", 5, 2, 5, 6)]),
        {"name": "h.jpg", "labels": []},
        frame("i.jpg", "clear", "night"),  # the file is not there
        frame("a.jpg", "clear", "daytime"),  # a second time
        "nonsense",
    ]
    for entry in train[:8]:
        tree.image(f"images/100k/train/{entry['name']}")
    tree.image("images/100k/val/v.jpg")
    tree.write("labels/bdd100k_labels_images_train.json", json.dumps(train))
    tree.write("labels/bdd100k_labels_images_val.json", json.dumps([frame("v.jpg", "clear", "night")]))
    rows, skipped = tree.run("bdd100k")
    assert rows == [
        {"file_name": "train/sunny/a.jpg", "domain": "sunny", "boxes": [{"class": "car", "box": (1, 2, 5.5, 6)}]},
        {"file_name": "train/night/b.jpg", "domain": "night"},
        {"file_name": "train/cloudy/c.jpg", "domain": "cloudy"},
        {"file_name": "train/rainy/d.jpg", "domain": "rainy"},
        {"file_name": "test/night/v.jpg", "split": "test", "domain": "night"},
    ]
    assert len(skipped) == 5
    refused(skipped, "train.json image 7 (g.jpg)", "left < right")
    refused(skipped, "train.json image 8", "no attributes")
    refused(skipped, "train.json image 9 (i.jpg)", "no file")
    refused(skipped, "train.json image 10 (a.jpg)", "there already")
    refused(skipped, "train.json image 11")
    tree.loads()


def test_labels_are_needed(tree):
    tree.image("images/100k/train/a.jpg")
    with pytest.raises(UserError, match=r"no .*bdd100k_labels_images_train\.json"):
        import_family("bdd100k", tree.src, tree.out)
    tree.write("labels/bdd100k_labels_images_train.json", "{}")
    with pytest.raises(UserError, match="must be a list"):
        import_family("bdd100k", tree.src, tree.out)
    tree.write("labels/bdd100k_labels_images_train.json", "{")
    with pytest.raises(UserError, match="cannot read"):
        import_family("bdd100k", tree.src, tree.out)
    tree.write("labels/bdd100k_labels_images_train.json", json.dumps([frame("../a.jpg", "clear", "night")]))
    with pytest.raises(UserError, match="leaves the folder"):
        import_family("bdd100k", tree.src, tree.out)
