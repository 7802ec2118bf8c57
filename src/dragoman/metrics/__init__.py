"""What a translator is measured by: pure functions, accumulators that merge, and `measure.Measure` over all of them."""

from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.kernel import gaussian_mmd, kernel_distance
from dragoman.metrics.lpips import lpips
from dragoman.metrics.retrieval import precision_at_k, recall_over_distance
from dragoman.metrics.segmentation import mean_iou
from dragoman.metrics.sift import sift_distance
from dragoman.metrics.structural import psnr, ssim

__all__ = [
    "frechet_distance", "gaussian_mmd", "kernel_distance", "lpips", "mean_iou", "precision_at_k", "psnr",
    "recall_over_distance", "sift_distance", "ssim",
]  # fmt: skip
