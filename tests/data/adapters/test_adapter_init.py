"""INIT: weather folders with Pascal VOC boxes."""


def note(*things):
    objects = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{v}</{side}>" for side, v in zip(("xmin", "ymin", "xmax", "ymax"), sides, strict=False))
        + "</bndbox></object>"
        for name, *sides in things
    )
    return f"<annotation>{objects}</annotation>"


def test_weather_and_boxes(tree, refused):
    for name in ("train/sunny/s1/a.png", "train/night/b.png", "test/rainy/c.png", "train/cloudy/d.png",
                 "train/cloudy/e.png", "train/cloudy/f.png", "train/foggy/g.png"):  # fmt: skip
        tree.image(name)
    tree.write("train/sunny/s1/a.xml", note(("car", 1, 2, 6, 8), ("person", 3, 4, 5, 9)))
    tree.write("train/cloudy/d.xml", "<annotation>")
    tree.write("train/cloudy/e.xml", note(("car", 1, 2, 6)))
    tree.write("train/cloudy/f.xml", note(("car", 6, 2, 1, 8)))
    rows, skipped = tree.run("init")
    assert rows == [
        {"file_name": "train/night/b.png", "domain": "night"},
        {"file_name": "train/sunny/s1/a.png", "domain": "sunny", "boxes": [
            {"class": "car", "box": (1, 2, 6, 8)}, {"class": "person", "box": (3, 4, 5, 9)}]},
        {"file_name": "test/rainy/c.png", "split": "test", "domain": "rainy"},
    ]  # fmt: skip
    assert len(skipped) == 4
    refused(skipped, "train/cloudy/d.xml")
    refused(skipped, "train/cloudy/e.xml", "without")
    refused(skipped, "train/cloudy/f.xml", "left < right")
    refused(skipped, "train/foggy", "not one of sunny")
