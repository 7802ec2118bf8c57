"""A folder of scenes in several modalities."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dragoman.data.check import check
from dragoman.data.image import BadImage
from dragoman.data.manifest import Manifest, Row
from dragoman.data.maps import indexed
from dragoman.data.modal import ModalFolder
from dragoman.data.modality import unpack
from dragoman.data.stream import Stream
from dragoman.errors import UserError
from dragoman.worlds import make
from dragoman.worlds.streets import Streets
from dragoman.worlds.streets.modalities import StreetsModalities

CLASSES = ("sky", "road", "car")
PALETTE = ((1, 2, 3), (40, 50, 60), (200, 100, 0))
PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))
SIZE = (24, 20)
"""Height and width of the pictures."""


def picture(path: Path, kind: str, number: int, shape: tuple[int, int] = SIZE) -> None:
    """A file of noise of a kind."""
    random = np.random.default_rng(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, random.uniform(0.5, 9, shape).astype(np.float32))
    elif kind == "depth":
        Image.fromarray(random.integers(100, 9 * 256, shape, np.uint16)).save(path)
    elif kind == "segmentation":
        indexed(random.integers(0, 3, shape, np.uint8), PALETTE).save(path)
    else:
        channels = (3,) if kind == "rgb" else ()
        Image.fromarray(random.integers(0, 256, (*shape, *channels), np.uint8)).save(path)


def folder(root: Path, *rows: str, test: str = "rgb depth nir segmentation") -> Path:
    """A data set folder with a train row for each list of modalities, and two test rows."""
    made = []
    for number, (split, names) in enumerate([*(("train", row) for row in rows), ("test", test), ("test", test)]):
        files = {}
        for word in names.split():
            name, _, suffix = word.partition(".")
            files[name] = f"{name}/{number}.{suffix or 'png'}"
            picture(root / files[name], name, number)
        first = files.get("rgb", next(iter(files.values())))
        files.pop("rgb", None)
        made.append(Row(file_name=first, split=split, modalities=files))
    (root / "classes.json").write_text(json.dumps({"segmentation": CLASSES}))
    Manifest(root, made).write()
    return root


def test_rows_have_different_sets(tmp_path):
    root = folder(tmp_path, "rgb depth", "rgb segmentation", "rgb depth", "depth nir", "rgb")
    data = ModalFolder(root=root, size=16).open("train")
    assert data.task.domains == ("rgb", "depth", "nir", "segmentation")
    assert data.task.channels == 8
    assert data.labels.tolist() == [[1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 0, 0], [0, 1, 1, 0]]  # rgb alone is left out
    assert data.task.seen == (("rgb", "depth"), ("rgb", "segmentation"), ("depth", "nir"))
    rgb, depth, nir, classes = data.task.modalities
    assert (rgb.channels, nir.channels, nir.kind) == (3, 1, "image")
    assert (classes.classes, classes.palette) == (CLASSES, PALETTE)
    largest = max(np.asarray(Image.open(root / f"depth/{n}.png")).max() for n in (0, 2, 3))
    assert depth.furthest == largest / 256
    parts = unpack(data.load(3)[None], data.task.modalities)
    assert {name for name, part in parts.items() if part.any()} == {"depth", "nir"}


def test_every_split_has_the_same_task_and_the_test_rows_all_they_have(tmp_path):
    config = ModalFolder(root=folder(tmp_path, "rgb depth", "rgb segmentation"), size=16)
    train, test = config.open("train"), config.open("test")
    assert train.task == test.task
    assert test.labels.tolist() == [[1, 1, 1]] * 2  # nir is never learnt
    assert len(test) == 2
    assert test.name(0) == str(tmp_path / "rgb/2.png")


def test_values_are_those_of_the_files(tmp_path):
    root = folder(tmp_path, "rgb depth.npy nir segmentation", "rgb depth.npy")
    data = ModalFolder(root=root, size=20, furthest=5, flip=False).open("train")
    parts = {name: part[0] for name, part in unpack(data.load(0)[None], data.task.modalities).items()}
    crop = slice(2, 22)  # of the middle
    metres = np.load(root / "depth/0.npy")[crop]
    np.testing.assert_allclose(parts["depth"][0], np.minimum(metres, 5) / 5 * 2 - 1, atol=1e-6)
    numbers = np.asarray(Image.open(root / "segmentation/0.png"))[crop]
    assert np.array_equal(parts["segmentation"].argmax(0), numbers)
    assert parts["segmentation"].sum(0).eq(1).all()
    for name, index in (("rgb", (1, 2, 0)), ("nir", (1, 2, 0))):
        pixels = np.asarray(Image.open(root / f"{name}/0.png"))[crop].reshape(20, 20, -1)
        np.testing.assert_allclose(parts[name].permute(index), pixels / 127.5 - 1, atol=1e-6)


def test_pictures_of_a_scene_are_resized_cropped_and_mirrored_together(tmp_path):
    """Each picture is brightest, farthest or a car where the others are."""
    for number in range(2):
        hot = np.zeros((60, 80), bool)
        hot[12:42, 8:38] = True
        for name, values in (
            ("rgb", np.where(hot[..., None], 255, 0).astype(np.uint8).repeat(3, 2)),
            ("depth", np.where(hot, 8 * 256, 256).astype(np.uint16)),
            ("segmentation", np.where(hot, 2, 0).astype(np.uint8)),
        ):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(values).save(tmp_path / name / f"{number}.png")
    (tmp_path / "classes.json").write_text(json.dumps({"segmentation": CLASSES}))
    names = {"depth": "depth/0.png", "segmentation": "segmentation/0.png"}
    Manifest(tmp_path, [Row(file_name="rgb/0.png", modalities=names)]).write()
    data = ModalFolder(root=tmp_path, size=24, load_size=30).open("train")
    assert data.task.modalities[2].palette  # of grey files: made up
    places = set()
    for number in range(40):
        parts = unpack(data.load(0, np.random.default_rng(number))[None], data.task.modalities)
        hot = parts["depth"][0, 0] > 0.9
        assert torch.equal(parts["segmentation"][0, 2] == 1, hot)
        assert (parts["rgb"][0].mean(0)[hot] > -0.1).all()
        assert (parts["rgb"][0].mean(0)[~hot] < 0.1).all()
        places.add(tuple(hot.nonzero().amin(0).tolist()))
    assert len(places) > 5
    assert torch.equal(data.load(0), data.load(0))


def test_rows_with_more_are_dealt_out_in_runs_of_neighbours(tmp_path):
    root = folder(tmp_path, *["rgb depth segmentation"] * 60)
    data = ModalFolder(root=root, size=16, seen=PAIRS).open("train")
    assert data.task.domains == ("rgb", "depth", "segmentation")  # nir of the test rows was not asked for
    assert data.task.seen == PAIRS
    sets = data.labels[:, 1].int().tolist()
    assert sets == [1, 1, 1, 0, 0, 0] * 10
    assert data.labels.sum(1).eq(2).all()
    assert not unpack(data.load(0)[None], data.task.modalities)["segmentation"].any()
    assert ModalFolder(root=root, size=16, seen=PAIRS).open("test").labels.tolist() == [[1, 1, 1]] * 2


def test_few_rows_reach_every_set(tmp_path):
    for count in range(2, 8):
        data = ModalFolder(root=folder(tmp_path / str(count), *["rgb depth segmentation"] * count), size=16, seen=PAIRS)
        labels = data.open("train").labels
        assert abs(int(labels[:, 1].sum() - labels[:, 2].sum())) <= 1


def test_only_some_modalities(tmp_path):
    root = folder(tmp_path, "rgb depth segmentation", "rgb nir")
    data = ModalFolder(root=root, size=16, modalities=("segmentation", "rgb")).open("train")
    assert data.task.domains == ("rgb", "segmentation")
    assert data.labels.tolist() == [[1, 1]]


def test_a_row_without_a_colour_image_names_one_of_its_modalities(tmp_path):
    data = ModalFolder(root=folder(tmp_path, "depth segmentation", "depth nir"), size=16).open("train")
    assert data.task.domains == ("depth", "nir", "segmentation")
    assert data.name(1) == str(tmp_path / "depth/1.png")


def test_instances_are_no_modality_and_grey_levels_without_a_unit_no_depth(tmp_path):
    data = ModalFolder(root=folder(tmp_path, "rgb instances depth_gray"), size=16).open("train")
    assert data.task.domains == ("rgb", "depth_gray")
    assert (data.task.modalities[1].kind, data.task.modalities[1].channels) == ("image", 1)


def test_the_folder_of_a_world_is_what_the_world_streams(tmp_path):
    seen = (("rgb", "segmentation"), ("rgb", "depth", "nir"))
    make(Streets(set="modalities", size=32, images=6, test_images=4), tmp_path / "made")
    folder = ModalFolder(root=tmp_path / "made", size=32, seen=seen, flip=False, furthest=100).open("test")
    world = StreetsModalities(size=32, images=6, test_images=4, seen=seen).open("test")
    assert folder.task.modalities == world.task.modalities
    assert len(folder) == len(world) == 4
    for index in range(4):
        number = int(Path(folder.name(index)).stem)
        assert torch.equal(folder.load(index), world.load(number))


def test_bad_scenes_are_left_out_and_named_once(tmp_path):
    root = folder(tmp_path, *["rgb depth", "rgb segmentation"] * 5)
    picture(root / "depth/0.png", "depth", 0, (24, 21))
    (root / "depth/2.png").unlink()
    Image.fromarray(np.zeros(SIZE, np.uint16)).save(root / "depth/4.png")
    Image.fromarray(np.full(SIZE, 9, np.uint8)).save(root / "segmentation/1.png")
    Image.fromarray(np.full(SIZE, 255, np.uint8)).save(root / "segmentation/3.png")
    (root / "rgb/5.png").write_text("no image")
    stream = Stream(ModalFolder(root=root, size=16).open("train"), 4, (0,), by_domain=True)
    batches = stream.start()
    used = {int(n) for _ in range(30) for n in next(batches).index}
    assert used == {6, 7, 8, 9}
    said = {
        f"{root}/depth/0.png: 21 x 24 pixels, but {root}/rgb/0.png has 20 x 24; give a scene one size",
        f"{root}/depth/2.png: No such file or directory; check the path",
        f"{root}/rgb/4.png: nothing to learn from in its depth; left out",
        f"{root}/segmentation/1.png: no class has the number 9; there is 0 to 2, and 255 for none",
        f"{root}/rgb/3.png: nothing to learn from in its segmentation; left out",
        f"{root}/rgb/5.png: not an image file; remove it or convert it to PNG or JPEG",
    }
    assert set(stream.bad) == said


def test_a_tiny_scene_is_left_out(tmp_path):
    root = folder(tmp_path, "rgb depth")
    for name in ("rgb", "depth"):
        picture(root / name / "0.png", name, 0, (40, 7))
    with pytest.raises(BadImage, match=r"rgb/0.png: 7 x 40 pixels are too few to learn from; remove it"):
        ModalFolder(root=root, size=16).open("train").load(0)


def refused(root: Path, split: str = "train", **settings: object) -> str:
    with pytest.raises(UserError) as error:
        ModalFolder(root=root, size=16, **settings).open(split)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mistakes_in_one_line(tmp_path):
    root = folder(tmp_path / "a", "rgb depth", "rgb segmentation")
    assert f"no folder {tmp_path}/none; give a folder with a metadata.jsonl" in refused(tmp_path / "none")
    assert "no validation images" in refused(root, "validation")
    assert "has 'dpth', which --data.seen names; did you mean depth?" in refused(root, seen=(("rgb", "dpth"),))
    assert "has 'thermal', which --data.modalities names" in refused(root, modalities=("rgb", "thermal"))
    both = (*PAIRS, ("depth", "segmentation"))
    assert "is left for the set depth+segmentation; add rows" in refused(root, seen=both)
    with pytest.raises(ValueError, match="connected through modalities that they share"):
        ModalFolder(root=root, seen=(("rgb", "depth"), ("nir", "segmentation")))
    apart = folder(tmp_path / "b", "rgb depth", "nir segmentation")
    assert "must be connected through modalities that they share, got rgb+depth and nir+segmentation" in refused(apart)
    assert "has two modalities; name further pictures" in refused(folder(tmp_path / "c", "rgb", "depth"))
    (root / "metadata.jsonl").unlink()
    assert "has no metadata.jsonl; give a folder with a metadata.jsonl that names the modalities" in refused(root)


@pytest.mark.parametrize(
    "text", ['{"segmentation": ["sky"]}', '{"classes": ["sky", "road"]}', "[]", "sky", '["a", "b"]']
)
def test_classes_without_names(tmp_path, text):
    root = folder(tmp_path, "rgb segmentation")
    (root / "classes.json").write_text(text)
    assert f"{root}/classes.json must be" in refused(root)
    (root / "classes.json").unlink()
    assert f"cannot read {root}/classes.json: No such file or directory; it names the classes" in refused(root)


def test_a_colour_image_that_is_named_twice(tmp_path):
    root = folder(tmp_path, "rgb depth")
    Manifest(root, [Row(file_name="rgb/0.png", modalities={"rgb": "rgb/1.png"})]).write()
    assert "metadata.jsonl: rgb/0.png has another picture called rgb; give it another name" in refused(root)


def test_depth_that_is_known_nowhere(tmp_path):
    root = folder(tmp_path, "rgb depth")
    Image.fromarray(np.zeros(SIZE, np.uint16)).save(root / "depth/0.png")
    assert "no depth is known in" in refused(root)
    np.save(root / "depth/0.npy", np.full(SIZE, 3))
    Manifest(root, [Row(file_name="rgb/0.png", split="train", modalities={"depth": "depth/0.npy"})]).write()
    assert "0.npy: a depth in a file .npy must be floats in metres, got int64; save metres" in refused(root)


def test_a_check_finds_nothing_wrong_with_scenes_without_domains(tmp_path):
    root = folder(tmp_path, "rgb depth.npy", "rgb segmentation")
    assert check(root).problems == []
    picture(root / "segmentation/1.png", "segmentation", 0, (3, 4))
    assert "segmentation has 4 x 3 pixels" in check(root).problems[0]
