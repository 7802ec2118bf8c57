"""Batch norm by the batch in training and by collected statistics in evaluation; scale and offset by class or code."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from dragoman.nn.statistics_norm import BatchNorm, CodeBatchNorm, collect_statistics


class TwoLayers(nn.Module):
    """A generator whose second norm sees what the first one made; it draws noise, and has weights that move."""

    def __init__(self, classes: int = 0):
        super().__init__()
        self.norm1 = BatchNorm(3, classes)
        self.conv = spectral_norm(nn.Conv2d(3, 5, 3))
        self.norm2 = BatchNorm(5, classes)

    def forward(self, z, c=None):
        return self.norm2(self.conv(self.norm1(z, c)) + 0 * torch.rand(()), c)


def _features(count: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, 6, 5, generator=torch.Generator().manual_seed(seed)) * 2 + 1


def _random(norm: nn.Module) -> nn.Module:
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    return norm


def test_training_normalises_by_the_batch():
    torch.manual_seed(0)
    norm, x = _random(BatchNorm(3)), _features()
    mean = x.mean((0, 2, 3), keepdim=True)
    var = (x - mean).square().mean((0, 2, 3), keepdim=True)  # the biased one
    y = (x - mean) / (var + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), y * norm.weight[:, None, None] + norm.bias[:, None, None])
    torch.testing.assert_close(norm(x, torch.eye(4)), norm(x))  # without classes the code changes nothing
    assert norm.count == 0 and torch.equal(norm.var, torch.ones(3))  # nothing is kept
    assert torch.isfinite(norm(x[:1, :, :1, :1])).all()


def test_one_scale_and_offset_per_class():
    torch.manual_seed(0)
    norm, x = _random(BatchNorm(3, classes=2)), _features()
    c = torch.tensor([[1.0, 0], [0, 1], [0, 1], [0.25, 0.75]])
    plain = F.batch_norm(x, None, None, training=True)
    scale = torch.stack([norm.weight[0], norm.weight[1], norm.weight[1], 0.25 * norm.weight[0] + 0.75 * norm.weight[1]])
    offset = torch.stack([norm.bias[0], norm.bias[1], norm.bias[1], 0.25 * norm.bias[0] + 0.75 * norm.bias[1]])
    torch.testing.assert_close(norm(x, c), plain * scale[:, :, None, None] + offset[:, :, None, None])
    with pytest.raises(ValueError, match=r"needs a code c \[N, 2\]"):
        norm(x)


def test_scale_and_offset_linear_in_a_code():
    torch.manual_seed(0)
    norm, x, code = _random(CodeBatchNorm(3, 4)), _features(), torch.randn(4, 4)
    plain = F.batch_norm(x, None, None, training=True)
    scale, offset = 1 + code @ norm.scale.weight.T, code @ norm.offset.weight.T
    torch.testing.assert_close(norm(x, code), plain * scale[:, :, None, None] + offset[:, :, None, None])


def test_every_class_starts_from_the_unconditional_layer():
    torch.manual_seed(0)
    source, norm, x = _random(BatchNorm(3)), BatchNorm(3, classes=5), _features()
    collect_statistics(source, [(_features(seed=1), None)])
    norm.copy_classes_from(source)
    for train in (True, False):
        torch.testing.assert_close(norm.train(train)(x, torch.eye(5)[:4]), source.train(train)(x))
    assert norm.count == source.count == 4 * 30


def test_before_anything_is_collected_evaluation_leaves_the_signal():
    x = _features()
    torch.testing.assert_close(BatchNorm(3).eval()(x), x / (1 + 1e-5) ** 0.5)


def test_statistics_of_one_layer_are_those_of_one_big_batch():
    norm = BatchNorm(3)
    parts = [_features(4, 1), _features(1, 2) * 3, _features(6, 3) - 5]
    collect_statistics(norm, [(x, None) for x in parts])
    x = torch.cat(parts).double()
    torch.testing.assert_close(norm.mean, x.mean((0, 2, 3)).float())
    torch.testing.assert_close(norm.var, x.var((0, 2, 3), correction=0).float())
    assert norm.count == 11 * 30
    big = torch.cat(parts)
    torch.testing.assert_close(norm.eval()(big), norm.train()(big))


def test_small_variance_on_a_large_mean_is_not_lost():
    x = 1000 + 0.1 * torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    norm = BatchNorm(1)
    collect_statistics(norm, [(part, None) for part in x.split(16)])
    torch.testing.assert_close(norm.var, x.double().var((0, 2, 3), correction=0).float(), rtol=1e-3, atol=0)


def test_a_deeper_layer_sees_features_normalised_batch_by_batch():
    torch.manual_seed(0)
    net = TwoLayers()
    parts = [_features(4, 1), _features(4, 2) * 3]
    net.conv.eval()  # so that the comparison has the same weights
    with torch.no_grad():
        seen = torch.cat([net.conv(net.norm1(x)) for x in parts])
    net.train()
    collect_statistics(net, [(x, None) for x in parts])
    torch.testing.assert_close(net.norm2.mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(net.norm2.var, seen.var((0, 2, 3), correction=0))


def test_collecting_leaves_modes_weights_and_randomness():
    torch.manual_seed(0)
    net = TwoLayers(classes=2)
    net.norm2.eval()
    modes = [module.training for module in net.modules()]
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(7)
    before = torch.get_rng_state()
    collect_statistics(net, ((torch.randn(4, 3, 6, 5), torch.eye(2)[[0, 1, 1, 0]]) for _ in range(3)))
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in net.modules()] == modes
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, kept[name])}
    assert changed == {f"norm{n}.{name}" for n in (1, 2) for name in ("mean", "var", "count")}
    assert not net.norm1._forward_pre_hooks and not net.norm2._forward_pre_hooks


def test_a_failure_leaves_everything_too():
    net = TwoLayers(classes=2).eval()
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="needs a code"):
        collect_statistics(net, [(_features(), None)])
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(module.training for module in net.modules())
    assert not net.norm1._forward_pre_hooks and net.norm1.count == 0


def test_no_batch_at_all_changes_nothing():
    norm = BatchNorm(3)
    collect_statistics(norm, [(_features(), None)])
    kept = norm.mean.clone()
    collect_statistics(norm, [])
    assert torch.equal(norm.mean, kept) and norm.count == 120


def test_in_evaluation_an_image_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    net, x = TwoLayers(), _features()
    together, alone = net(x)[:1], net(x[:1])
    assert not torch.allclose(together, alone)
    collect_statistics(net, [(x, None)])
    net.eval()
    torch.testing.assert_close(net(x)[:1], net(x[:1]))


def test_statistics_are_state():
    norm, again = BatchNorm(3), BatchNorm(3)
    collect_statistics(norm, [(_features(), None)])
    again.load_state_dict(norm.state_dict())
    torch.testing.assert_close(again.eval()(_features(seed=9)), norm.eval()(_features(seed=9)))


@pytest.mark.parametrize("classes", [0, 2])
def test_half_precision_is_normalised_in_full(classes):
    torch.manual_seed(0)
    norm, x, c = _random(BatchNorm(3, classes)), (_features() + 50).bfloat16(), torch.eye(2)[[0, 1, 0, 1]]
    with torch.autocast("cpu", torch.bfloat16):
        y = norm(x, c)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, norm(x.float(), c).bfloat16())
