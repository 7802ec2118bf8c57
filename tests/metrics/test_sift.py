"""The SIFT descriptor distance on pictures whose true matches are known."""

import cv2
import numpy as np
import pytest
import torch

from dragoman.data.image import from_uint8
from dragoman.metrics import sift
from dragoman.metrics.sift import SiftDistance, sift_distance, sift_distances


def picture(seed: int, size: int = 160) -> np.ndarray:
    """Overlapping discs and boxes: many corners, no two alike."""
    rng = np.random.default_rng(seed)
    image = np.full((size, size, 3), 128, np.uint8)
    for _ in range(120):
        (x, y), colour, extent = (
            rng.integers(0, size, 2),
            rng.integers(0, 256, 3).tolist(),
            int(rng.integers(3, size // 8)),
        )
        if rng.random() < 0.5:
            cv2.circle(image, (int(x), int(y)), extent, colour, -1)
        else:
            cv2.rectangle(image, (int(x), int(y)), (int(x) + extent, int(y) + 2 * extent), colour, -1)
    return image


def tensors(*pictures: np.ndarray) -> torch.Tensor:
    return torch.stack([from_uint8(image) for image in pictures])


def noisy(image: np.ndarray, level: float) -> np.ndarray:
    return np.clip(image + np.random.default_rng(0).normal(0, level, image.shape), 0, 255).astype(np.uint8)


def test_equal_images_are_at_zero_and_noise_is_further():
    image = picture(0)
    x = tensors(image)
    found = [sift_distance(x, tensors(noisy(image, level)))[0] for level in (0, 5, 20)]
    assert found[0] == 0 < found[1] < found[2] < 20


def test_distance_is_the_mean_over_the_inliers():
    """Against descriptors matched by hand: every pair of them, the two nearest, the ratio, RANSAC, |a - b| / 128."""
    first = picture(1)
    second = cv2.warpAffine(noisy(first, 8), np.float32([[1, 0.02, 5], [-0.02, 1, 3]]), (160, 160), borderMode=4)
    detector = cv2.SIFT.create()
    (places, a), (others, b) = (
        detector.detectAndCompute(cv2.cvtColor(v, cv2.COLOR_RGB2GRAY), None) for v in (first, second)
    )
    apart = np.linalg.norm(a[:, None].astype(np.float64) - b, axis=2)
    order = np.argsort(apart, axis=1)
    rows = np.arange(len(a))
    good = apart[rows, order[:, 0]] < 0.75 * apart[rows, order[:, 1]]
    rows, columns = rows[good], order[good, 0]
    points = (np.float32([places[i].pt for i in rows]), np.float32([others[j].pt for j in columns]))
    inlier = cv2.findFundamentalMat(*points, cv2.FM_RANSAC, 3.0, 0.99)[1][:, 0] > 0
    assert 8 <= inlier.sum() <= len(rows)
    expected = np.mean([np.abs(a[i] - b[j]).sum() / 128 for i, j in zip(rows[inlier], columns[inlier], strict=True)])
    assert sift_distances(tensors(first), tensors(second)).item() == pytest.approx(expected)


def test_the_same_every_time_and_in_any_company():
    x = tensors(*(picture(seed) for seed in range(3)))
    y = tensors(*(noisy(picture(seed), 10) for seed in range(3)))
    found = sift_distances(x, y)
    cv2.setRNGSeed(7)
    assert torch.equal(sift_distances(x, y), found)
    assert sift_distances(x[1:2], y[1:2]).item() == found[1]
    grey = x.mean(1, keepdim=True)
    assert sift_distances(grey, grey).tolist() == [0] * 3


def test_what_cannot_be_matched_is_counted():
    flat, image = np.full((160, 160, 3), 90, np.uint8), picture(2)
    x, y = tensors(image, image, flat), tensors(noisy(image, 10), flat, flat)
    mean, unmatched = sift_distance(x, y)
    assert mean == sift_distances(x[:1], y[:1]).item() and unmatched == pytest.approx(2 / 3)
    assert np.isnan(sift_distance(x[2:], y[2:])[0]) and sift_distance(x[2:], y[2:])[1] == 1


def test_enlarging_finds_more_in_small_images():
    small = [cv2.resize(picture(seed), (24, 24), interpolation=cv2.INTER_AREA) for seed in range(6)]
    x, y = tensors(*small), tensors(*(noisy(image, 12) for image in small))
    few, all_of_them = (sift_distance(x, y, enlarge)[1] for enlarge in (1, 2))
    assert few > 0.5 and all_of_them == 0


def test_accumulators_merge():
    x = tensors(*(picture(seed) for seed in range(4)))
    y = tensors(*(noisy(picture(seed), 10 + seed) for seed in range(4)))
    parts = [SiftDistance(), SiftDistance()]
    parts[0].update(x[:1], y[:1])
    parts[1].update(x[1:], y[1:])
    parts[0].merge(parts[1])
    assert parts[0].compute() == pytest.approx(sift_distance(x, y))
    with pytest.raises(ValueError, match="at least one pair"):
        SiftDistance().compute()


def test_sift_mistakes():
    x = torch.zeros(2, 3, 64, 64)
    for y in (x[:1], x[:, :1], x[0]):
        with pytest.raises(ValueError, match="pairs of images"):
            sift_distances(x, y)
    with pytest.raises(ValueError, match="enlarge must be at least 1"):
        sift_distances(x, x, 0)
    assert 0.7 <= sift.RATIO <= 0.8
