"""How far a translation moves an image in the feature space of a network that knows its content."""

import torch.nn.functional as F
from torch import Tensor


def identity_distance(x: Tensor, y: Tensor) -> float:
    """Mean of 1 - cos(x, y) in [0, 2] over pairs of features: 0 where the content is untouched (thesis 6.4.2).

    Args:
        x, y: [N, D] features of inputs and their translations, by the same network.

    Raises:
        ValueError: the shapes differ or there are no pairs.
    """
    if x.shape != y.shape or len(x) == 0:
        raise ValueError(f"identity distance needs equally many features, at least one, got {x.shape} and {y.shape}")
    return (1 - F.cosine_similarity(x.double(), y.double())).mean().item()
