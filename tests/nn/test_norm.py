"""Instance norm and its conditional form against PyTorch's and Eq. 6.10 written out."""

import pytest
import torch
import torch.nn.functional as F

from dragoman.nn.norm import InstanceNorm, conditional_instance_norm, instance_norm


def _features(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    torch.manual_seed(0)
    return (torch.randn(3, 5, 4, 6) * 2 + 1).to(dtype)


def test_same_as_pytorch():
    x, weight, bias = _features(), torch.randn(5), torch.randn(5)
    torch.testing.assert_close(instance_norm(x), F.instance_norm(x))
    expected = F.instance_norm(x, weight=weight, bias=bias)
    torch.testing.assert_close(instance_norm(x, weight, bias), expected)
    channels_last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(instance_norm(channels_last, weight, bias), expected)


def test_same_gradients_as_pytorch():
    x = _features().requires_grad_(True)
    direction = torch.randn_like(x)
    ours, theirs = (torch.autograd.grad((f(x) * direction).sum(), x)[0] for f in (instance_norm, F.instance_norm))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_conditional_is_eq_6_10():
    x, gamma, beta = _features(), torch.randn(3, 5), torch.randn(3, 5)
    out = conditional_instance_norm(x, gamma, beta)
    for n in range(3):
        for c in range(5):
            e = x[n, c].double()
            mu = e.sum() / e.numel()
            std = ((e - mu).square().sum() / e.numel() + 1e-5).sqrt()
            expected = gamma[n, c].double() * (e - mu) / std + beta[n, c].double()
            torch.testing.assert_close(out[n, c].double(), expected, atol=1e-5, rtol=1e-5)


def test_mean_is_beta_and_deviation_is_gamma():
    x, gamma, beta = _features() * 10, torch.randn(3, 5), torch.randn(3, 5)
    out = conditional_instance_norm(x, gamma, beta)
    torch.testing.assert_close(out.mean((2, 3)), beta, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(out.std((2, 3), correction=0), gamma.abs(), atol=1e-4, rtol=1e-4)


def test_none_is_one_for_gamma_and_zero_for_beta():
    x, gamma, beta = _features(), torch.randn(3, 5), torch.randn(3, 5)
    one, zero = torch.ones(3, 5), torch.zeros(3, 5)
    for given, meant in (((None, None), (one, zero)), ((gamma, None), (gamma, zero)), ((None, beta), (one, beta))):
        torch.testing.assert_close(conditional_instance_norm(x, *given), conditional_instance_norm(x, *meant))


def test_the_layer_starts_as_the_plain_norm_and_learns_scale_and_shift():
    x, layer = _features(), InstanceNorm(5)
    torch.testing.assert_close(layer(x), instance_norm(x))
    with torch.no_grad():
        layer.weight.copy_(torch.arange(5.0))
        layer.bias.fill_(3)
    torch.testing.assert_close(layer(x), F.instance_norm(x, weight=torch.arange(5.0), bias=torch.full((5,), 3.0)))
    assert torch.equal(layer.eval()(x), layer.train()(x))


@pytest.mark.parametrize("images", [1, 2])
def test_one_pixel_has_no_deviation_and_gives_the_shift(images):
    x, gamma, beta = torch.randn(images, 5, 1, 1), torch.randn(images, 5), torch.randn(images, 5)
    assert torch.equal(instance_norm(x), torch.zeros_like(x))
    torch.testing.assert_close(conditional_instance_norm(x, gamma, beta)[:, :, 0, 0], beta)


def test_a_flat_channel_is_finite_with_its_gradient():
    x = torch.full((1, 2, 4, 4), 0.5, requires_grad=True)
    out = instance_norm(x)
    out.square().sum().backward()
    assert torch.equal(out, torch.zeros_like(out)) and torch.isfinite(x.grad).all()


def test_half_precision_in_and_out_but_computed_in_single():
    # 300 and 302 are neighbours in bf16, and the sum of their squares is beyond what bf16 can add up.
    x = torch.full((1, 2, 8, 8), 300.0)
    x[:, :, ::2] = 302.0
    gamma, beta = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.0, 4.0]])
    with torch.autocast("cpu", torch.bfloat16):
        plain, styled = instance_norm(x.bfloat16()), conditional_instance_norm(x.bfloat16(), gamma, beta)
    assert plain.dtype == styled.dtype == torch.bfloat16
    torch.testing.assert_close(plain.float(), instance_norm(x), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(styled.float(), conditional_instance_norm(x, gamma, beta), atol=2e-2, rtol=1e-2)


def test_the_image_beside_it_does_not_matter():
    x, gamma, beta = _features(), torch.randn(3, 5), torch.randn(3, 5)
    whole = conditional_instance_norm(x, gamma, beta)
    for n in range(3):
        alone = conditional_instance_norm(x[n : n + 1], gamma[n : n + 1], beta[n : n + 1])
        torch.testing.assert_close(alone[0], whole[n])
