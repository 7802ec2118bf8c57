"""Cross-entropy of pixels against its formula."""

import math

import torch
import torch.nn.functional as F

from dragoman.losses.segmentation import pixel_cross_entropy


def test_one_hot_targets_and_pixels_without_label():
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    number = torch.randint(3, (2, 4, 5), generator=torch.Generator().manual_seed(2))
    target = F.one_hot(number, 3).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(pixel_cross_entropy(logits, target), F.cross_entropy(logits, number))
    number[0, :2] = 255
    target[0, :, :2] = 0
    torch.testing.assert_close(pixel_cross_entropy(logits, target), F.cross_entropy(logits, number, ignore_index=255))
    wild = logits.clone()
    wild[0, :, :2] *= 100
    torch.testing.assert_close(pixel_cross_entropy(wild, target), pixel_cross_entropy(logits, target))
    assert pixel_cross_entropy(logits, torch.zeros_like(target)) == 0


def test_probabilities_as_targets():
    logits, target = torch.tensor([0.0, math.log(3)]), torch.tensor([0.4, 0.6])
    found = pixel_cross_entropy(logits[None, :, None, None], target[None, :, None, None])
    assert math.isclose(found.item(), -(0.4 * math.log(0.25) + 0.6 * math.log(0.75)), rel_tol=1e-6)
