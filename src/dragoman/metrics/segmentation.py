"""Agreement of segmentations with the truth (thesis 4.6.1): IoU per class, mIoU, and global accuracy."""

from torch import Tensor

from dragoman.errors import UserError
from dragoman.metrics.sums import Sums

IGNORED = 255
"""Class number of pixels that have no truth."""


class Confusion(Sums):
    """Pixels by true class (rows) and predicted class (columns); all measures are over the pixels of all images."""

    def __init__(self, classes: int):
        if not 1 <= classes <= IGNORED:
            raise ValueError(f"classes must be 1 to {IGNORED}, got {classes}")
        super().__init__(pixels=(classes, classes))

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Add segmentations, integers of equal shape, for example [N, H, W]; where the target is 255, nothing counts.

        Raises:
            ValueError: different shapes, or a class that there is not.
            UserError: torchmetrics is missing.
        """
        try:
            from torchmetrics.functional.classification import multiclass_confusion_matrix
        except ImportError:
            raise UserError("segmentation needs torchmetrics; run: pip install 'dragoman[metrics]'") from None
        classes = self.shapes["pixels"][0]
        if prediction.shape != target.shape or prediction.is_floating_point() or target.is_floating_point():
            raise ValueError(
                f"needs class numbers of equal shape, got {list(prediction.shape)} {prediction.dtype} "
                f"and {list(target.shape)} {target.dtype}"
            )
        known = target != IGNORED
        prediction, target = prediction[known].long(), target[known].long()
        for name, numbers in (("prediction", prediction), ("target", target)):
            if len(numbers) and not (numbers.min() >= 0 and numbers.max() < classes):
                raise ValueError(f"{name} must be in 0 to {classes - 1}, got {numbers.min()} to {numbers.max()}")
        self.add(pixels=multiclass_confusion_matrix(prediction, target, classes, validate_args=False))

    def iou(self) -> Tensor:
        """Intersection over union of each class, [classes] float64; NaN for a class in neither.

        Raises:
            ValueError: there are no pixels.
        """
        # torchmetrics' reduction of the matrix is in float32, which is inexact above 16.8 million pixels.
        pixels = self._pixels()
        both = pixels.diag()
        return both / (pixels.sum(0) + pixels.sum(1) - both)

    def compute(self) -> float:
        """mIoU in [0, 1]: the mean over classes that are in the truth or the prediction.

        Raises:
            ValueError: there are no pixels.
        """
        return self.iou().nanmean().item()

    def accuracy(self) -> float:
        """Global accuracy in [0, 1]: the share of right pixels.

        Raises:
            ValueError: there are no pixels.
        """
        pixels = self._pixels()
        return (pixels.trace() / pixels.sum()).item()

    def _pixels(self) -> Tensor:
        if not self.sums["pixels"].any():
            raise ValueError("needs at least 1 pixel with a known class, got none")
        return self.sums["pixels"]


def mean_iou(prediction: Tensor, target: Tensor, classes: int) -> float:
    """mIoU in [0, 1] over all images together.

    Args:
        prediction, target: [N, H, W] class numbers; target 255 is ignored.
        classes: How many there are.

    Raises:
        ValueError: different shapes, a class that there is not, or no pixels.
        UserError: torchmetrics is missing.
    """
    confusion = Confusion(classes)
    confusion.update(prediction, target)
    return confusion.compute()
