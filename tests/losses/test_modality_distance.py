"""The distance of each kind of modality."""

import torch

from dragoman.losses.berhu import berhu
from dragoman.losses.modality import distance
from dragoman.losses.segmentation import pixel_cross_entropy


def maps(seed, channels=3):
    return torch.randn(2, channels, 4, 5, generator=torch.Generator().manual_seed(seed))


def test_of_images():
    a, b = maps(1), maps(2)
    torch.testing.assert_close(distance("l1", a, b), (a - b).abs().sum() / a.numel())
    torch.testing.assert_close(distance("l2", a, b), (a - b).square().sum() / a.numel())


def test_of_a_depth_only_what_is_known_counts():
    a, b, known = maps(1, 1), maps(2, 1), maps(3, 1) > 0
    assert distance("berhu", a, b, known) == berhu(a, b, known) != berhu(a, b)


def test_of_a_segmentation():
    logits, target = maps(1), torch.eye(3)[maps(2).argmax(1)].permute(0, 3, 1, 2)
    assert distance("ce", logits, target) == pixel_cross_entropy(logits, target)


def test_half_precision_is_summed_in_single_precision():
    a, b = torch.full((1, 3, 64, 64), 1.0, dtype=torch.bfloat16), torch.zeros(1, 3, 64, 64)
    for kind in ("l1", "l2", "berhu"):
        assert distance(kind, a, b).dtype == torch.float32


def test_only_the_pixels_that_are_asked_for_count():
    a, b, counted = maps(1), maps(2), maps(3, 1) > 0
    rows = counted.expand_as(a)
    torch.testing.assert_close(distance("l1", a, b, counted), (a - b)[rows].abs().mean())
    torch.testing.assert_close(distance("l2", a, b, counted), (a - b)[rows].square().mean())
    target = torch.eye(3)[b.argmax(1)].permute(0, 3, 1, 2)
    expected = -(target * a.log_softmax(1)).sum(1, keepdim=True)[counted].mean()
    torch.testing.assert_close(distance("ce", a, target, counted), expected)
    for kind in ("l1", "l2", "berhu", "ce"):
        assert distance(kind, a, target, torch.zeros_like(counted)) == 0
