"""Diversity by hand."""

import pytest
import torch

from dragoman.metrics.diversity import pixel_diversity


def test_mean_over_pairs_inputs_and_pixels():
    torch.manual_seed(0)
    outputs = torch.rand(3, 2, 1, 2, 2) * 2 - 1
    values = outputs.tolist()
    total, count = 0.0, 0
    for a in range(3):
        for b in range(a + 1, 3):
            for n in range(2):
                for y in range(2):
                    for x in range(2):
                        total += abs(values[a][n][0][y][x] - values[b][n][0][y][x])
                        count += 1
    assert pixel_diversity(outputs) == pytest.approx(total / count)


def test_range():
    same = torch.ones(4, 2, 3, 5, 5)
    assert pixel_diversity(same) == 0
    assert pixel_diversity(torch.stack([same[0], -same[0]])) == 2


@pytest.mark.parametrize("styles", [0, 1])
def test_fewer_than_two_styles_is_an_error(styles):
    with pytest.raises(ValueError, match=f"at least two styles per input, got {styles}"):
        pixel_diversity(torch.zeros(styles, 3, 1, 2, 2))
