"""The distance to the true answer, which only rendered worlds and aligned images know."""

from torch import Tensor


def inside_outside(error: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
    """Mean error of each image inside and outside a region; NaN where there is no such pixel.

    Args:
        error: [N, 1, H, W] per pixel, for example the mean absolute difference over the channels.
        region: bool [N, 1, H, W], where the image has to change (`metrics.mask.changed_region`).

    Returns:
        Two [N], float64.

    Raises:
        ValueError: the shapes differ.
    """
    if error.shape != region.shape:
        raise ValueError(f"error and region must have the same shape, got {tuple(error.shape)}, {tuple(region.shape)}")
    values, inside = error.flatten(1).double(), region.flatten(1)
    return (values * inside).sum(1) / inside.sum(1), (values * ~inside).sum(1) / (~inside).sum(1)
