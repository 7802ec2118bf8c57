"""The gradient penalty against known gradients and finite differences."""

import copy

import pytest
import torch
from torch import nn

from dragoman.losses.penalties import gradient_penalty

SHAPE = (4, 2, 3, 3)


def _pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(SHAPE), torch.randn(SHAPE)


def test_a_linear_critic_has_the_norm_of_its_weights_everywhere():
    real, fake = _pair()
    w = torch.randn(SHAPE[1:], requires_grad=True)
    norm = sum(v * v for v in w.detach().flatten().tolist()) ** 0.5
    loss = gradient_penalty(lambda x: (x * w).sum((1, 2, 3)), real, fake)
    assert loss.item() == pytest.approx((norm - 1) ** 2, rel=1e-5)
    # The penalty is a function of w, so its own gradient is of second order: 2 (|w| - 1) w / |w|.
    loss.backward()
    torch.testing.assert_close(w.grad, 2 * (norm - 1) * w.detach() / norm)


def test_finite_differences_at_the_random_mixes():
    real, fake = _pair()
    critic = nn.Sequential(nn.Conv2d(2, 4, 2), nn.Tanh(), nn.Conv2d(4, 1, 1), nn.Softplus())  # a map of scores
    torch.manual_seed(7)
    loss = gradient_penalty(critic, real, fake).item()
    torch.manual_seed(7)
    mix = torch.rand(4, 1, 1, 1).double()
    exact, step, expected = copy.deepcopy(critic).double(), 1e-5, 0.0
    for x in mix * real.double() + (1 - mix) * fake.double():
        square = 0.0
        for place in range(x.numel()):
            nudge = torch.zeros(x.numel(), dtype=torch.double)
            nudge[place] = step
            ends = [exact((x + sign * nudge.view_as(x))[None]).sum().item() for sign in (1, -1)]
            square += ((ends[0] - ends[1]) / (2 * step)) ** 2
        expected += (square**0.5 - 1) ** 2 / 4
    assert loss == pytest.approx(expected, rel=1e-4)


def test_the_second_order_gradient_reaches_every_weight_and_no_image():
    real, fake = _pair()
    real.requires_grad_(True), fake.requires_grad_(True)
    critic = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4, 1))
    gradient_penalty(critic, real, fake).backward()
    assert all(layer.weight.grad.abs().sum() > 0 for layer in (critic[0], critic[3]))
    assert real.grad is None and fake.grad is None


def test_a_flat_critic_costs_one_and_its_gradient_is_finite():
    real, fake = _pair()
    w = torch.zeros(SHAPE[1:], requires_grad=True)
    loss = gradient_penalty(lambda x: (x * w).sum((1, 2, 3)), real, fake)
    loss.backward()
    assert loss.item() == 1
    assert torch.isfinite(w.grad).all()


def test_single_precision_under_autocast():
    real, fake = _pair()
    critic = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4, 1))
    seen = []
    critic[0].register_forward_hook(lambda layer, args, out: seen.append(out.dtype))
    fake = fake.bfloat16()  # as a generator gives it under autocast
    torch.manual_seed(3)
    plain = gradient_penalty(critic, real, fake)
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(3)
        under = gradient_penalty(critic, real, fake)
    assert seen == [torch.float32] * 2
    assert under.dtype == torch.float32 and torch.equal(plain, under)
