"""Errors inside and outside a region, by hand."""

import pytest
import torch

from dragoman.metrics.counterfactual import InsideOutside, inside_outside


def test_by_hand():
    error = torch.tensor([[1.0, 2], [3, 4]]).expand(2, 1, 2, 2)
    region = torch.zeros(2, 1, 2, 2, dtype=torch.bool)
    region[0, 0, 0] = True
    inside, outside = inside_outside(error, region)
    assert inside[0].item() == 1.5 and outside.tolist() == [3.5, 2.5]
    assert inside[1].isnan()  # the second image has no region


def test_the_whole_is_the_weighted_mean_of_both():
    generator = torch.Generator().manual_seed(0)
    error = torch.rand(4, 1, 8, 8, generator=generator)
    region = torch.rand(4, 1, 8, 8, generator=generator) < 0.3
    inside, outside = inside_outside(error, region)
    share = region.double().mean((1, 2, 3))
    torch.testing.assert_close(inside * share + outside * (1 - share), error.double().mean((1, 2, 3)))


def test_another_shape_is_an_error():
    with pytest.raises(ValueError, match="same shape"):
        inside_outside(torch.rand(1, 3, 2, 2), torch.ones(1, 1, 2, 2, dtype=torch.bool))


def test_accumulated_is_the_mean_over_images():
    generator = torch.Generator().manual_seed(1)
    error, region = torch.rand(9, 1, 4, 4, generator=generator), torch.rand(9, 1, 4, 4, generator=generator) < 0.3
    region[0], region[1] = False, True
    errors = InsideOutside()
    for part in (slice(0, 1), slice(1, 5), slice(5, 9)):
        errors.update(error[part], region[part])
    inside, outside = inside_outside(error, region)
    assert errors.compute() == pytest.approx(
        (inside[1:].mean().item(), torch.cat([outside[:1], outside[2:]]).mean().item())
    )


def test_accumulating_nothing_is_an_error():
    errors = InsideOutside()
    errors.update(torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="at least 1 image"):
        errors.compute()
    with pytest.raises(ValueError, match="finite"):
        errors.update(torch.full((1, 1, 2, 2), torch.nan), torch.zeros(1, 1, 2, 2, dtype=torch.bool))
