"""Masks against regions: hand-computed cases, and what chance gives."""

import pytest
import torch

from dragoman.metrics.mask import CHANGE, changed_region, mask_iou


def test_by_hand():
    region = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    region[..., :2, :2] = True  # four pixels
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 0, :3] = torch.tensor([0.9, 0.8, 0.7])
    mask[..., 3, 3] = 0.6  # the four strongest: two inside, two outside
    mask[..., 1, 0] = 0.5
    assert mask_iou(mask, region).tolist() == [2 / 6]
    assert mask_iou(region.float(), region).tolist() == [1]
    assert mask_iou(1 - region.float(), region).tolist() == [0]


def test_only_the_order_of_the_mask_counts():
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(5, 1, 8, 8, generator=generator)
    region = torch.rand(5, 1, 8, 8, generator=generator) < 0.3
    assert torch.equal(mask_iou(mask, region), mask_iou(0.01 * mask**3 + 0.5, region))
    alone = [mask_iou(mask[n : n + 1], region[n : n + 1]) for n in range(5)]
    assert torch.equal(mask_iou(mask, region), torch.cat(alone))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_chance(share: float):
    generator = torch.Generator().manual_seed(1)
    mask, region = (torch.rand(50, 1, 32, 32, generator=generator) for _ in range(2))
    assert mask_iou(mask, region < share).mean().item() == pytest.approx(share / (2 - share), abs=0.01)


def test_no_region_is_nan_and_another_shape_an_error():
    mask = torch.rand(2, 1, 4, 4)
    region = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    region[0, 0, 0, 0] = True
    assert mask_iou(mask, region).isnan().tolist() == [False, True]
    with pytest.raises(ValueError, match="same shape"):
        mask_iou(mask, region[..., :2])


def test_changed_region_is_what_one_can_see():
    x = torch.zeros(1, 3, 2, 2)
    truth = x.clone()
    truth[0, 1, 0, 0] = 1.01 * CHANGE  # one channel is enough
    truth[0, 2, 1, 1] = 0.99 * CHANGE
    assert changed_region(x, truth)[0, 0].tolist() == [[True, False], [False, False]]
