"""The reverse Huber loss, for depth."""

import torch
from torch import Tensor


def berhu(prediction: Tensor, target: Tensor, known: Tensor | None = None) -> Tensor:
    """The average of B(e) over the known pixels (Laina et al., 3DV 2016; thesis Eq. 4.6).

    |e| where |e| <= c, else (e^2 + c^2) / 2c, with e = prediction - target and c a fifth of the image's largest |e|.
    c is held fixed: its own gradient would ask for a larger largest error.

    Args:
        prediction, target: [N, C, H, W].
        known: [N, 1, H, W], false where the target is unknown; all are known if not given. 0 if nothing is.
    """
    e = (prediction.float() - target.float()).abs()
    if known is not None:
        e = torch.where(known, e, 0)
    with torch.no_grad():
        c = e.amax((1, 2, 3), keepdim=True).clamp(min=1e-6) / 5
    loss = torch.where(e <= c, e, (e.square() + c.square()) / (2 * c))
    return loss.mean() if known is None else loss.sum() / known.expand_as(loss).sum().clamp(min=1)
