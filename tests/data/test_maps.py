"""Depths and segmentations as files: read exactly, and refused in one line where they are something else."""

import numpy as np
import pytest
import torch
from PIL import Image

from dragoman.data.image import BadImage
from dragoman.data.maps import encode, indexed, read_map, resized
from dragoman.data.modality import Modality

RGB = Modality(name="rgb")
DEPTH = Modality(name="depth", kind="depth", furthest=8)
CLASSES = Modality(name="segmentation", kind="segmentation", classes=("sky", "road", "car"),
                   palette=((0, 0, 255), (90, 80, 90), (255, 0, 0)))  # fmt: skip
METRES = np.array([[0, 1, 2.5], [8, 200, 0.25]], np.float32)
NUMBERS = np.array([[0, 1, 2], [255, 2, 0]], np.uint8)


def test_depth_of_sixteen_bits_has_256_to_the_metre(tmp_path):
    Image.fromarray((METRES * 256).astype(np.uint16)).save(tmp_path / "d.png")
    found = read_map(tmp_path / "d.png", DEPTH)
    assert found.dtype == torch.float32
    assert np.array_equal(found[0], METRES)
    assert torch.equal(read_map(Image.open(tmp_path / "d.png"), DEPTH), found)
    assert torch.equal(read_map((METRES * 256).astype(np.uint16), DEPTH), found)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_depth_in_metres(tmp_path, dtype):
    values = METRES.astype(dtype)
    values[0, 0], values[1, 2] = np.nan, -1
    np.save(tmp_path / "d.npy", values)
    expected = METRES.copy()
    expected[1, 2] = 0
    for source in (tmp_path / "d.npy", str(tmp_path / "d.npy"), values, values[..., None]):
        assert np.array_equal(read_map(source, DEPTH)[0], expected)


def test_depth_is_linear_and_unknown_is_minus_one():
    found = encode(DEPTH, torch.from_numpy(METRES)[None])
    assert found.tolist() == [[[-1, -0.75, -0.375], [1, 1, -0.9375]]]


@pytest.mark.parametrize("how", ["grey", "indexed"])
def test_segmentation_of_numbers(tmp_path, how):
    image = Image.fromarray(NUMBERS) if how == "grey" else indexed(NUMBERS, CLASSES.palette)
    image.save(tmp_path / "s.png")
    found = read_map(tmp_path / "s.png", CLASSES)
    assert np.array_equal(found[0], NUMBERS)
    assert found.dtype == torch.uint8
    one_hot = encode(CLASSES, found)
    assert one_hot.shape == (3, 2, 3)
    for number in range(3):
        assert np.array_equal(one_hot[number], number == NUMBERS)
    assert one_hot[:, 1, 0].tolist() == [0, 0, 0]


def test_indexed_colours():
    image = indexed(NUMBERS, CLASSES.palette)
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), NUMBERS)
    colours = np.asarray(image.convert("RGB"))
    assert colours[0].tolist() == [[0, 0, 255], [90, 80, 90], [255, 0, 0]]
    assert colours[1, 0].tolist() == [0, 0, 0]


def test_an_image_is_read_as_ever(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "i.png")
    found = read_map(tmp_path / "i.png", RGB)
    assert np.array_equal(((found + 1) * 127.5).round().permute(1, 2, 0), pixels)
    assert torch.equal(encode(RGB, found), found)
    torch.testing.assert_close(encode(RGB, torch.from_numpy(pixels).permute(2, 0, 1)), found)


def test_no_two_depths_or_classes_are_mixed():
    depth = torch.tensor([0.0, 8.0, 1.0, 3.0]).repeat(1, 1, 8, 4)
    for shape in ((5, 11), (2, 3), (16, 32)):
        assert set(resized("depth", depth, shape).unique().tolist()) <= {0, 1, 3, 8}
        small = resized("segmentation", depth.to(torch.uint8), shape)
        assert small.shape[2:] == shape
        assert small.dtype == torch.uint8
    image = resized("image", depth / 4 - 1, (5, 11))
    assert image.shape[2:] == (5, 11)
    assert len(image.unique()) > 4
    assert image.abs().max() <= 1


def wrong(tmp_path):
    """File name -> (modality, what is said)."""
    Image.fromarray(NUMBERS).save(tmp_path / "eight.png")
    Image.fromarray(np.dstack([NUMBERS] * 3)).save(tmp_path / "colour.png")
    Image.fromarray(np.full((2, 3), 3, np.uint8)).save(tmp_path / "number.png")
    np.save(tmp_path / "three.npy", np.zeros((2, 3, 3)))
    for kind in (np.uint16, np.int64, np.uint8):
        np.save(tmp_path / f"{kind.__name__}.npy", METRES.astype(kind))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.png").write_text("no image")
    return {
        "eight.png": (DEPTH, "a depth must be 16-bit grey, 256 to the metre, or floats in metres, got uint8"),
        **{
            f"{kind}.npy": (DEPTH, f"must be floats in metres, got {kind}; save metres as float32$")
            for kind in ("uint16", "int64", "uint8")
        },
        "three.npy": (DEPTH, r"depth must have one channel, got shape \(2, 3, 3\)"),
        "object.npy": (DEPTH, "damaged image"),
        "text.npy": (DEPTH, "damaged image"),
        "text.png": (DEPTH, "not an image file"),
        "none.png": (DEPTH, "No such file or directory; check the path"),
        "none.npy": (DEPTH, "No such file or directory; check the path"),
        "colour.png": (CLASSES, "segmentation must have one channel"),
        "number.png": (CLASSES, "no class has the number 3; there is 0 to 2, and 255 for none"),
    }


def test_what_is_wrong_with_a_file_in_one_line(tmp_path):
    for name, (modality, says) in wrong(tmp_path).items():
        with pytest.raises(BadImage, match=says) as error:
            read_map(tmp_path / name, modality)
        assert str(error.value).startswith(str(tmp_path / name))
        assert "\n" not in str(error.value)


def test_class_numbers_are_whole():
    with pytest.raises(BadImage, match="the segmentation: segmentation must be class numbers, got float64"):
        read_map(np.zeros((2, 3)), CLASSES)
