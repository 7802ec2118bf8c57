"""Projections to the plane."""

import pytest
import torch
from torch import Tensor

from dragoman.metrics.embedding import project


def clusters() -> Tensor:
    """Three groups of twenty, far apart in eight dimensions."""
    generator = torch.Generator().manual_seed(0)
    centers = 10 * torch.randn(3, 8, generator=generator)
    return (centers[:, None] + torch.randn(3, 20, 8, generator=generator)).flatten(0, 1)


def test_pca_keeps_the_most_variance():
    x = clusters().double()
    centered = x - x.mean(0)
    _, values, vectors = torch.linalg.svd(centered, full_matrices=False)
    found = project(x, "pca")
    torch.testing.assert_close(found.abs(), (centered @ vectors[:2].T).abs())
    torch.testing.assert_close(found.square().sum(0), values[:2].square())
    assert torch.equal(project(x, "pca", seed=3), found)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_groups_stay_together(method: str):
    points = project(clusters(), method).view(3, 20, 2)
    spread = (points - points.mean(1, keepdim=True)).norm(dim=2).mean()
    assert torch.pdist(points.mean(1)).min() > 3 * spread
    assert points.dtype == torch.float64


def test_tsne_is_a_function_of_the_seed():
    x = clusters()[::3]
    torch.manual_seed(1)
    first = project(x, seed=5)
    torch.manual_seed(2)
    assert torch.equal(project(x, seed=5), first)
    assert torch.equal(project(x.bfloat16()), project(x.bfloat16().float()))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_four_samples_are_enough(method: str):
    assert project(clusters()[::17], method).isfinite().all()


def test_mistakes():
    x = clusters()
    with pytest.raises(ValueError, match="at least 4 features are needed, got 3"):
        project(x[:3])
    with pytest.raises(ValueError, match="all features are the same"):
        project(x[:1].repeat(9, 1))
    with pytest.raises(ValueError, match="at least 2 dimensions, got 1"):
        project(x[:, :1])
    with pytest.raises(ValueError, match="no projection 'umap'; there is: pca, tsne"):
        project(x, "umap")
