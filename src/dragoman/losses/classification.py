"""Losses of a classifier of domains."""

import torch.nn.functional as F
from torch import Tensor


def domain_classification(logits: Tensor, code: Tensor, exclusive: bool) -> Tensor:
    """-log p(code | image) per image.

    Args:
        logits: [N, K].
        code: [N, K], 0 or 1.
        exclusive: True for a softmax over the domains; False for independent attributes, summed over them.
    """
    if exclusive:
        return F.cross_entropy(logits.float(), code.argmax(1))
    return F.binary_cross_entropy_with_logits(logits.float(), code.float(), reduction="sum") / len(logits)
