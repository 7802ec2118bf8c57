"""Colour images as opponent channels (thesis Eq. 4.14)."""

import numpy as np
import torch
from PIL import Image

from dragoman.data.modality import unpack
from dragoman.data.opponents import Opponents


def folder(tmp_path):
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        (tmp_path / split / "roses").mkdir(parents=True)
        for n in range(4):
            pixels = random.integers(0, 256, (20, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / split / "roses" / f"{n}.png")
    return Opponents(root=tmp_path, size=16)


def test_differences_of_channels_in_the_same_range(tmp_path):
    data = folder(tmp_path).open("test")
    assert data.task.domains == ("rgb", "green_blue", "red_green") and data.task.channels == 5
    assert data.labels.tolist() == [[1, 1, 1]] * 4
    parts = unpack(data.load(2)[None], data.task.modalities)
    red, green, blue = parts["rgb"].unbind(1)
    for name, difference in (("red_green", red - green), ("green_blue", green - blue)):
        torch.testing.assert_close(parts[name][:, 0], difference / 2, rtol=0, atol=1.01 / 255)
        assert parts[name].min() < -0.5 and parts[name].max() > 0.5


def test_green_blue_and_the_image_are_never_seen_together(tmp_path):
    data = folder(tmp_path).open("train")
    assert data.task.seen == (("green_blue", "red_green"), ("rgb", "red_green"))
    assert data.labels.tolist() == [[0, 1, 1], [1, 0, 1]] * 2
    first = unpack(data.load(0)[None], data.task.modalities)
    assert not first["rgb"].any() and first["green_blue"].any()
