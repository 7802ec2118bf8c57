"""The distance to the true answer, which only rendered worlds and aligned images know."""

import torch
from torch import Tensor

from dragoman.metrics.sums import Sums


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


class InsideOutside(Sums):
    """Mean over images of the error inside and outside their regions, for any error that has a value per pixel.

    Example: `errors.update((output - truth).abs().mean(1, keepdim=True), changed_region(x, truth))`.
    """

    def __init__(self) -> None:
        super().__init__(count=(2,), error=(2,))

    def update(self, error: Tensor, region: Tensor) -> None:
        """Add images, as `inside_outside` takes them; one without pixels on a side does not count there.

        Raises:
            ValueError: the shapes differ, or the error is not finite.
        """
        if not error.isfinite().all():
            raise ValueError("the error must be finite, got nan or inf")
        sides = torch.stack(inside_outside(error, region))
        self.add(count=(~sides.isnan()).sum(1), error=sides.nansum(1))

    def compute(self) -> tuple[float, float]:
        """Inside and outside.

        Raises:
            ValueError: no image had pixels on one of the sides.
        """
        if not self.sums["count"].all():
            raise ValueError("needs at least 1 image with pixels inside and 1 with pixels outside its region")
        inside, outside = (self.sums["error"] / self.sums["count"]).tolist()
        return inside, outside
