"""Every translation between modalities is measured against the scene's own picture."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dragoman.data.modality import Modality, pack, unpack
from dragoman.errors import UserError
from dragoman.inference.modal import ModalCore, ModalTranslator
from dragoman.metrics.modal import MeasureScenes
from dragoman.metrics.protocol import Protocol
from dragoman.report.scenes import looks, scenes
from dragoman.worlds.streets.modalities import StreetsModalities

WORLD = StreetsModalities(size=16, images=4, test_images=5)
TASK = WORLD.task
TEST = WORLD.open("test")
ROAD = TASK.modalities[2].classes.index("road")


class Constant(ModalCore):
    """Everything is grey, 20 m away, and road; what is given is ignored, unless it is what is wanted too."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(-0.6))

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        like = x[:, :1]
        road = F.one_hot(torch.tensor(ROAD), 13).to(x)[:, None, None].expand(len(x), -1, *x.shape[2:])
        flat = {"rgb": like.expand(-1, 3, -1, -1) * 0, "depth": like * 0 + self.level, "segmentation": road}
        wanted = [c[:, k, None, None, None] for k in range(3)]
        return pack({name: part * on for (name, part), on in zip(flat.items(), wanted, strict=True)}, TASK.modalities)


MODEL = ModalTranslator(Constant(), TASK)
FOUND = MeasureScenes(TEST, Protocol(inputs=5))(MODEL)
TRUTH = unpack(torch.stack([TEST.load(n) for n in range(5)]), TASK.modalities)


def test_every_ordered_pair_and_all_others_together():
    assert list(FOUND["per_domain"]) == [
        "rgb to depth", "rgb to segmentation", "depth to rgb", "depth to segmentation", "segmentation to rgb",
        "segmentation to depth", "depth+segmentation to rgb", "rgb+segmentation to depth", "rgb+depth to segmentation",
    ]  # fmt: skip
    assert FOUND["unseen"] == ["depth to segmentation", "segmentation to depth"]
    assert set(FOUND["n_per_domain"].values()) == {5} and FOUND["n"] == 5
    assert "never seen together: depth to segmentation, segmentation to depth" in FOUND["protocol"]
    assert FOUND["left_out"] == []
    assert FOUND["model"]["parameters"] == 1


def test_segmentation_by_its_formula():
    values = FOUND["per_domain"]["depth to segmentation"]
    truth = TRUTH["segmentation"].argmax(1)
    share = (truth == ROAD).double().mean().item()
    present = len(truth.unique())
    assert values["accuracy"] == pytest.approx(share)
    assert values["iou/road"] == pytest.approx(share)  # everything is said to be road
    assert values["miou"] == pytest.approx(share / present)
    assert sum(name.startswith("iou/") for name in values) == present


def test_depth_by_its_formula():
    values = FOUND["per_domain"]["segmentation to depth"]
    metres = ((TRUTH["depth"].double() + 1) / 2 * 100).flatten()
    ratio = torch.maximum(20 / metres, metres / 20)
    for power in (1, 2, 3):
        assert values[f"delta_{power}"] == pytest.approx((ratio < 1.25**power).double().mean().item(), abs=2e-3)
    assert values["rmse"] == pytest.approx((metres - 20).square().mean().sqrt().item(), rel=1e-4)
    assert values["rmse_log"] == pytest.approx((metres.log() - torch.tensor(20.0).log()).square().mean().sqrt().item(),
                                               rel=1e-4)  # fmt: skip


def test_images_by_their_formula():
    values = FOUND["per_domain"]["depth to rgb"]
    assert values["l1"] == pytest.approx(TRUTH["rgb"].abs().mean().item(), rel=1e-5)
    mse = TRUTH["rgb"].double().square().mean((1, 2, 3))
    assert values["psnr"] == pytest.approx((10 * (4 / mse).log10()).mean().item(), rel=1e-5)
    assert -1 <= values["ssim"] < 0.5


def test_means_over_what_was_seen_and_what_was_not():
    each, metrics = FOUND["per_domain"], FOUND["metrics"]
    assert metrics["unseen_miou"] == each["depth to segmentation"]["miou"]
    assert metrics["seen_miou"] == each["rgb to segmentation"]["miou"]
    assert metrics["several_miou"] == each["rgb+depth to segmentation"]["miou"]
    l1 = [each[f"{name} to rgb"]["l1"] for name in ("depth", "segmentation")]
    assert metrics["seen_l1"] == pytest.approx(sum(l1) / 2)
    assert "unseen_l1" not in metrics
    assert not any("/" in name for name in metrics)


def test_what_is_unknown_does_not_count():
    measure = MeasureScenes(TEST, Protocol(inputs=5))
    half = torch.arange(16) < 8
    for number in range(measure.test.images.shape[1]):
        if number == 3:
            measure.test.images[:, number, :, half] = -1
        elif number > 3:
            measure.test.images[:, number, :, half] = 0
    found = measure(MODEL)["per_domain"]
    metres = (TRUTH["depth"][..., 8:].double() + 1) / 2 * 100
    assert found["rgb to depth"]["rmse"] == pytest.approx((metres - 20).square().mean().sqrt().item(), rel=1e-4)
    share = TRUTH["segmentation"][:, ROAD, :, 8:].double().mean().item()
    assert found["rgb to segmentation"]["accuracy"] == pytest.approx(share)
    measure.test.images[:, 4:] = 0
    found = measure(MODEL)
    assert "rgb to segmentation" not in found["per_domain"]
    assert "rgb to segmentation: nothing is known of the segmentation of any scene" in found["left_out"]


def test_translations_that_no_scene_can_tell_are_left_out():
    found = MeasureScenes(WORLD.open("train"), Protocol(inputs=4))(MODEL)
    assert "depth to segmentation: no scene has these modalities" in found["left_out"]
    assert set(found["per_domain"]) == {"rgb to depth", "rgb to segmentation", "depth to rgb", "segmentation to rgb"}
    assert found["n_per_domain"]["rgb to depth"] == 2


def test_translations_that_the_model_does_not_know_are_left_out():
    core = Constant()
    core.pairs = (("segmentation", "depth"), ("depth", "segmentation"))
    model = ModalTranslator(core, TASK)
    found = MeasureScenes(TEST, Protocol(inputs=5))(model)
    assert set(found["per_domain"]) == {"segmentation to depth", "depth to segmentation"}
    for title in found["per_domain"]:
        assert found["per_domain"][title] == FOUND["per_domain"][title]
    assert found["left_out"] == [
        f"{title}: the model does not know this translation" for title in FOUND["per_domain"]
        if title not in found["per_domain"]
    ]  # fmt: skip
    assert ", as far as the model knows these;" in found["protocol"]
    assert set(found["metrics"]) == {f"unseen_{name}" for values in found["per_domain"].values() for name in values
                                     if "/" not in name}  # fmt: skip
    images = torch.stack([TEST.load(n) for n in range(2)])
    assert scenes(model, images, torch.ones(2, 3)).size[0] == (3 + 2) * 66 + 2


class Shared(Constant):
    """With codes in a space that all modalities share."""

    def latent(self, name: str, x: Tensor) -> Tensor:
        return x.sum(1) * self.level


def test_alignment_of_the_codes_of_source_and_target():
    assert not any("alignment" in values for values in FOUND["per_domain"].values())
    measure, model = MeasureScenes(TEST, Protocol(inputs=5)), ModalTranslator(Shared(), TASK)
    codes = {name: part.sum(1).flatten(1) for name, part in TRUTH.items()}
    cosine = F.cosine_similarity(codes["depth"], codes["segmentation"]).mean().item()
    found = measure(model)
    assert found["per_domain"]["depth to segmentation"]["alignment"] == pytest.approx(cosine, rel=1e-5)
    assert found["metrics"]["unseen_alignment"] == pytest.approx(cosine, rel=1e-5)
    assert "alignment" not in found["per_domain"]["rgb+depth to segmentation"]
    measure.test.images[0, 3] = 0  # a depth whose code is all 0 has no direction
    assert "alignment" not in measure.values(model, ["depth"], "segmentation")


def test_data_of_other_modalities():
    other = StreetsModalities(size=16, test_images=1, seen=(("rgb", "nir"),)).open("test")
    with pytest.raises(UserError) as error:
        MeasureScenes(other, Protocol(inputs=1))(MODEL)
    assert str(error.value) == (
        "the data have rgb (3 channels), nir (1 channels); the model rgb (3 channels), depth (1 channels), "
        "segmentation (13 classes)"
    )


def test_how_modalities_look():
    depth = Modality(name="depth", kind="depth", furthest=10)
    near, far, unknown = looks(depth, torch.tensor([[[[-0.9, 1.0, -1.0]]]]))[0, :, 0].unbind(1)
    assert near.tolist() == pytest.approx([0.9] * 3)
    assert far.tolist() == unknown.tolist() == [-1] * 3
    classes = Modality(name="s", kind="segmentation", classes=("a", "b"), palette=((255, 0, 0), (0, 0, 255)))
    shown = looks(classes, torch.tensor([[0.2, 0.7, 0.0], [0.8, 0.3, 0.0]])[None, :, None])[0, :, 0]
    assert shown.T.tolist() == [[-1, -1, 1], [1, -1, -1], [-1, -1, -1]]
    assert looks(Modality(name="nir", channels=1), torch.zeros(2, 1, 4, 4)).shape == (2, 3, 4, 4)


def test_a_picture_of_scenes():
    images = torch.stack([TEST.load(n) for n in range(2)])
    picture = scenes(MODEL, images, torch.tensor([[1.0, 1, 1], [1, 0, 1]]))
    columns, rows, top = 3 + 6, 2, 28  # names take two lines
    assert picture.size == (columns * 66 + 2, rows * 66 + top)
    corners = [(2 + 66 * x, top + 66 * y) for y in range(rows) for x in range(columns)]
    cell = [picture.crop((x, y, x + 64, y + 64)) for x, y in corners]
    assert len(cell[0].getcolors(5000)) > 50
    assert cell[4].getcolors() == [(64 * 64, TASK.modalities[2].palette[ROAD])]  # rgb to segmentation
    for blank in (10, 14, 15):  # of the second scene: its depth, and what would be made of it
        assert cell[blank].getcolors() == [(64 * 64, (255, 255, 255))]
