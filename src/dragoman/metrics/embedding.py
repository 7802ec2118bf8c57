"""Features in the plane, to be looked at (EGSC-IT Fig. 5, cross-granularity Fig. 8)."""

from typing import Literal, get_args

import torch
from torch import Tensor

from dragoman.errors import UserError
from dragoman.metrics.features import check_varied, samples

Projection = Literal["pca", "tsne"]


def project(features: Tensor, method: Projection = "tsne", seed: int = 0) -> Tensor:
    """Coordinates [N, 2], float64: principal components, or t-SNE (perplexity 30, or less below 91 samples).

    Project sets that are to be compared together: coordinates of two calls do not compare. Distances between groups in
    t-SNE have no meaning.

    Args:
        features: [N, D], at least four of at least two dimensions.
        method: pca or tsne.
        seed: Of t-SNE's optimisation.

    Raises:
        ValueError: too few samples, all the same, not finite, or an unknown method.
        UserError: scikit-learn is missing.
    """
    try:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
    except ImportError:
        raise UserError("projections need scikit-learn; run: pip install 'dragoman[metrics]'") from None
    if method not in get_args(Projection):
        raise ValueError(f"no projection {method!r}; there is: {', '.join(get_args(Projection))}")
    x = samples(features, 4)
    if x.shape[1] < 2:
        raise ValueError(f"features must have at least 2 dimensions, got {x.shape[1]}")
    check_varied(x.mean(0), x.var(0))
    if method == "pca":
        found = PCA(2, svd_solver="full").fit_transform(x.numpy())
    else:
        perplexity = min(30.0, (len(x) - 1) / 3)
        found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x.numpy())
    return torch.from_numpy(found).double()
