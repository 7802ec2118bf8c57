"""Nearest neighbours and the measures of retrieval, by hand and against scikit-learn and torchmetrics."""

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torchmetrics.functional.retrieval import retrieval_precision

from dragoman.metrics import retrieval as module
from dragoman.metrics.retrieval import attribute_precision, nearest, precision_at_k, recall_over_distance


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_nearest_equals_scikit_learn_in_any_chunks(monkeypatch: pytest.MonkeyPatch):
    query, gallery = normal(23, 6), normal(50, 6, seed=1) + 100
    expected, rows = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(gallery).kneighbors(query)
    found = nearest(query, gallery, 5)
    assert found[1].tolist() == rows.tolist()
    torch.testing.assert_close(found[0], torch.from_numpy(expected).float(), rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(module, "PAIRS", 120)
    assert torch.equal(nearest(query, gallery, 5)[1], found[1])


def test_a_copy_is_found_at_distance_zero():
    gallery = normal(40, 300) + 50
    distances, rows = nearest(gallery[7:12], gallery, 1)
    assert rows[:, 0].tolist() == [7, 8, 9, 10, 11] and not distances.any()
    assert nearest(gallery[:0], gallery, 3)[1].shape == (0, 3)


def test_precision_at_k():
    ranked = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    relevant = torch.tensor([[True, False, True, False], [False, False, True, True]])
    assert precision_at_k(ranked, relevant, 1) == 1
    assert precision_at_k(ranked, relevant, 2) == 0.75
    assert precision_at_k(ranked, relevant, 3) == pytest.approx(2 / 3)


def test_precision_at_k_equals_torchmetrics():
    scores, relevant = normal(6, 30), normal(6, 30, seed=1) > 0.5
    ranked = scores.argsort(1, descending=True)
    expected = [retrieval_precision(s, r, top_k=10).item() for s, r in zip(scores, relevant, strict=True)]
    assert precision_at_k(ranked, relevant) == pytest.approx(sum(expected) / 6)


def test_attribute_precision_is_that_of_each_attribute():
    gallery = (normal(30, 4) > 0).long()
    wanted = (normal(5, 4, seed=1) > 0).long()
    ranked = torch.stack([torch.randperm(30, generator=torch.Generator().manual_seed(q)) for q in range(5)])
    found = attribute_precision(ranked, wanted, gallery)
    for a in range(4):
        assert found[a] == precision_at_k(ranked, wanted[:, a, None] == gallery[None, :, a])


def test_random_ranks_reach_the_share_of_the_attribute():
    """Why Table 1's `random` is not 0.5: attributes are unbalanced."""
    gallery = (torch.rand(2000, 1, generator=torch.Generator().manual_seed(0)) < 0.9).long()
    ranked = torch.stack([torch.randperm(2000, generator=torch.Generator().manual_seed(q))[:10] for q in range(500)])
    found = attribute_precision(ranked, gallery[:500], gallery)
    assert found.item() == pytest.approx(0.9**2 + 0.1**2, abs=0.03)


def test_recall_over_distance():
    distances = torch.tensor([0.0, 5, 10, 100])
    assert recall_over_distance(distances, [0, 4.9, 5, 10, 1000]) == [0.25, 0.25, 0.5, 0.75, 1]


def test_mistakes():
    with pytest.raises(ValueError, match="the 6 nearest need a gallery of at least 6, got 5"):
        nearest(normal(2, 3), normal(5, 3), 6)
    with pytest.raises(ValueError, match=r"got \[2, 3\] and \[5, 4\]"):
        nearest(normal(2, 3), normal(5, 4), 1)
    ranked = torch.zeros(2, 9, dtype=torch.long)
    with pytest.raises(ValueError, match=r"P@10 needs at least 1 query and 10 retrieved for each, got \[2, 9\]"):
        precision_at_k(ranked, torch.ones(2, 9))
    with pytest.raises(ValueError, match=r"got \[2, 3\] and \[9, 4\]"):
        attribute_precision(ranked, torch.ones(2, 3), torch.ones(9, 4), 5)
    for bad in (torch.zeros(0), torch.tensor([1.0, torch.nan]), torch.tensor([-1.0])):
        with pytest.raises(ValueError, match="at least one query"):
            recall_over_distance(bad, [5])
