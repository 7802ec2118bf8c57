"""Depth errors: Eq. 4.15 written out, and scikit-learn's RMSE."""

import math

import pytest
import torch
from sklearn.metrics import root_mean_squared_error

from dragoman.metrics.depth import DepthErrors, depth_errors


def test_by_hand():
    truth = torch.tensor([[1.0, 2, 4, 10, 0]])  # the last is unknown
    prediction = torch.tensor([[1.2, 1.5, 7.0, 30, -5]])  # ratios 1.2, 1.333, 1.75, 3
    found = depth_errors(prediction, truth)
    assert [found[f"delta_{k}"] for k in (1, 2, 3)] == [0.25, 0.5, 0.75]
    assert found["rmse"] == pytest.approx(math.sqrt((0.2**2 + 0.5**2 + 3**2 + 20**2) / 4))
    logs = [math.log(1.2), math.log(4 / 3), math.log(1.75), math.log(3)]
    assert found["rmse_log"] == pytest.approx(math.sqrt(sum(v * v for v in logs) / 4))


def test_ratios_count_both_ways_and_the_limit_itself_does_not():
    assert depth_errors(torch.tensor([1.0, 1.25]), torch.tensor([1.25, 1.0]))["delta_1"] == 0
    assert depth_errors(torch.tensor([1.0, 1.24]), torch.tensor([1.24, 1.0]))["delta_1"] == 1


def test_equals_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    y, truth = torch.rand(2, 3, 1, 8, 8, generator=generator).double() + 0.1
    found = depth_errors(y, truth)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth.flatten(), y.flatten()))
    assert found["rmse_log"] == pytest.approx(root_mean_squared_error(truth.log().flatten(), y.log().flatten()))
    assert depth_errors(truth, truth) == {"delta_1": 1, "delta_2": 1, "delta_3": 1, "rmse": 0, "rmse_log": 0}
    half = depth_errors(y.bfloat16(), truth.bfloat16())
    assert half == depth_errors(y.bfloat16().double(), truth.bfloat16().double())
    assert half == pytest.approx(found, abs=1e-2)


def test_mistakes():
    truth = torch.ones(1, 1, 2, 2)
    with pytest.raises(ValueError, match="at least 1 pixel with a depth above 0"):
        depth_errors(truth, 0 * truth)
    with pytest.raises(ValueError, match="2 predicted depths are 0 or less"):
        depth_errors(torch.tensor([0.0, -1, 1]), torch.ones(3))
    with pytest.raises(ValueError, match="finite"):
        DepthErrors().update(truth * torch.nan, truth)
    with pytest.raises(ValueError, match="equal shape"):
        depth_errors(truth, truth[..., :1])
