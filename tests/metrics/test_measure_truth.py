"""Measuring against true answers, on translators that know them or do nothing."""

import pytest
import torch
from torch import Tensor, nn

from dragoman.data.dataset import Arrays
from dragoman.errors import UserError
from dragoman.inference.translator import Core, Translator
from dragoman.metrics.mask import changed_region
from dragoman.metrics.measure import Measure
from dragoman.metrics.measurements import METRICS
from dragoman.metrics.protocol import Protocol
from dragoman.worlds.digits import Digits
from dragoman.worlds.faces import Faces
from dragoman.worlds.world import Rendered

WORLD = Faces(size=32, images=40, test_images=12, wanted=("blond_hair", "eyeglasses", "male"))
PROTOCOL = Protocol(inputs=12, styles=2, classifier_images=40, classifier_steps=5)
TRUTH = ("counterfactual", "mask_iou")


class Oracle(Core):
    """Finds its input among the images of a world and gives the true answer and the true mask."""

    style_dim = 1

    def __init__(self, data: Rendered):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.data = data
        self.number = {data.load(index).numpy().tobytes(): index for index in range(len(data))}

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        numbers = [self.number[image.contiguous().numpy().tobytes()] for image in x]
        truth = torch.stack([self.data.counterfactual(n, code) for n, code in zip(numbers, c, strict=True)])
        return truth, changed_region(x, truth).float()


class Nothing(Core):
    """Gives back its input, with the same mask for every image."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        return x, torch.rand(1, 1, *x.shape[2:], generator=torch.Generator().manual_seed(0)).expand(len(x), -1, -1, -1)


@pytest.fixture(scope="module")
def measure() -> Measure:
    return Measure(WORLD.open("train"), WORLD.open("test"), PROTOCOL, TRUTH)


def test_the_oracle_is_perfect(measure):
    result = measure(Translator(Oracle(WORLD.open("test")), WORLD.task))
    assert list(result["per_domain"]) == ["blond_hair", "eyeglasses", "male"]
    for values in (result["metrics"], *result["per_domain"].values()):
        assert values["truth_l1"] == values["truth_l1_inside"] == values["truth_l1_outside"] == 0
        assert values["mask_iou"] == 1
        for name in ("truth_ssim", "truth_ssim_inside", "truth_ssim_outside"):
            assert values[name] == pytest.approx(1, abs=1e-6)
        assert values.get("truth_lpips", 0) == values.get("truth_lpips_inside", 0) == 0
        assert 0.005 < values["truth_l1_untouched"] < 0.5


def test_doing_nothing_is_wrong_only_where_something_must_change(measure):
    result = measure(Translator(Nothing(), WORLD.task))
    for values in result["per_domain"].values():
        assert values["truth_l1"] == pytest.approx(values["truth_l1_untouched"], rel=1e-6)
        assert values["truth_l1_outside"] < 4 / 255 < 0.1 < values["truth_l1_inside"]
        assert values["truth_ssim_inside"] < values["truth_ssim_outside"] - 0.1  # windows reach over the border
        assert values.get("truth_lpips_inside", 2) > values.get("truth_lpips_outside", 1)
        assert values["mask_iou"] == pytest.approx(values["mask_iou_chance"], abs=0.05)


def test_a_mask_of_something_else_is_not_compared_with_what_must_change(measure):
    class Gate(Oracle):
        """Its mask is right, and does not claim to be."""

        mask_marks_change = False

    result = measure(Translator(Gate(WORLD.open("test")), WORLD.task))
    assert result["metrics"]["truth_l1"] == 0 and not [name for name in result["metrics"] if "mask" in name]
    assert [line for line in result["left_out"] if "mask" in line] == [
        "mask_iou: found nothing to measure in any target"
    ]


def test_metrics_that_the_data_do_not_allow_are_left_out_with_the_reason():
    opened = [Digits(size=16, variants=1).open(split) for split in ("train", "test")]
    train, test = (Arrays(d.task, d.images, d.labels, d.attributes) for d in opened)
    measure = Measure(train, test, PROTOCOL, tuple(METRICS))
    assert set(TRUTH) <= set(measure.left_out)
    assert all("true answers" in measure.left_out[name] for name in TRUTH)
    assert not set(measure.left_out) & set(measure.metrics)
    assert set(measure.left_out) | set(measure.metrics) == set(METRICS)


def test_an_unknown_metric_is_an_error():
    data = WORLD.open("test")
    with pytest.raises(UserError, match="unknown metric 'beauty'; there is: domain_accuracy"):
        Measure(data, data, PROTOCOL, ("beauty",))
