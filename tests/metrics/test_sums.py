"""Every accumulator: batches, merging and ranks change nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dragoman.engine.runtime import Runtime
from dragoman.metrics.alignment import Alignment
from dragoman.metrics.counterfactual import InsideOutside
from dragoman.metrics.depth import DepthErrors
from dragoman.metrics.frechet import Moments
from dragoman.metrics.inception_score import InceptionScore
from dragoman.metrics.segmentation import Confusion
from dragoman.metrics.sums import Sums


def _rand(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(len(shape)))


DATA = _rand(12, 1, 4, 4)
CASES: list[tuple[Callable[[], Any], tuple[Tensor, ...]]] = [
    (lambda: Moments(5), (_rand(12, 5),)),
    (lambda: InceptionScore(5), (_rand(12, 5),)),
    (lambda: Confusion(3), ((3 * DATA).long(), (3 * DATA.flip(0)).long())),
    (DepthErrors, (DATA + 0.1, DATA.flip(0))),
    (Alignment, (DATA, DATA.flip(0))),
    (InsideOutside, (DATA, DATA.flip(0) > 0.5)),
]
"""How to make each accumulator, and what it takes."""


def flat(sums: Any) -> list[float]:
    """The result as numbers."""
    found = sums.compute()
    if isinstance(found, dict):
        found = tuple(found.values())
    parts = found if isinstance(found, tuple) else (found,)
    return torch.cat([torch.as_tensor(part, dtype=torch.float64).flatten() for part in parts]).tolist()


def fed(make: Callable[[], Any], inputs: tuple[Tensor, ...], batch: int) -> Any:
    sums = make()
    for parts in zip(*(value.split(batch) for value in inputs), strict=True):
        sums.update(*parts)
    return sums


@pytest.mark.parametrize("make, inputs", CASES)
def test_batches_and_merging_change_nothing(make: Callable[[], Any], inputs: tuple[Tensor, ...]):
    whole = flat(fed(make, inputs, 12))
    for batch in (1, 5):
        assert flat(fed(make, inputs, batch)) == pytest.approx(whole, rel=1e-9)
    first, second = (fed(make, tuple(value[part] for value in inputs), 3) for part in (slice(7), slice(7, 12)))
    first.merge(second)
    assert flat(first) == pytest.approx(whole, rel=1e-9)
    first.merge(make())  # nothing
    first.merge_ranks(Runtime(torch.device("cpu")))  # alone
    assert flat(first) == pytest.approx(whole, rel=1e-9)
    assert all(value.dtype == torch.float64 for value in first.sums.values())


@pytest.mark.parametrize("make, inputs", CASES)
def test_reset_forgets(make: Callable[[], Any], inputs: tuple[Tensor, ...]):
    sums = fed(make, inputs, 12)
    sums.reset()
    with pytest.raises(ValueError, match=r"at least [12]"):
        sums.compute()
    sums.update(*inputs)
    assert flat(sums) == flat(fed(make, inputs, 12))


@pytest.mark.parametrize("make, inputs", CASES)
def test_an_empty_batch_is_nothing(make: Callable[[], Any], inputs: tuple[Tensor, ...]):
    sums = fed(make, inputs, 12)
    before = flat(sums)
    sums.update(*(value[:0] for value in inputs))
    assert flat(sums) == before


def test_only_equals_merge():
    with pytest.raises(ValueError, match="cannot merge InceptionScore"):
        Moments(5).merge(InceptionScore(5))
    with pytest.raises(ValueError, match="cannot merge Moments"):
        Moments(5).merge(Moments(4))


def test_many_small_numbers_are_not_lost():
    sums = Sums(total=())
    sums.add(total=torch.tensor(2.0**25))
    for _ in range(10):
        sums.add(total=torch.tensor(0.5, dtype=torch.bfloat16))
    assert sums.sums["total"] == 2**25 + 5


def test_two_ranks(torchrun: Callable[..., None]):
    torchrun(Path(__file__).with_name("sums_two_ranks.py"))
