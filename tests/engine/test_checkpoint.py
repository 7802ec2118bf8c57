"""States: whole or not there, the last few kept, damage named in a line."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim import SGD, Adam
from toy import toy, train

from dragoman.engine import checkpoint
from dragoman.errors import UserError


def net_and_adam(seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 3)).to(memory_format=torch.channels_last)
    return net, Adam(net.parameters(), lr=1e-2, fused=True)


def work(net, optimizer, steps=2):
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()


@pytest.fixture
def state(tmp_path):
    """A saved state with the network and the optimiser it is of."""
    net, optimizer = net_and_adam()
    work(net, optimizer)
    path = checkpoint.save(tmp_path, 7, {"net": net}, {"o": optimizer}, {"precision": "fp32"}, keep=3)
    return path, net, optimizer


def test_a_state_comes_back_bit_for_bit(state):
    path, net, optimizer = state
    other, its = net_and_adam(seed=1)
    facts = checkpoint.load(path, {"net": other}, {"o": its})
    assert (facts["step"], facts["precision"]) == (7, "fp32")
    for name, value in net.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])
    assert its.param_groups[0]["lr"] == 1e-2
    assert list(its.param_groups[0]["betas"]) == list(optimizer.param_groups[0]["betas"])
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        assert optimizer.state[p].keys() == its.state[q].keys() == {"step", "exp_avg", "exp_avg_sq"}
        assert all(torch.equal(optimizer.state[p][key], its.state[q][key]) for key in its.state[q])


def test_moments_have_the_layout_of_their_parameter(state):
    """The fused kernels walk through memory without looking at strides."""
    path, _, _ = state
    other, its = net_and_adam(seed=1)
    checkpoint.load(path, {"net": other}, {"o": its})
    weight = other[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    for p in other.parameters():
        assert its.state[p]["exp_avg"].stride() == its.state[p]["exp_avg_sq"].stride() == p.stride()


def test_training_goes_on_as_if_nothing_had_happened(state):
    path, net, optimizer = state
    other, its = net_and_adam(seed=1)
    checkpoint.load(path, {"net": other}, {"o": its})
    for pair in ((net, optimizer), (other, its)):
        torch.manual_seed(5)
        work(*pair, steps=3)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), other.parameters(), strict=True))


def test_fused_adam_equals_plain_adam_on_channels_last():
    torch.manual_seed(0)
    start = [torch.randn(6, 3, 3, 3), torch.randn(2, 6, 3, 3), torch.randn(6)]
    groups = [[nn.Parameter(t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t.clone())
               for t in start] for _ in range(2)]  # fmt: skip
    optimizers = [Adam(group, lr=1e-2, fused=fused, foreach=False)
                  for group, fused in zip(groups, (True, False), strict=True)]  # fmt: skip
    for _ in range(5):
        for p, q in zip(*groups, strict=True):
            p.grad = torch.empty_like(p).normal_()
            q.grad = p.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for p, q, r in zip(*groups, start, strict=True):
        torch.testing.assert_close(p, q)
        assert (p - r).abs().max() > 1e-2


def test_an_optimiser_without_state_comes_back(tmp_path):
    net = nn.Linear(2, 2)
    path = checkpoint.save(tmp_path, 0, {"net": net}, {"o": SGD(net.parameters(), lr=0.5)}, {}, keep=1)
    its = SGD(net.parameters(), lr=0.1)
    checkpoint.load(path, {"net": net}, {"o": its})
    assert its.param_groups[0]["lr"] == 0.5


def test_the_last_k_are_kept_in_order_of_number(tmp_path):
    net, optimizer = net_and_adam()
    for step in (2, 4, 8, 10, 12):
        checkpoint.save(tmp_path, step, {"net": net}, {"o": optimizer}, {}, keep=3)
    assert checkpoint.steps(tmp_path) == [8, 10, 12]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["10", "12", "8"]


def test_the_same_step_is_overwritten(state):
    path, net, optimizer = state
    with torch.no_grad():
        net[0].weight.zero_()
    checkpoint.save(path.parent, 7, {"net": net}, {"o": optimizer}, {}, keep=3)
    assert checkpoint.steps(path.parent) == [7]
    assert not load_file(path / "state.safetensors")["net:0.weight"].any()


def test_a_half_written_state_is_ignored_and_cleared(state):
    path, net, optimizer = state
    left = path.parent / ".9.tmp"
    left.mkdir()
    (left / "state.safetensors").write_bytes(b"half")
    (path.parent / "notes").mkdir()
    assert checkpoint.steps(path.parent) == [7]
    checkpoint.save(path.parent, 9, {"net": net}, {"o": optimizer}, {}, keep=3)
    assert checkpoint.steps(path.parent) == [7, 9]
    assert not left.exists()
    checkpoint.load(path.parent / "9", {"net": net}, {"o": optimizer})


def test_no_directory_no_states(tmp_path):
    assert checkpoint.steps(tmp_path / "state") == []


def test_nothing_is_pickled(state):
    path, _, _ = state
    assert sorted(p.name for p in path.iterdir()) == ["state.json", "state.safetensors"]
    json.loads((path / "state.json").read_text())
    load_file(path / "state.safetensors")


def truncate(path):
    file = path / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def empty(path):
    (path / "state.safetensors").write_bytes(b"")


def garbage(path):
    (path / "state.safetensors").write_bytes(b"\x80\x04not a tensor" * 50)


def edit(**changes):
    def change(path):
        file = path / "state.json"
        facts = json.loads(file.read_text()) | changes
        file.write_text(json.dumps({k: v for k, v in facts.items() if v is not None}))

    return change


DAMAGE = {
    "truncated tensors": truncate,
    "empty tensors": empty,
    "garbage tensors": garbage,
    "no tensors": lambda path: (path / "state.safetensors").unlink(),
    "no facts": lambda path: (path / "state.json").unlink(),
    "cut facts": lambda path: (path / "state.json").write_text('{"step": 7, "opt'),
    "facts of another kind": lambda path: (path / "state.json").write_text("[1, 2]"),
    "binary facts": lambda path: (path / "state.json").write_bytes(b"\xff\xfe\x00"),
    "no optimisers": edit(optimizers=None),
    "other optimisers": edit(optimizers={"p": {"groups": []}}),
    "optimisers of another kind": edit(optimizers=[1]),
    "groups missing": edit(optimizers={"o": {"groups": []}}),
    "groups of another kind": edit(optimizers={"o": {"groups": 3}}),
    "no step": edit(step=None),
    "another step": edit(step=70),
    "step of another kind": edit(step="seven"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_named_in_one_line(state, damage):
    path, _, _ = state
    damage(path)
    net, optimizer = net_and_adam()
    with pytest.raises(UserError) as caught:
        checkpoint.load(path, {"net": net}, {"o": optimizer})
    line = str(caught.value)
    assert line.startswith(f"cannot resume from {path}: ") and line.endswith("to resume from an earlier one")
    assert "\n" not in line


def test_a_state_of_other_networks_is_refused(state):
    path, _, optimizer = state
    with pytest.raises(UserError, match=r"cannot resume from .*1\.running_mean"):
        checkpoint.load(path, {"net": nn.Sequential(nn.Conv2d(3, 5, 3))}, {"o": optimizer})


def test_a_run_whose_newest_state_is_damaged_says_so_and_the_earlier_one_serves(tmp_path):
    train(toy(), 4, tmp_path)
    truncate(tmp_path / "state" / "4")
    with pytest.raises(UserError, match=f"cannot resume from {tmp_path / 'state' / '4'}"):
        train(toy(), 4, tmp_path, resume=True)
    shutil.rmtree(tmp_path / "state" / "4")
    method = toy()
    train(method, 4, tmp_path, resume=True)
    whole = toy()
    train(whole, 4)
    assert all(torch.equal(p, q) for p, q in zip(method.parameters(), whole.parameters(), strict=True))


def test_a_state_without_its_precision_is_named(tmp_path):
    train(toy(), 2, tmp_path)
    for path in (tmp_path / "state").iterdir():
        edit(precision=None)(path)
    with pytest.raises(UserError, match=r"cannot resume from .*precision"):
        train(toy(), 2, tmp_path, resume=True)


def test_networks_that_share_a_layer_can_be_saved(tmp_path):
    """Some papers share the high layers of two encoders."""
    shared = nn.Linear(3, 3)
    net = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 3), shared), "b": nn.Sequential(nn.Linear(4, 3), shared)})
    optimizer = Adam(net.parameters(), fused=True)
    path = checkpoint.save(tmp_path, 1, {"net": net}, {"o": optimizer}, {}, keep=1)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with torch.no_grad():
        shared.weight.zero_()
    checkpoint.load(path, {"net": net}, {"o": optimizer})
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert net["a"][1] is net["b"][1]
