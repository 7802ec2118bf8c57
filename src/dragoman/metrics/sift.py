"""Average SIFT descriptor distance of weakly paired images: one place, slightly misaligned (weakly paired 6.1)."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dragoman.data.image import to_uint8
from dragoman.errors import UserError
from dragoman.metrics.sums import Sums

RATIO = 0.75
"""Lowe's test: a match counts if it is nearer than 0.75 times the second nearest. The paper gives no value."""
LEAST = 8
"""Least matches that count, before and after RANSAC: fewer fit some fundamental matrix whatever they are."""
REPROJECTION = 3.0
"""Most pixels between an inlier and its epipolar line, and RANSAC's confidence; the paper gives neither."""
CONFIDENCE = 0.99
LINEAR = 0
"""FLANN's index that looks at all descriptors."""

Array = np.ndarray[Any, np.dtype[np.float32]]


def sift_distance(x: Tensor, y: Tensor, enlarge: int = 1) -> tuple[float, float]:
    """Mean SIFT descriptor distance over the pairs that can be matched, and the share in [0, 1] of those that cannot.

    Read the two together: a worse translator can lose its hard pairs, and so lower the mean.

    Args:
        x, y: as `sift_distances`.
        enlarge: the same.

    Returns:
        The distance (NaN if no pair can be matched) and the share.
    """
    metric = SiftDistance(enlarge)
    metric.update(x, y)
    return metric.compute()


class SiftDistance(Sums):
    """The same for pairs that come in batches."""

    def __init__(self, enlarge: int = 1):
        """`enlarge` as in `sift_distances`."""
        super().__init__(pairs=(), matched=(), total=())
        self.enlarge = enlarge

    def update(self, x: Tensor, y: Tensor) -> None:
        """Add pairs."""
        found = sift_distances(x, y, self.enlarge)
        matched = found.isfinite()
        self.add(pairs=len(found), matched=matched.sum(), total=found[matched].sum())

    def compute(self) -> tuple[float, float]:
        """Mean distance and share of pairs that cannot be matched.

        Raises:
            ValueError: there are no pairs.
        """
        pairs, matched, total = (self.sums[name].item() for name in ("pairs", "matched", "total"))
        if not pairs:
            raise ValueError("the SIFT distance needs at least one pair, got none")
        return total / matched if matched else float("nan"), 1 - matched / pairs


def sift_distances(x: Tensor, y: Tensor, enlarge: int = 1) -> Tensor:
    """SIFT descriptor distance [N] of each pair, float64; NaN where it cannot be matched.

    SIFT of both images in grey levels; for each keypoint of x the two nearest of y by FLANN, with its exact index (its
    randomised trees give another result every time); Lowe's ratio test; RANSAC for the fundamental matrix; then the
    mean over the inliers of |descriptor - descriptor|_1 / 128. The paper divides the sum "by the total number of
    matches": read as those that RANSAC leaves, whose distances are summed. Descriptors are OpenCV's, 128 numbers from
    0 to 255; the paper's means are near 10.

    Args:
        x, y: [N, C, H, W] in [-1, 1], C of 1 or 3: translations and what they should look like.
        enlarge: Times both are enlarged (bicubic) before. SIFT finds few keypoints in small images: 800 in photographs
            of 480 x 360 pixels, 30 at 64 x 64, where half of the pairs of consecutive video frames cannot be
            matched; enlarged twice 180, and nearly all can. Enlarging changes the distances: state it beside them.

    Raises:
        ValueError: the numbers of images or of channels differ, or `enlarge` is under 1.
        UserError: opencv is missing.
    """
    if x.ndim != 4 or y.ndim != 4 or x.shape[:2] != y.shape[:2] or x.shape[1] not in (1, 3):
        raise ValueError(f"needs pairs of images [N, 1 or 3, H, W], got {list(x.shape)} and {list(y.shape)}")
    if enlarge < 1:
        raise ValueError(f"enlarge must be at least 1, got {enlarge}")
    try:
        import cv2
    except ImportError:
        raise UserError("SIFT needs opencv; run: pip install 'dragoman[metrics]'") from None
    detector = cv2.SIFT.create()
    found = [
        _distance(*_describe(detector, a, enlarge), *_describe(detector, b, enlarge)) for a, b in zip(x, y, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float64)


def _describe(detector: Any, image: Tensor, enlarge: int) -> tuple[Array, Array]:
    """Places [K, 2] and descriptors [K, 128] of the keypoints of an image [C, H, W]."""
    import cv2

    pixels = to_uint8(image).cpu().permute(1, 2, 0).contiguous().numpy()
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.shape[2] == 3 else pixels[..., 0]
    if enlarge > 1:
        grey = cv2.resize(grey, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
    keypoints, descriptors = detector.detectAndCompute(grey, None)
    if not keypoints:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    return np.array([keypoint.pt for keypoint in keypoints], np.float32), descriptors


def _distance(places: Array, descriptors: Array, other_places: Array, other_descriptors: Array) -> float:
    """Of one pair; NaN if it cannot be matched."""
    import cv2

    if len(places) < LEAST or len(other_places) < LEAST:
        return float("nan")
    flann = cv2.FlannBasedMatcher({"algorithm": LINEAR}, {})
    nearest = flann.knnMatch(descriptors, other_descriptors, k=2)
    good = [first for first, second in nearest if first.distance < RATIO * second.distance]
    if len(good) < LEAST:
        return float("nan")
    rows, columns = [match.queryIdx for match in good], [match.trainIdx for match in good]
    _, inliers = cv2.findFundamentalMat(places[rows], other_places[columns], cv2.FM_RANSAC, REPROJECTION, CONFIDENCE)
    if inliers is None or inliers.sum() < LEAST:
        return float("nan")
    apart = np.abs(descriptors[rows] - other_descriptors[columns])[inliers[:, 0] > 0]
    return float(apart.mean(dtype=np.float64))
