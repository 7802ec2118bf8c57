"""Nearest neighbours, and how good what was retrieved is."""

from collections.abc import Sequence

import torch
from torch import Tensor

PAIRS = 2**24
"""Distances in memory at once."""


@torch.no_grad()
def nearest(query: Tensor, gallery: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest of a gallery by Euclidean distance, by looking at all; nearest first.

    Args:
        query: [Q, D].
        gallery: [M, D], on the same device.
        k: 1 to M.

    Returns:
        Distances [Q, k] and rows of the gallery [Q, k].

    Raises:
        ValueError: the sizes differ, or the gallery has fewer than k.
    """
    if query.ndim != 2 or gallery.ndim != 2 or query.shape[1] != gallery.shape[1]:
        raise ValueError(f"needs [Q, D] and [M, D], got {list(query.shape)} and {list(gallery.shape)}")
    if not 1 <= k <= len(gallery):
        raise ValueError(f"the {k} nearest need a gallery of at least {max(k, 1)}, got {len(gallery)}")
    query, gallery = query.float(), gallery.float()
    center = gallery.mean(0)  # nearer to the origin, squares cancel less
    query, gallery = query - center, gallery - center
    squares = gallery.square().sum(1)
    distances, rows = [], []
    for part in query.split(max(1, PAIRS // len(gallery))):
        found = torch.addmm(squares, part, gallery.T, alpha=-2).topk(k, largest=False).indices
        exact = torch.stack([(part - gallery[column]).norm(dim=1) for column in found.unbind(1)], 1)
        exact, order = exact.sort(dim=1, stable=True)
        distances.append(exact)
        rows.append(found.gather(1, order))
    if not distances:
        return query.new_empty(0, k), torch.empty(0, k, dtype=torch.long, device=query.device)
    return torch.cat(distances), torch.cat(rows)


# torchmetrics' RetrievalPrecision gives the same (tests); it takes a score and a relevance for every pair of query and
# gallery and loops over the queries, where here the ranks are known.
def precision_at_k(ranked: Tensor, relevant: Tensor, k: int = 10) -> float:
    """Mean share in [0, 1] of relevant images among the k first.

    Args:
        ranked: [Q, at least k] rows of the gallery, best first.
        relevant: bool [Q, M], which of the gallery are relevant to each query.
        k: How many count.

    Raises:
        ValueError: no queries, or fewer than k retrieved.
    """
    return relevant.bool().gather(1, _first(ranked, k)).double().mean().item()


def attribute_precision(ranked: Tensor, wanted: Tensor, gallery: Tensor, k: int = 10) -> Tensor:
    """P@k of each attribute, [A] in [0, 1]: a retrieved image is relevant if it has the query's value (RG-UNIT 4.1).

    Table 1: "Attributes" is the mean over the attributes that make the domains, `wanted` being the target's; "Content"
    the mean over all others, `wanted` being the query image's own; "Average" the mean of the two.

    Args:
        ranked: [Q, at least k] rows of the gallery, best first.
        wanted: [Q, A] values of the queries.
        gallery: [M, A] values of the gallery.
        k: How many count.

    Raises:
        ValueError: no queries, fewer than k retrieved, or different attributes.
    """
    first = _first(ranked, k)
    if wanted.ndim != 2 or len(wanted) != len(ranked) or wanted.shape[1:] != gallery.shape[1:]:
        raise ValueError(f"needs [Q, A] and [M, A], got {list(wanted.shape)} and {list(gallery.shape)}")
    return (gallery[first] == wanted[:, None]).double().mean((0, 1))


def recall_over_distance(distances: Tensor, thresholds: Sequence[float]) -> list[float]:
    """Share in [0, 1] of queries whose nearest neighbour was taken within each distance (weakly paired 6.2, Fig. 7).

    Args:
        distances: [Q] in metres, between where a query was taken and where its nearest neighbour was.
        thresholds: In metres.

    Raises:
        ValueError: no queries, or a distance that is negative or not a number.
    """
    if distances.ndim != 1 or len(distances) == 0 or not (distances >= 0).all():
        raise ValueError("recall needs the distance of at least one query, none negative or nan")
    return [(distances.double() <= threshold).double().mean().item() for threshold in thresholds]


def _first(ranked: Tensor, k: int) -> Tensor:
    if ranked.ndim != 2 or len(ranked) == 0 or not 1 <= k <= ranked.shape[1]:
        raise ValueError(f"P@{k} needs at least 1 query and {max(k, 1)} retrieved for each, got {list(ranked.shape)}")
    return ranked[:, :k]
