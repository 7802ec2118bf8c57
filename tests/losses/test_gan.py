"""Adversarial losses against their formulas."""

import math

import pytest
import torch

from dragoman.losses.gan import (
    hinge_discriminator,
    least_squares_discriminator,
    least_squares_generator,
    logistic_discriminator,
    logistic_generator,
    wasserstein_critic,
    wasserstein_generator,
)


def _scores(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, list[float], list[float]]:
    real, fake = torch.randn(shape) + 1, torch.randn(shape)
    return real, fake, real.flatten().tolist(), fake.flatten().tolist()


@pytest.mark.parametrize("shape", [(5, 1), (3, 1, 2, 2)])
def test_critic_is_mean_fake_minus_mean_real(shape):
    torch.manual_seed(0)
    real, fake, r, f = _scores(shape)
    assert wasserstein_critic(real, fake).item() == pytest.approx(sum(f) / len(f) - sum(r) / len(r), abs=1e-6)


@pytest.mark.parametrize("shape", [(5, 1), (3, 1, 2, 2)])
def test_generator_is_minus_mean_fake(shape):
    torch.manual_seed(1)
    _, fake, _, f = _scores(shape)
    assert wasserstein_generator(fake).item() == pytest.approx(-sum(f) / len(f), abs=1e-6)


def test_descending_pulls_the_scores_the_right_way():
    real, fake = torch.zeros(4, 1, requires_grad=True), torch.zeros(4, 1, requires_grad=True)
    wasserstein_critic(real, fake).backward()
    assert (real.grad < 0).all() and (fake.grad > 0).all()
    fake.grad = None
    wasserstein_generator(fake).backward()
    assert (fake.grad < 0).all()


def test_the_mean_of_half_precision_scores_is_taken_in_single_precision():
    # Between 16 and 32 bf16 knows only eighths, so a mean rounded to it would lose the difference.
    real = torch.full((8, 1), 20.0, dtype=torch.bfloat16)
    fake = real.clone()
    fake[0] = 20.125
    assert wasserstein_critic(real, fake).item() == pytest.approx(0.125 / 8)
    assert wasserstein_generator(fake).item() == pytest.approx(-20 - 0.125 / 8)


@pytest.mark.parametrize("shape", [(5, 1), (3, 1, 2, 2)])
def test_least_squares_are_distances_to_one_for_real_and_zero_for_fake(shape):
    torch.manual_seed(2)
    real, fake, r, f = _scores(shape)
    expected = sum((v - 1) ** 2 for v in r) / len(r) + sum(v**2 for v in f) / len(f)
    assert least_squares_discriminator(real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert least_squares_generator(fake).item() == pytest.approx(sum((v - 1) ** 2 for v in f) / len(f), rel=1e-6)


@pytest.mark.parametrize("shape", [(5,), (3, 1, 2, 2)])
def test_hinge_counts_only_what_is_within_the_margin(shape):
    torch.manual_seed(3)
    real, fake, r, f = _scores(shape)
    expected = sum(max(0, 1 - v) for v in r) / len(r) + sum(max(0, 1 + v) for v in f) / len(f)
    assert hinge_discriminator(real, fake).item() == pytest.approx(expected, rel=1e-6)
    assert hinge_discriminator(torch.full((3,), 1.5), torch.full((3,), -1.0)) == 0


@pytest.mark.parametrize("shape", [(5,), (3, 1, 2, 2)])
def test_logistic_losses_are_logarithms_of_probabilities(shape):
    torch.manual_seed(4)
    real, fake, r, f = _scores(shape)

    def p(v):
        return 1 / (1 + math.exp(-v))

    expected = -sum(math.log(p(v)) for v in r) / len(r) - sum(math.log(1 - p(v)) for v in f) / len(f)
    assert logistic_discriminator(real, fake).item() == pytest.approx(expected, rel=1e-5)
    assert logistic_generator(fake).item() == pytest.approx(-sum(math.log(p(v)) for v in f) / len(f), rel=1e-5)
    assert logistic_generator(torch.tensor([-200.0])) == 200  # where a logarithm of the sigmoid would be infinite
