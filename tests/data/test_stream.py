"""Images by number, and the endless stream of batches drawn from them."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from dragoman.data.batch import Batch
from dragoman.data.dataset import Arrays, Folder, FolderDataset
from dragoman.data.image import BadImage, to_uint8
from dragoman.data.manifest import Manifest, Row
from dragoman.data.stream import Stream
from dragoman.errors import UserError
from dragoman.worlds.digits import Digits

RNG = np.random.default_rng(0)
DIGITS = Digits(size=16, variants=1).open("train")


def noise(height: int = 20, width: int = 20) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8))


def folder(root: Path, **domains: int) -> Path:
    """A data set of noise with so many images per domain."""
    for domain, many in domains.items():
        (root / "train" / domain).mkdir(parents=True)
        for number in range(many):
            noise().save(root / "train" / domain / f"{number}.png")
    return root


def take(stream: Stream, many: int, first: int = 0) -> list[Batch]:
    return list(islice(stream.start(first), many))


def same(ours: list[Batch], theirs: list[Batch]) -> bool:
    pairs = list(zip(ours, theirs, strict=True))
    return all(
        torch.equal(a.image, b.image) and torch.equal(a.label, b.label) and torch.equal(a.index, b.index)
        for a, b in pairs
    )


def test_batches_have_the_promised_shapes(tmp_path: Path):
    data = Folder(root=folder(tmp_path, day=3, night=3), size=16).open("train")
    batch = take(Stream(data, 5, (0,)), 1)[0]
    assert batch.image.shape == (5, 3, 16, 16)
    assert batch.image.min() >= -1
    assert batch.image.max() <= 1
    assert batch.label.shape == (5, 2)
    assert torch.equal(batch.label.sum(1), torch.ones(5))


def test_every_image_comes_with_its_number(tmp_path: Path):
    """Also where a bad image was replaced by another draw."""
    data = Folder(root=folder(tmp_path, day=3, night=3), size=16, flip=False).open("train")
    (tmp_path / "train/day/0.png").write_bytes(b"no image")
    seen = set()
    for batch in take(Stream(data, 5, (0,)), 6):
        assert batch.index.shape == (5,) and batch.index.dtype == torch.int64
        assert torch.equal(batch.label, data.labels[batch.index])
        crops = torch.stack([data.load(int(index)) for index in batch.index])
        assert torch.equal(batch.image, crops)
        seen |= set(batch.index.tolist())
    assert seen == {1, 2, 3, 4, 5}


def test_a_batch_moves_with_and_without_numbers():
    batch = take(Stream(DIGITS, 2, (0,)), 1)[0]
    moved = batch.to(torch.device("cpu"))
    assert torch.equal(moved.index, batch.index) and same([moved], [batch])
    assert Batch(image=batch.image, label=batch.label).to(torch.device("cpu")).index is None


def test_starting_later_equals_dropping_batches(tmp_path: Path):
    data = Folder(root=folder(tmp_path, day=4, night=9), size=16, load_size=18).open("train")
    whole = take(Stream(data, 3, (7, 1)), 9)
    assert same(take(Stream(data, 3, (7, 1)), 4, first=5), whole[5:])
    assert not same(take(Stream(data, 3, (7, 2)), 4, first=5), whole[5:])


def test_two_ranks_draw_together_what_one_of_double_batch_draws():
    ranks = [take(Stream(DIGITS, 3, (0,), rank, 2), 4) for rank in range(2)]
    one = take(Stream(DIGITS, 6, (0,)), 4)
    for first, second, both in zip(*ranks, one, strict=True):
        assert torch.equal(torch.cat([first.image, second.image]), both.image)
        assert torch.equal(torch.cat([first.label, second.label]), both.label)
        assert torch.equal(torch.cat([first.index, second.index]), both.index)
        assert not torch.equal(first.image, second.image)


def test_workers_change_nothing(tmp_path: Path):
    data = Folder(root=folder(tmp_path, day=4, night=4), size=16, load_size=18).open("train")
    (tmp_path / "train/day/0.png").write_bytes(b"no image")
    here, there = Stream(data, 4, (3,)), Stream(data, 4, (3,), workers=2)
    assert same(take(here, 8, first=2), take(there, 8, first=2))
    assert list(here.bad) == list(there.bad)
    assert len(here.bad) == 1


def test_domains_of_unequal_size_are_drawn_equally_often(tmp_path: Path):
    data = Folder(root=folder(tmp_path, few=2, some=6, many=40), size=16).open("train")
    draws = 1200
    labels = torch.cat([batch.label for batch in take(Stream(data, 60, (0,)), draws // 60)])
    expected = draws / 3
    chi_square = ((labels.sum(0) - expected) ** 2 / expected).sum()
    assert chi_square < 13.8  # two degrees of freedom: beyond this once in a thousand seeds
    # and proportional drawing would be far beyond it
    assert ((torch.tensor([2, 40, 6]) / 48 * draws - expected) ** 2 / expected).sum() > 500


def test_images_of_one_domain_are_drawn_equally_often():
    images = np.repeat(np.uint8([10, 120, 230, 0, 0, 0]), 3 * 16 * 16).reshape(6, 16, 16, 3)
    data = Arrays(DIGITS.task, images, torch.eye(4)[torch.tensor([0, 0, 0, 1, 2, 3])], {})
    values = torch.cat([to_uint8(b.image[:, 0, 0, 0]) for b in take(Stream(data, 100, (0,)), 24)])
    counts = torch.stack([(values == value).sum() for value in (10, 120, 230)]).float()
    assert abs(counts.sum() - 600) < 80
    assert ((counts - counts.mean()) ** 2 / counts.mean()).sum() < 13.8


def test_bad_images_are_left_out_named_once_and_replaced(tmp_path: Path):
    root = folder(tmp_path, day=3, night=3)
    Image.new("RGB", (20, 20), (9, 9, 9)).save(root / "train/day/flat.png")
    Image.new("RGB", (1, 1)).save(root / "train/day/pixel.png")
    (root / "train/night/text.jpg").write_text("no image")
    noise().save(root / "train/night/cut.jpg")
    whole = (root / "train/night/cut.jpg").read_bytes()
    (root / "train/night/cut.jpg").write_bytes(whole[: len(whole) // 2])
    stream = Stream(Folder(root=root, size=16, flip=False).open("train"), 8, (0,))
    batches = take(stream, 20)
    assert all(len(batch.image) == 8 for batch in batches)
    named = sorted(line.partition(":")[0] for line in stream.bad)
    assert named == sorted(
        str(root / "train" / name) for name in ("day/flat.png", "day/pixel.png", "night/text.jpg", "night/cut.jpg")
    )
    share = torch.cat([batch.label for batch in batches]).mean(0)
    assert (share - 0.5).abs().max() < 0.2
    flat = torch.cat([batch.image for batch in batches]).flatten(1)
    assert (flat.amax(1) > flat.amin(1)).all()


@pytest.mark.parametrize("workers", [0, 2])
def test_only_bad_images(tmp_path: Path, workers: int):
    for name in ("train/day/a.jpg", "train/night/a.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("no image")
    data = Folder(root=tmp_path, size=16).open("train")
    with pytest.raises(UserError) as error:
        take(Stream(data, 2, (0,), workers=workers), 1)
    assert str(error.value).startswith("20 draws in a row gave no usable image, the last one: ")
    assert "a.jpg: not an image file" in str(error.value)
    assert "\n" not in str(error.value)


def modes(root: Path) -> FolderDataset:
    """A data set with one image of every unusual mode."""
    (root / "train/day").mkdir(parents=True)
    (root / "train/night").mkdir()
    values = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)
    Image.fromarray(values).save(root / "train/day/sixteen.png")
    noise(20, 30).quantize(16).save(root / "train/day/palette.png")
    noise(20, 30).convert("CMYK").save(root / "train/day/cmyk.jpg")
    exif = Image.Exif()
    exif[274] = 6
    noise(20, 30).save(root / "train/night/rotated.jpg", exif=exif)
    Image.fromarray(values.astype(np.uint8)).save(root / "train/night/grey.png")
    noise(20, 30).convert("RGBA").save(root / "train/night/alpha.png")
    return Folder(root=root, size=16).open("train")


def test_every_mode_trains(tmp_path: Path):
    data = modes(tmp_path)
    stream = Stream(data, 12, (0,))
    batches = take(stream, 4)
    assert not stream.bad
    assert all(batch.image.isfinite().all() for batch in batches)
    for index in range(len(data)):
        image = data.load(index)
        assert image.shape == (3, 16, 16), data.name(index)
        assert image.std() > 0.1, data.name(index)


def test_one_channel(tmp_path: Path):
    modes(tmp_path)
    data = Folder(root=tmp_path, size=16, channels=1).open("train")
    assert data.task.channels == 1
    assert all(data.load(index).shape == (1, 16, 16) for index in range(len(data)))


def test_without_a_generator_the_centre_is_taken(tmp_path: Path):
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "train/b").mkdir()
    wide = RNG.integers(0, 256, (16, 40, 3), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "train/a/x.png")
    noise().save(tmp_path / "train/b/x.png")
    data = Folder(root=tmp_path, size=16).open("train")
    seen = ((data.load(0) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(seen, wide[:, 12:28])
    mirrored = [data.load(0, np.random.default_rng(s)) for s in range(40)]
    assert len({m.numpy().tobytes() for m in mirrored}) > 10  # crops and mirror images


def test_a_size_that_does_not_match_the_image(tmp_path: Path):
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "train/b").mkdir()
    noise(9, 300).save(tmp_path / "train/a/x.png")
    noise(301, 8).save(tmp_path / "train/b/x.png")
    for load_size in (None, 23, 16):
        for size in (16, 20):  # never larger than what it is cut from
            data = Folder(root=tmp_path, size=size, load_size=load_size).open("train")
            assert all(data.load(i, np.random.default_rng(i)).shape == (3, size, size) for i in range(2))


@pytest.mark.parametrize("shape", [(1, 1), (7, 100), (1, 9)])
def test_too_small_for_training(tmp_path: Path, shape: tuple[int, int]):
    (tmp_path / "train/a").mkdir(parents=True)
    (tmp_path / "train/b").mkdir()
    noise(*shape).save(tmp_path / "train/a/x.png")
    noise().save(tmp_path / "train/b/x.png")
    with pytest.raises(BadImage, match="too few"):
        Folder(root=tmp_path, size=16).open("train").load(0)


def test_chosen_domains_in_the_order_given(tmp_path: Path):
    root = folder(tmp_path, dawn=1, day=2, night=3)
    data = Folder(root=root, size=16, domains=("night", "day")).open("train")
    assert data.task.domains == ("night", "day")
    assert data.labels.sum(0).tolist() == [3, 2]


@pytest.mark.parametrize(
    ("domains", "says"),
    [(("day", "nigth"), "no domain 'nigth'"), (("day",), "names only day"), ((), "nothing"), (("day", "day"), "only")],
)
def test_chosen_domains_that_do_not_work(tmp_path: Path, domains: tuple[str, ...], says: str):
    root = folder(tmp_path, day=1, night=1)
    with pytest.raises(UserError, match=says):
        Folder(root=root, size=16, domains=domains).open("train")


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_channels_that_no_reader_gives(channels: int):
    with pytest.raises(ValidationError, match="channels must be"):
        Folder(channels=channels)


def test_attributes(tmp_path: Path):
    rows = []
    for number in range(6):
        rows.append(Row(file_name=f"{number}.png", attributes={"hat": number % 2, "kind": number % 3}))
        noise().save(tmp_path / rows[-1].file_name)
    rows[0] = Row(file_name="0.png", attributes={"hat": 0, "smile": 1, "kind": 2})
    Manifest(tmp_path, rows).write()
    data = Folder(root=tmp_path, size=16, domains=("smile", "hat")).open("train")
    assert not data.task.exclusive
    assert data.labels.tolist() == [[1, 0], [0, 1], [0, 0], [0, 1], [0, 0], [0, 1]]
    assert data.attributes["kind"].tolist() == [2, 1, 2, 0, 1, 2]
    batch = take(Stream(data, 32, (0,)), 1)[0]
    assert batch.label.shape == (32, 2)


@pytest.mark.parametrize("size", [4, 8])
def test_by_domain_a_batch_holds_the_domains_in_order_from_any_start(size: int):
    batches = take(Stream(DIGITS, size, (0,), by_domain=True), 4)
    for batch in batches:
        assert torch.equal(batch.label, torch.eye(4).repeat_interleave(size // 4, 0))
    assert same(take(Stream(DIGITS, size, (0,), by_domain=True), 2, first=2), batches[2:])
    assert not torch.equal(batches[0].image, batches[1].image)


def test_by_domain_a_batch_must_be_shared_equally():
    with pytest.raises(UserError, match=r"--train.batch-size 6 cannot be shared equally by 4 domains; use a multiple"):
        take(Stream(DIGITS, 6, (0,), by_domain=True), 1)


def test_two_sides_of_a_batch():
    image = torch.arange(4.0)[:, None, None, None]
    a, b = Batch(image=image, label=torch.eye(2).repeat_interleave(2, 0)).sides()
    assert (a.flatten().tolist(), b.flatten().tolist()) == ([0, 1], [2, 3])
