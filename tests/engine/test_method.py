"""Where weights meet losses, and what a phase refuses."""

import pytest
import torch

from dragoman.engine.method import Phase, at, weigh
from dragoman.engine.schedules import linear_decay


def test_weigh_is_the_weighted_sum_at_the_step():
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(-3.0), "c": torch.tensor(5.0)}
    total = weigh(losses, {"c": 0.0, "a": 10, "b": lambda step: step / 2}, step=3)
    assert total.item() == 10 * 2 + 1.5 * -3


def test_weigh_is_differentiable_in_every_term():
    a, b = torch.tensor(1.0, requires_grad=True), torch.tensor(1.0, requires_grad=True)
    weigh({"a": a, "b": b**2}, {"a": 3.0, "b": 4.0}, 0).backward()
    assert (a.grad.item(), b.grad.item()) == (3.0, 8.0)


@pytest.mark.parametrize("weights", [{}, {"a": 1.0}, {"a": 1.0, "b": 1.0, "typo": 1.0}, {"a": 1.0, "typo": 1.0}])
def test_weigh_raises_on_a_missing_or_extra_name(weights):
    with pytest.raises(ValueError, match=r"'a', 'b'.*must have the same names"):
        weigh({"a": torch.tensor(0.0), "b": torch.tensor(0.0)}, weights, 0)


def test_a_weight_is_a_constant_or_a_function_of_the_step():
    assert at(0.5, 7) == 0.5
    assert at(lambda step: 2.0 * step, 7) == 14.0


@pytest.mark.parametrize("wrong", [{"every": 0}, {"repeat": 0}, {"every": -1}, {"repeat": -2}])
def test_a_phase_refuses_counts_below_one(wrong):
    with pytest.raises(ValueError, match="phase G: every and repeat must be at least 1"):
        Phase(name="G", updates=["G"], losses=lambda batch: {}, weights={}, **wrong)


def test_a_phase_is_frozen():
    phase = Phase(name="G", updates=["G"], losses=lambda batch: {}, weights={})
    with pytest.raises(AttributeError):
        phase.every = 2


def test_linear_decay_is_one_then_falls_to_zero():
    rate = linear_decay(4, 8)
    assert [rate(step) for step in range(10)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]


def test_linear_decay_over_no_steps_stays_in_range():
    assert [linear_decay(0, 0)(step) for step in (0, 1)] == [0, 0]
    assert [linear_decay(0, 1)(step) for step in (0, 1)] == [1, 0]
