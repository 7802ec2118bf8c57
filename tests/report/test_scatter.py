"""Scatter plots: what is drawn where."""

import pytest
import torch

from dragoman.report.scatter import COLOURS, MARKERS, scatter


def colours(picture) -> set[tuple[int, int, int]]:
    return {colour for _, colour in picture.getcolors(2**20)}


def test_every_label_has_its_colour():
    points = torch.rand(60, 2, generator=torch.Generator().manual_seed(0)).bfloat16()
    one, three = scatter(points, ["a"] * 60), scatter(points, ["a", "b", "c"] * 20, "three groups")
    assert one.mode == "RGB" and one.width > one.height > 450
    count = [sum(1 for r, g, b in colours(p) if r > b + 80) for p in (one, three)]  # orange is the second colour
    assert count[0] == 0 < count[1]
    assert len(set(COLOURS)) == len(COLOURS) >= 11  # the eleven conditions of the weakly paired streets
    assert len({(c, MARKERS[n % len(MARKERS)]) for n, c in enumerate(COLOURS)}) == len(COLOURS)


def test_points_are_where_they_belong():
    """The only orange is right and above of the only blue, left of the legend."""
    picture = scatter(torch.tensor([[0.0, 0], [1, 1]]), ["low", "high"]).crop((0, 0, 480, 480))
    where = {}
    for y in range(picture.height):
        for x in range(picture.width):
            r, _, b = picture.getpixel((x, y))
            if abs(r - b) > 100:
                where.setdefault("blue" if b > r else "orange", (x, y))
    assert where["orange"][0] > where["blue"][0] + 200 and where["orange"][1] < where["blue"][1] - 200


def test_same_points_same_picture():
    points = torch.tensor([[0.0, 1], [2, 3], [4, 4]])
    assert scatter(points, list("abc")).tobytes() == scatter(points, list("abc")).tobytes()


@pytest.mark.parametrize("shape, labels", [((2, 3), "ab"), ((3, 2), "ab"), ((0, 2), ""), ((2,), "ab")])
def test_mistakes(shape: tuple[int, ...], labels: str):
    with pytest.raises(ValueError, match=r"needs points \[N, 2\] and N labels"):
        scatter(torch.zeros(shape), list(labels))
