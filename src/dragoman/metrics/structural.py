"""Similarity of an image to the one true answer, pixel by pixel: SSIM and PSNR."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Window = Literal["gaussian", "uniform"]
WIDTHS: dict[str, int] = {"gaussian": 11, "uniform": 7}
"""Pixels of SSIM's windows, the least height and width."""
BATCH = 32

# torchmetrics' SSIM is not used: it also counts the border, where the image is reflected, which moves the mean of a
# small image by hundredths. scikit-image's is the same as this one (tests write it out with scipy).


def ssim(x: Tensor, y: Tensor, window: Window = "gaussian") -> Tensor:
    """Structural similarity [N] in [-1, 1], 1 for equal images (Wang et al., 2004).

    Of brightness in [0, 1], because the luminance term depends on where zero lies, with k1 = 0.01 and k2 = 0.03; the
    mean over colour channels and over places where the window lies inside the image.

    Args:
        x, y: [N, C, H, W] in [-1, 1], at least as large as the window.
        window: gaussian: 11 x 11 pixels, sigma 1.5, as Wang et al. uniform: 7 x 7 pixels of equal weight and unbiased
            variances, scikit-image's default, by which EGSC-IT's code computes the numbers of its Tables 2 and 5.

    Raises:
        ValueError: the shapes differ, there are no images, or they are too small.
    """
    border = WIDTHS[window] // 2
    return ssim_map(x, y, window)[:, 0, border:-border, border:-border].mean((1, 2))


def ssim_map(x: Tensor, y: Tensor, window: Window = "gaussian") -> Tensor:
    """The same at every pixel: [N, 1, H, W], float64; images are reflected at the border, which `ssim` leaves out.

    For means inside and outside a region (`metrics.counterfactual.inside_outside`).
    """
    _check(x, y)
    width = WIDTHS[window]
    if min(x.shape[2:]) < width:
        raise ValueError(f"SSIM needs at least {width} x {width} pixels, got {x.shape[3]} x {x.shape[2]}")
    pairs = zip(x.split(BATCH), y.split(BATCH), strict=True)
    return torch.cat([_similarity((a.double() + 1) / 2, (b.double() + 1) / 2, window) for a, b in pairs])


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [N] in dB, 10 log10(4 / mean squared difference); infinite for equal images.

    Args:
        x, y: [N, C, H, W] in [-1, 1].

    Raises:
        ValueError: the shapes differ or there are no images.
    """
    _check(x, y)
    return 10 * torch.log10(4 / (x.double() - y.double()).square().mean((1, 2, 3)))


def _similarity(x: Tensor, y: Tensor, window: Window) -> Tensor:
    """[N, 1, H, W] of images in [0, 1]."""
    n, width = len(x), WIDTHS[window]
    place = torch.arange(width, dtype=x.dtype, device=x.device) - width // 2
    weights = (-(place**2) / (2 * 1.5**2)).exp() if window == "gaussian" else torch.ones_like(place)
    weights = weights / weights.sum()

    def mean(images: Tensor) -> Tensor:
        h = F.pad(images.flatten(0, 1)[:, None], (width // 2,) * 4, mode="reflect")
        h = F.conv2d(F.conv2d(h, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
        return h.view_as(images)

    mx, my, xx, yy, xy = mean(torch.cat([x, y, x * x, y * y, x * y])).split(n)
    unbiased = width**2 / (width**2 - 1) if window == "uniform" else 1.0
    vx, vy = unbiased * (xx - mx * mx), unbiased * (yy - my * my)
    covariance = unbiased * (xy - mx * my)
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    over_channels: Tensor = similarity.mean(1, keepdim=True)
    return over_channels


def _check(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4 or len(x) == 0:
        raise ValueError(f"needs two sets of images [N, C, H, W] of one shape, got {list(x.shape)} and {list(y.shape)}")
