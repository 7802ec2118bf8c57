"""Images of every mode in and out, and everything that only claims to be one."""

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dragoman.data.image import BadImage, find, from_uint8, read, to_pil, to_uint8, write
from dragoman.errors import UserError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (11, 7, 3), dtype=np.uint8)
SMOOTH = np.stack(np.meshgrid(np.linspace(0, 255, 32), np.linspace(30, 220, 24)), -1).astype(np.uint8)
SMOOTH = np.concatenate([SMOOTH, SMOOTH[..., :1]], -1)


def shown(tensor: torch.Tensor) -> np.ndarray:
    """[C, H, W] in [-1, 1] to [H, W, C] uint8, by the definition of the range."""
    return np.round((tensor.permute(1, 2, 0).numpy().astype(np.float64) + 1) * 127.5).astype(np.uint8)


def test_bytes_and_floats_are_exact_inverses():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_uint8(from_uint8(every))[0].numpy(), every)
    assert from_uint8(every).min() == -1
    assert from_uint8(every).max() == 1


@given(st.floats(-1, 1, width=32))
def test_a_float_becomes_the_nearest_byte(value: float):
    byte = int(to_uint8(torch.tensor(value)))
    assert abs((value + 1) * 127.5 - byte) <= 0.5 + 1e-4


def test_floats_beyond_the_range_are_clipped():
    assert to_uint8(torch.tensor([-7.0, -1, 1, 7])).tolist() == [0, 0, 255, 255]


def test_png_round_trip_is_exact(tmp_path: Path):
    write(Image.fromarray(PIXELS), tmp_path / "new" / "a.png")
    picture = read(tmp_path / "new" / "a.png")
    assert picture.tensor.shape == (3, 11, 7)
    assert np.array_equal(shown(picture.tensor), PIXELS)
    assert np.array_equal(np.asarray(to_pil(picture.tensor)), PIXELS)
    assert (picture.alpha, picture.depth) == (None, 8)


def test_jpeg_round_trip_is_close(tmp_path: Path):
    write(Image.fromarray(SMOOTH), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "JPEG"
    assert np.abs(shown(read(tmp_path / "a.jpg").tensor).astype(int) - SMOOTH).mean() < 4


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_every_suffix_takes_every_mode(tmp_path: Path, suffix: str, mode: str):
    write(Image.fromarray(SMOOTH).convert(mode), tmp_path / f"a{suffix}")
    again = read(tmp_path / f"a{suffix}")
    assert again.tensor.shape == (3, 24, 32)
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]
    assert find(tmp_path) == [tmp_path / f"a{suffix}"]


def test_grey_is_repeated_and_colour_becomes_grey():
    grey = Image.fromarray(PIXELS[..., 0])
    assert np.array_equal(shown(read(grey).tensor), np.repeat(PIXELS[..., :1], 3, 2))
    assert np.array_equal(shown(read(grey, 1).tensor), PIXELS[..., :1])
    expected = np.asarray(Image.fromarray(PIXELS).convert("L"))
    assert np.array_equal(shown(read(Image.fromarray(PIXELS), 1).tensor)[..., 0], expected)


def test_bilevel_and_cmyk():
    bits = Image.fromarray(PIXELS[..., 0] > 127)
    assert np.array_equal(shown(read(bits).tensor)[..., 0], (PIXELS[..., 0] > 127) * 255)
    flat = Image.new("CMYK", (3, 2), (0, 255, 255, 0))
    assert np.array_equal(shown(read(flat).tensor)[0, 0], [255, 0, 0])


def test_palette(tmp_path: Path):
    image = Image.fromarray(PIXELS).quantize(8)
    image.save(tmp_path / "p.png")
    picture = read(tmp_path / "p.png")
    assert np.array_equal(shown(picture.tensor), np.asarray(image.convert("RGB")))
    assert picture.alpha is None


def test_palette_with_a_transparent_colour(tmp_path: Path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "p.png", transparency=0)
    picture = read(tmp_path / "p.png")
    assert picture.alpha is not None
    assert picture.alpha.getpixel((0, 0)) == 0
    assert picture.alpha.getpixel((1, 1)) == 255
    assert np.array_equal(shown(picture.tensor)[1, 1], [0, 0, 255])


def test_alpha_is_kept(tmp_path: Path):
    rgba = np.dstack([PIXELS, RNG.integers(0, 256, (11, 7), dtype=np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read(tmp_path / "a.png")
    assert np.array_equal(shown(picture.tensor), PIXELS)
    write(to_pil(picture.tensor, picture.alpha), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as again:
        assert np.array_equal(np.asarray(again), rgba)


def test_sixteen_bit_grey_stays_sixteen_bit(tmp_path: Path):
    values = RNG.integers(0, 65536, (9, 5), dtype=np.uint16)
    values[0, :2] = 0, 65535
    Image.fromarray(values).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode.startswith("I")
    picture = read(tmp_path / "a.png", channels=1)
    assert picture.depth == 16
    assert torch.allclose(picture.tensor[0], torch.from_numpy(values / 32767.5 - 1).float(), atol=1e-6)
    write(to_pil(picture.tensor, depth=16), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as again:
        assert np.array_equal(np.asarray(again), values)
    assert torch.equal(read(tmp_path / "a.png").tensor, picture.tensor.expand(3, -1, -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_gives_the_upright_image(tmp_path: Path, orientation: int):
    # what a camera stores for an upright scene under each value of tag 274, by the Exif table (0th row, 0th column)
    stored = {
        1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1], 5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, 1), 7: PIXELS[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PIXELS, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(shown(read(tmp_path / "a.png").tensor), PIXELS)


def test_a_damaged_exif_block_does_not_lose_the_image(tmp_path: Path):
    Image.fromarray(SMOOTH).save(tmp_path / "a.jpg", exif=b"Exif\0\0no such header")
    assert read(tmp_path / "a.jpg").tensor.shape == (3, 24, 32)


def test_arrays():
    assert np.array_equal(shown(read(PIXELS).tensor), PIXELS)
    assert np.array_equal(shown(read(PIXELS[..., 0]).tensor), np.repeat(PIXELS[..., :1], 3, 2))
    deep = read(PIXELS[..., 0].astype(np.uint16) * 257, channels=1)
    assert deep.depth == 16
    assert np.array_equal(shown(deep.tensor)[..., 0], PIXELS[..., 0])
    floats = RNG.uniform(-1, 1, (4, 5, 3))
    assert torch.equal(read(floats).tensor, torch.from_numpy(floats.astype(np.float32)).permute(2, 0, 1))
    assert read(floats, channels=1).tensor.shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((2, 3, 4, 5), np.uint8), "shape (2, 3, 4, 5)"),
        (np.zeros((0, 3), np.uint8), "shape (0, 3)"),
        (np.zeros((4, 4, 2), np.uint8), "shape (4, 4, 2)"),
        (np.zeros((4, 4), np.int64), "int64"),
        (np.full((4, 4), 2.0), "[-1, 1]"),
        (np.full((4, 4), np.nan), "finite"),
    ],
)
def test_arrays_that_are_no_images(array: np.ndarray, says: str):
    with pytest.raises(BadImage) as error:
        read(array)
    assert says in str(error.value)


def test_an_image_without_pixels():
    with pytest.raises(BadImage, match="no pixels"):
        read(Image.new("RGB", (0, 5)))


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG file with that header, whatever its data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(40_000, 40_000), (11_000, 11_000), (2**31 - 1, 2**31 - 1)])
def test_a_huge_header_is_refused_at_once(tmp_path: Path, width: int, height: int):
    (tmp_path / "bomb.png").write_bytes(png(width, height))
    start = time.perf_counter()
    with pytest.raises(BadImage) as error:
        read(tmp_path / "bomb.png")
    assert time.perf_counter() - start < 1
    assert "bomb.png" in str(error.value)
    assert "100 million pixels" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_huge_header_takes_no_memory(tmp_path: Path):
    (tmp_path / "bomb.png").write_bytes(png(40_000, 40_000))
    code = (
        "import resource, sys\nfrom dragoman.data.image import BadImage, read\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    read(sys.argv[1])\nexcept BadImage:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "bomb.png"], capture_output=True, text=True)
    assert int(done.stdout) < 20_000, done.stderr  # KiB; the pixels would be 4.8 million


def broken_files(folder: Path) -> dict[str, Path]:
    """Files that are not usable images, by what they are."""
    Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    contents = {"truncated": whole[: len(whole) // 2], "text": b"hello, this is no image\n", "empty": b"",
                "no data": png(8, 8)}  # fmt: skip
    for name, content in contents.items():
        (folder / f"{name}.jpg").write_bytes(content)
    (folder / "folder.jpg").mkdir()
    names = [*contents, "folder", "missing"]
    return {name: folder / f"{name}.jpg" for name in names} | {"below a file": folder / "text.jpg" / "a.png"}


@pytest.mark.parametrize("kind", ["truncated", "text", "empty", "no data", "folder", "missing", "below a file"])
def test_a_broken_file_is_named_in_one_line(tmp_path: Path, kind: str):
    path = broken_files(tmp_path)[kind]
    with pytest.raises(BadImage) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert ";" in str(error.value)  # ... and says what to do
    assert "\n" not in str(error.value)


def test_a_truncated_image_handed_over_open(tmp_path: Path):
    with Image.open(broken_files(tmp_path)["truncated"]) as image, pytest.raises(BadImage, match="damaged"):
        read(image)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM"]), st.data())
def test_damaged_bytes_are_read_or_refused_but_never_crash(tmp_path_factory, kind: str, data: st.DataObject):
    folder = tmp_path_factory.mktemp("damaged")
    Image.fromarray(PIXELS).save(folder / "a", format=kind)
    content = bytearray((folder / "a").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        tensor = read(folder / "a").tensor
    except BadImage as error:
        assert "\n" not in str(error)
    else:
        assert tensor.shape[0] == 3
        assert tensor.isfinite().all()
        assert tensor.abs().max() <= 1


def test_write_where_a_file_is_in_the_way(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write(Image.fromarray(PIXELS), tmp_path / "file" / "a.png")
    assert (tmp_path / "file").read_text() == "in the way"


def test_write_of_a_suffix_that_is_no_format(tmp_path: Path):
    with pytest.raises(UserError, match="unknown file extension"):
        write(Image.fromarray(PIXELS), tmp_path / "a.xyz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy as np\nfrom PIL import Image\n"
        "from dragoman.data.image import write\nfrom dragoman.errors import UserError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)\n"
        "try:\n    write(Image.fromarray(noise), Path(sys.argv[1]))\nexcept UserError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout.startswith(f"cannot write {path}: "), done.stderr
    assert done.stdout.count("\n") == 1
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_find_leaves_out_hidden_and_other_files(tmp_path: Path):
    for name in ("b/z.PNG", "a.jpg", ".hidden/x.jpg", "b/.y.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [p.relative_to(tmp_path).as_posix() for p in find(tmp_path)] == ["a.jpg", "b/z.PNG"]
