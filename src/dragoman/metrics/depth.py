"""Errors of depth maps (Eigen et al., NeurIPS 2014; thesis 4.6.1, Eq. 4.15)."""

import torch
from torch import Tensor

from dragoman.metrics.sums import Sums

LIMITS = (1.25, 1.25**2, 1.25**3)

# torchmetrics has only one of the five, the linear RMSE, and adds it up in float32.


class DepthErrors(Sums):
    """The five measures over the valid pixels of all images together, in which the truth is above 0.

    The share of pixels with max(y / y', y' / y) below 1.25, 1.25^2 and 1.25^3, and the root of the mean of (y - y')^2
    and of (ln y - ln y')^2, with y predicted and y' true.
    """

    def __init__(self) -> None:
        super().__init__(count=(), within=(len(LIMITS),), linear=(), log=())

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Add depth maps of equal shape, both in the same unit.

        Raises:
            ValueError: different shapes; a prediction that is not finite, or not above 0, where the truth is.
        """
        if prediction.shape != truth.shape:
            raise ValueError(f"needs maps of equal shape, got {list(prediction.shape)} and {list(truth.shape)}")
        valid = truth > 0
        y, target = (depth.detach()[valid].cpu().double() for depth in (prediction, truth))
        if not (y.isfinite() & target.isfinite()).all():
            raise ValueError("depths must be finite, got nan or inf")
        if bad := int((y <= 0).sum()):
            raise ValueError(f"{bad} predicted depths are 0 or less: clamp them to the least depth there is")
        ratio = torch.maximum(y / target, target / y)
        within = torch.stack([(ratio < limit).sum() for limit in LIMITS])
        apart, logs = (y - target).square().sum(), (y.log() - target.log()).square().sum()
        self.add(count=len(y), within=within, linear=apart, log=logs)

    def compute(self) -> dict[str, float]:
        """delta_1, delta_2, delta_3 in [0, 1], higher is better; rmse in the unit of the depths, and rmse_log.

        Raises:
            ValueError: there are no valid pixels.
        """
        n = self.sums["count"]
        if not n:
            raise ValueError("needs at least 1 pixel with a depth above 0, got none")
        shares = (self.sums["within"] / n).tolist()
        values = {f"delta_{power}": share for power, share in enumerate(shares, 1)}
        return values | {
            "rmse": (self.sums["linear"] / n).sqrt().item(),
            "rmse_log": (self.sums["log"] / n).sqrt().item(),
        }


def depth_errors(prediction: Tensor, truth: Tensor) -> dict[str, float]:
    """`DepthErrors` of one pair of stacks of maps, for example [N, 1, H, W]."""
    errors = DepthErrors()
    errors.update(prediction, truth)
    return errors.compute()
