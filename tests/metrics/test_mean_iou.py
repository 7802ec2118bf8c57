"""Segmentation measures by hand and against torchmetrics and scikit-learn."""

import pytest
import torch
from sklearn.metrics import jaccard_score
from torchmetrics.functional.classification import multiclass_jaccard_index

from dragoman.metrics.segmentation import Confusion, mean_iou

TARGET = torch.tensor([[[0, 0, 1, 1], [2, 2, 255, 255]]])
PREDICTION = torch.tensor([[[0, 1, 1, 1], [2, 0, 3, 9]]])  # what is predicted where nothing is known does not count


def test_by_hand():
    confusion = Confusion(4)
    confusion.update(PREDICTION, TARGET)
    assert confusion.iou()[:3].tolist() == [1 / 3, 2 / 3, 1 / 2] and confusion.iou()[3].isnan()
    assert confusion.compute() == pytest.approx((1 / 3 + 2 / 3 + 1 / 2) / 3)  # class 3 is in neither
    assert confusion.accuracy() == pytest.approx(4 / 6)


def test_a_class_only_in_the_prediction_counts_as_zero():
    assert mean_iou(torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), 3) == pytest.approx((1 / 2 + 0) / 2)


def test_equals_torchmetrics_and_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(5, (3, 16, 16), generator=generator)
    prediction = torch.where(
        torch.rand(target.shape, generator=generator) < 0.6, target, torch.randint(5, target.shape, generator=generator)
    )
    found = mean_iou(prediction, target, 7)
    assert found == pytest.approx(jaccard_score(target.flatten(), prediction.flatten(), average="macro"))
    assert found == pytest.approx(multiclass_jaccard_index(prediction, target, 7).item(), rel=1e-6)
    assert mean_iou(target, target, 7) == 1
    assert mean_iou(prediction.byte(), target.int(), 7) == found


def test_counts_above_what_float32_holds_are_exact():
    confusion = Confusion(2)
    confusion.add(pixels=torch.tensor([[2.0**24, 0], [0, 0]]))
    confusion.update(torch.zeros(1, 1, 1).long(), torch.zeros(1, 1, 1).long())
    assert confusion.sums["pixels"][0, 0] == 2**24 + 1


def test_mistakes():
    for nothing in (TARGET[:0], torch.full((1, 2, 2), 255)):
        with pytest.raises(ValueError, match="at least 1 pixel with a known class"):
            mean_iou(torch.zeros_like(nothing), nothing, 4)
    with pytest.raises(ValueError, match="target must be in 0 to 1, got 0 to 2"):
        mean_iou(TARGET.clamp(max=1), TARGET, 2)
    with pytest.raises(ValueError, match="prediction must be in 0 to 3, got -1 to 0"):
        mean_iou(torch.tensor([0, -1]), torch.tensor([0, 1]), 4)
    with pytest.raises(ValueError, match="equal shape"):
        mean_iou(TARGET, TARGET[..., :2], 4)
    with pytest.raises(ValueError, match=r"torch\.float32"):
        mean_iou(TARGET.float(), TARGET, 4)
    with pytest.raises(ValueError, match="1 to 255, got 300"):
        Confusion(300)
