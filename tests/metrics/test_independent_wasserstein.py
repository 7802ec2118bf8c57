"""The independent critic: distances that are known, and that it leaves no trace."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.metrics.wasserstein import independent_wasserstein


def images(count: int, seed: int) -> Tensor:
    noise = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, size=8, mode="bilinear") - 0.5


TRAIN, VALIDATION, OTHERS = images(200, 0), images(200, 1), images(400, 2)


def distance(generated: Tensor, steps: int = 150) -> float:
    return independent_wasserstein(TRAIN, VALIDATION, generated, steps=steps, width=16)


def test_of_shifted_images_is_the_shift():
    """Every image moves by 0.3 at each of 64 pixels: W1 is 0.3 sqrt(64), as no other plan is shorter.

    The critic's slope g maximises W g - 10 (g - 1)^2, which is at g = 1 + W / 20.
    """
    assert distance(OTHERS + 0.3) == pytest.approx(2.4 * (1 + 2.4 / 20), rel=0.08)


def test_grows_with_noise_from_about_zero():
    noise = torch.randn(OTHERS.shape, generator=torch.Generator().manual_seed(3))
    values = [distance(OTHERS + amount * noise) for amount in (0, 0.3, 0.6)]
    assert abs(values[0]) < 0.1 < values[1] < values[2]


def test_is_repeatable_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    first = distance(OTHERS, 3)
    after = torch.rand(1)
    torch.manual_seed(6)
    with torch.no_grad():
        assert distance(OTHERS, 3) == first
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
    other = independent_wasserstein(TRAIN, VALIDATION, OTHERS, steps=3, width=16, seed=1)
    assert other != first


def test_critic_never_sees_what_it_judges():
    """The critic is trained on every other generated image; the rest only shifts the mean score."""
    changed = OTHERS.clone()
    changed[1::2] = changed[1::2].flip(0)
    assert distance(changed, 3) == pytest.approx(distance(OTHERS, 3), abs=1e-6)


def test_any_size_and_reduced_precision():
    torch.manual_seed(0)
    wide = torch.rand(8, 3, 28, 20)
    value = independent_wasserstein(wide, wide, wide.bfloat16(), steps=2, batch=4, width=4)
    assert value == pytest.approx(independent_wasserstein(wide, wide, wide, steps=2, batch=4, width=4), abs=1e-4)


@pytest.mark.parametrize("which, name", list(enumerate(["train", "validation", "generated"])))
def test_mistakes(which: int, name: str):
    for bad, message in (
        (TRAIN[:3], f"at least 4 {name} images, got 3"),
        (TRAIN[:1].repeat(9, 1, 1, 1), f"all {name} images are the same"),
        (TRAIN[..., :5], "at least 8x8"),
    ):
        sets = [TRAIN, VALIDATION, OTHERS]
        sets[which] = bad
        with pytest.raises(ValueError, match=message):
            independent_wasserstein(*sets)
