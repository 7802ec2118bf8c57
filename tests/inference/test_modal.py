"""The translator between modalities: any size in, the same size out, and pictures written as what they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from dragoman.data.batch import Task
from dragoman.data.maps import read_map
from dragoman.data.modality import Modality, pack, unpack
from dragoman.errors import UserError
from dragoman.inference.modal import ModalCore, ModalTranslator, Prediction
from dragoman.inference.scenes import plan_scenes, translate_scenes

CLASSES = ("sky", "road", "car")
MODALITIES = (
    Modality(name="rgb"),
    Modality(name="depth", kind="depth", furthest=8),
    Modality(name="near_infrared", channels=1),
    Modality(name="segmentation", kind="segmentation", classes=CLASSES, palette=((0, 0, 255), (9, 9, 9), (255, 0, 0))),
)
RANDOM = np.random.default_rng(0)


class Copies(ModalCore):
    """A modality from itself is itself; from others it is their mean, with a share of each class for its depth."""

    def __init__(self, stride: int = 4) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.stride = stride
        self.seen: list[tuple[int, ...]] = []

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape[2:]))
        assert all(side % self.stride == 0 for side in x.shape[2:])
        parts, made = unpack(x, MODALITIES), {}
        for number, m in enumerate(MODALITIES):
            own = (given[:, number] * c[:, number])[:, None, None, None]
            mean = sum(part.mean(1, keepdim=True) * given[:, k, None, None, None] for k, part in
                       enumerate(parts.values())) / given.sum(1)[:, None, None, None]  # fmt: skip
            other = mean.expand(-1, m.channels, -1, -1)
            if m.kind == "segmentation":
                other = torch.cat([mean * k for k in range(m.channels)], 1).softmax(1)
            made[m.name] = (own * parts[m.name] + (1 - own) * other) * c[:, number, None, None, None] * self.gain
        return pack(made, MODALITIES)


def translator(stride: int = 4, size: int = 16) -> ModalTranslator:
    task = Task(
        domains=tuple(m.name for m in MODALITIES), exclusive=False, size=size, channels=8, modalities=MODALITIES,
        seen=(("rgb", "depth"), ("rgb", "near_infrared", "segmentation")),
    )  # fmt: skip
    return ModalTranslator(Copies(stride), task)


MODEL = translator()


def pictures(height: int, width: int) -> dict[str, np.ndarray]:
    """A scene as arrays: depth in metres of which a half is unknown."""
    metres = RANDOM.uniform(0.01, 8, (height, width)).astype(np.float32)
    return {
        "rgb": RANDOM.integers(0, 256, (height, width, 3), np.uint8),
        "depth": np.where(RANDOM.random((height, width)) < 0.5, metres, 0),
        "near_infrared": RANDOM.integers(0, 256, (height, width), np.uint8),
        "segmentation": RANDOM.choice(np.array([0, 1, 2, 255], np.uint8), (height, width)),
    }


SCENE = pictures(16, 16)


def write(folder: Path, scene: dict[str, np.ndarray], stem: str = "a") -> dict[str, Path]:
    """Its files."""
    made = {}
    for name, values in scene.items():
        made[name] = folder / name / f"{stem}.png"
        made[name].parent.mkdir(parents=True, exist_ok=True)
        stored = np.round(values * 256).astype(np.uint16) if name == "depth" else values
        Image.fromarray(stored).save(made[name])
    return made


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (15, 17), (16, 16), (31, 5), (33, 50)])
@pytest.mark.parametrize("scale", ["train", "native"])
def test_the_same_size_comes_out(size: tuple[int, int], scale: str):
    scene = pictures(*size)
    for name in scene:
        for given in ({name: scene[name]}, scene):
            for target in MODEL.domains:
                assert MODEL(given, to=target, scale=scale).image.size == size[::-1]


def test_each_modality_to_itself_is_as_it_was():
    for name, values in SCENE.items():
        made = MODEL({name: values}, to=name)
        if name == "depth":
            known = values > 0
            np.testing.assert_allclose(made.metres[known], np.maximum(values[known], 1 / 256), rtol=1e-5)
            np.testing.assert_allclose(made.metres[~known], 1 / 256)
        elif name == "segmentation":
            assert np.array_equal(made.numbers, values)
        else:
            assert np.array_equal(np.asarray(made.image), values)


def test_enlarging_and_back_mixes_no_depth_and_no_class():
    """Twice the size of training: the nearest pixel of the network's picture."""
    scene = {name: values.repeat(2, 0).repeat(2, 1) for name, values in SCENE.items()}
    core = MODEL.core
    assert isinstance(core, Copies)
    core.seen.clear()
    numbers = MODEL({"segmentation": scene["segmentation"]}, to="segmentation").numbers
    assert core.seen == [(16, 16)]
    assert np.array_equal(numbers, scene["segmentation"])
    metres = MODEL({"depth": scene["depth"]}, to="depth").metres
    np.testing.assert_allclose(metres, np.maximum(scene["depth"], 1 / 256), rtol=1e-5)
    native = MODEL({"depth": scene["depth"]}, to="depth", scale="native").metres
    assert core.seen[-1] == (32, 32)
    np.testing.assert_allclose(native, metres)


def test_the_strides_of_a_network_are_kept():
    deep = translator(stride=32)
    assert deep({"rgb": SCENE["rgb"]}, to="depth").image.size == (16, 16)
    assert isinstance(deep.core, Copies) and deep.core.seen == [(32, 32)]


def test_one_or_several_pictures_of_a_scene():
    one, other = ({name: SCENE[name]} for name in ("rgb", "near_infrared"))
    both = {**other, **one}
    results = [np.asarray(MODEL(given, to="depth").metres) for given in (one, other, both)]
    assert not np.allclose(results[0], results[1])
    np.testing.assert_allclose(results[2], (results[0] + results[1]) / 2, atol=1e-4)


def test_paths_images_and_arrays_are_the_same(tmp_path: Path):
    files = write(tmp_path, SCENE)
    for target in MODEL.domains:
        made = np.asarray(MODEL({n: f for n, f in files.items() if n != "depth"}, to=target).image)
        for given in (
            {n: str(f) for n, f in files.items() if n != "depth"},
            {n: Image.open(f) for n, f in files.items() if n != "depth"},
            {n: v for n, v in SCENE.items() if n != "depth"},
        ):
            assert np.array_equal(np.asarray(MODEL(given, to=target).image), made)


def test_alone_and_in_a_batch_alike():
    parts = [MODEL.read(pictures(13, 19)) for _ in range(4)]
    x = torch.stack([pack({n: v[None] for n, v in part.items()}, MODALITIES)[0] for part in parts])
    given = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
    wanted = given.flip(0)
    together = MODEL.translate(x, given, wanted)
    for n in range(4):
        alone = MODEL.translate(x[n : n + 1], given[n : n + 1], wanted[n : n + 1])
        torch.testing.assert_close(alone[0], together[n], rtol=0, atol=1e-6)


def test_depth_is_written_with_256_to_the_metre_or_in_metres(tmp_path: Path):
    made = MODEL({"rgb": SCENE["rgb"]}, to="depth")
    made.save(tmp_path / "d.png")
    made.save(str(tmp_path / "d.npy"))
    pixels = np.asarray(Image.open(tmp_path / "d.png"))
    assert pixels.dtype == np.uint16
    np.testing.assert_allclose(pixels / 256, made.metres, atol=1 / 512)
    assert np.array_equal(np.load(tmp_path / "d.npy"), made.metres)
    assert made.metres.min() >= 1 / 256
    assert made.metres.max() <= 8
    assert (read_map(tmp_path / "d.png", MODALITIES[1]) > 0).all()


def test_segmentation_is_written_with_its_palette(tmp_path: Path):
    made = MODEL({"segmentation": SCENE["segmentation"]}, to="segmentation")
    made.save(tmp_path / "s.png")
    image = Image.open(tmp_path / "s.png")
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), SCENE["segmentation"])
    colours = np.asarray(image.convert("RGB"))
    assert (colours[SCENE["segmentation"] == 2] == (255, 0, 0)).all()
    assert (colours[SCENE["segmentation"] == 255] == 0).all()


def test_the_likeliest_class_counts():
    probabilities = torch.tensor([[0.2, 0.5], [0.5, 0.3], [0.3, 0.2]])[:, None]
    assert Prediction(MODALITIES[3], probabilities).numbers.tolist() == [[1, 0]]


def test_formats_that_would_change_values_are_refused(tmp_path: Path):
    for to, says in (("depth", "a depth must be .png or .npy"), ("segmentation", "a segmentation must be .png")):
        made = MODEL({"rgb": SCENE["rgb"]}, to=to)
        with pytest.raises(UserError, match=says):
            made.save(tmp_path / "a.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["near_infrared", "near-infrared", "Near_Infrared"])
def test_names_in_any_spelling(name: str):
    assert MODEL.modality(name).name == "near_infrared"
    assert MODEL.code([name, "rgb"]).tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("given", "to", "says"),
    [
        ({"rgb": SCENE["rgb"]}, "dpth", "unknown modality 'dpth'; did you mean depth?"),
        ({"dpth": SCENE["depth"]}, "rgb", "unknown modality 'dpth'; did you mean depth?"),
        ({}, "rgb", "nothing to translate; give pictures of rgb, depth, near_infrared, segmentation"),
        ({"rgb": SCENE["rgb"], "depth": SCENE["depth"][:9]}, "segmentation",
         "the depth: 16 x 9 pixels, but the rgb has 16 x 16; give a scene one size"),
        ({"segmentation": SCENE["rgb"]}, "rgb", "the segmentation: segmentation must have one channel"),
        ({"depth": SCENE["near_infrared"]}, "rgb", "a depth must be 16-bit grey"),
        ({"rgb": "none.png"}, "depth", "none.png: No such file or directory; check the path"),
    ],
)  # fmt: skip
def test_mistakes_in_one_line(given: dict[str, np.ndarray], to: str, says: str):
    with pytest.raises(UserError) as error:
        MODEL(given, to=to)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_scale():
    with pytest.raises(UserError, match="unknown scale 'big'; there is: train, native"):
        MODEL({"rgb": SCENE["rgb"]}, to="depth", scale="big")


def test_what_a_core_does_not_know_is_an_error_that_names_what_it_knows(tmp_path: Path):
    model = translator()
    model.core.pairs = (("rgb", "near_infrared"), ("near_infrared", "depth"))
    assert model({"near-infrared": SCENE["near_infrared"]}, to="DEPTH").image.size == (16, 16)
    assert model.knows(["Near-Infrared"], "depth") and MODEL.knows(["rgb", "depth"], "depth")
    for given in (["near_infrared"], ["rgb", "near_infrared"], ["depth"]):
        asked, known = "+".join(given), "rgb to near_infrared, near_infrared to depth"
        says = f"this model does not translate {asked} to rgb; it knows {known}"
        with pytest.raises(UserError) as error:
            model({name: SCENE[name] for name in given}, to="rgb")
        assert str(error.value) == says
        files = write(tmp_path, {name: SCENE[name] for name in given})
        with pytest.raises(UserError) as error:
            plan_scenes(model, [*files.values()], given, "rgb", tmp_path / "out")
        assert str(error.value) == says


def test_nothing_is_trained_by_translating():
    assert not any(p.requires_grad for p in MODEL.core.parameters())


def test_a_folder_of_one_modality(tmp_path: Path):
    for stem in ("a", "b/c"):
        (tmp_path / "depth" / stem).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path, {"depth": pictures(9, 14)["depth"]}, stem)
    np.save(tmp_path / "depth/d.npy", pictures(5, 6)["depth"])
    (tmp_path / "depth/bad.png").write_text("no image")
    Image.fromarray(SCENE["near_infrared"]).save(tmp_path / "depth/eight.png")
    out, said = tmp_path / "out", []
    scenes = plan_scenes(MODEL, [tmp_path / "depth"], ["depth"], "segmentation", out)
    summary = translate_scenes(MODEL, scenes, out, "segmentation", warn=said.append)
    assert (summary.translated, summary.skipped, len(summary.failed)) == (3, 0, 2)
    assert sorted(summary.failed) == [str(tmp_path / "depth/bad.png"), str(tmp_path / "depth/eight.png")]
    assert [*summary.failed.values()] == said
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.png")} == {"a.png", "b/c.png", "d.png"}
    assert Image.open(out / "b/c.png").size == (14, 9)
    assert Image.open(out / "d.png").mode == "P"
    again = translate_scenes(MODEL, scenes, out, "segmentation")
    assert (again.translated, again.skipped) == (0, 3)
    with pytest.raises(UserError, match="holds translations with another to"):
        translate_scenes(MODEL, scenes, out, "rgb")


def test_several_pictures_of_one_scene(tmp_path: Path):
    files = write(tmp_path, SCENE)
    inputs = [files["near_infrared"], files["rgb"]]
    (scene,) = plan_scenes(MODEL, inputs, ["near-infrared", "rgb"], "depth", tmp_path / "out")
    assert scene.sources == {"near_infrared": inputs[0], "rgb": inputs[1]}
    assert scene.output == tmp_path / "out/a.png"
    translate_scenes(MODEL, [scene], tmp_path / "out", "depth")
    expected = MODEL({"near_infrared": inputs[0], "rgb": inputs[1]}, to="depth").image
    assert np.array_equal(np.asarray(Image.open(scene.output)), np.asarray(expected))


def test_suffixes_follow_the_target(tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "b.png"):
        Image.fromarray(SCENE["rgb"]).save(tmp_path / "in" / name)
    np.save(tmp_path / "in/c.npy", SCENE["depth"])

    def names(source: str, to: str) -> list[str]:
        return [s.output.name for s in plan_scenes(MODEL, [tmp_path / "in"], [source], to, tmp_path / "out")]

    assert names("rgb", "depth") == names("rgb", "segmentation") == ["a.png", "b.png"]
    assert names("rgb", "near_infrared") == ["a.jpg", "b.png"]
    assert names("depth", "depth") == ["a.png", "b.png", "c.npy"]
    assert names("depth", "rgb") == ["a.jpg", "b.png", "c.png"]


def test_plans_that_do_not_work(tmp_path: Path):
    files = write(tmp_path, SCENE)
    rgb, depth = files["rgb"], files["depth"]
    Image.fromarray(SCENE["rgb"]).save(rgb.with_suffix(".jpg"))
    cases = [
        ([rgb], [], "depth", "--from is missing: say what the inputs are, of rgb, depth"),
        ([rgb], ["dpth"], "depth", "unknown modality 'dpth'"),
        ([rgb], ["rgb"], "dpth", "unknown modality 'dpth'"),
        ([rgb], ["rgb", "depth"], "segmentation", "--from rgb depth needs 2 files of one scene in that order"),
        ([rgb.parent, depth], ["rgb", "depth"], "segmentation", "in that order, or 2 folders with files of the"),
        ([rgb.parent, depth.parent], ["rgb", "depth"], "segmentation", "are both called a; leave one of them"),
        ([rgb, depth], ["rgb", "rgb"], "segmentation", "--from rgb rgb names a modality twice; name each once"),
        ([rgb, tmp_path / "none.png"], ["rgb", "depth"], "segmentation", "none.png: no such file or folder"),
        ([tmp_path / "none"], ["rgb"], "depth", "none: no such file or folder; check the path"),
        ([rgb.parent], ["rgb"], "depth", "would both be written to"),
    ]
    for inputs, names, to, says in cases:
        with pytest.raises(UserError) as error:
            plan_scenes(MODEL, inputs, names, to, tmp_path / "out")
        assert says in str(error.value)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="would be written onto itself; choose another --out"):
        plan_scenes(MODEL, [rgb, depth], ["rgb", "depth"], "segmentation", depth.parent)
