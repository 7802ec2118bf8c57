"""Seeds, precision, the device, and two ranks."""

import time
from functools import partial
from pathlib import Path

import pytest
import torch
from toy import stream_of, toy, train

from dragoman.engine import fit as loop
from dragoman.engine.runtime import Runtime
from dragoman.errors import UserError

CPU = torch.device("cpu")


def draw(runtime, *key):
    runtime.seed(*key)
    return torch.rand(8)


def test_seed_is_a_function_of_key_and_rank():
    first = draw(Runtime(CPU), 3, 1, 4)
    torch.rand(100)
    assert torch.equal(first, draw(Runtime(CPU), 3, 1, 4))
    others = [draw(Runtime(CPU), 3, 1, 5), draw(Runtime(CPU), 4, 1, 4), draw(Runtime(CPU), 1, 3, 4),
              draw(Runtime(CPU, rank=1, world=2), 3, 1, 4)]  # fmt: skip
    assert all(not torch.equal(first, other) for other in others)


def test_seeds_of_a_run_do_not_repeat():
    """The keys that the loop uses: (seed, step, phase, update) and the rank."""
    seeds = set()
    for key in ((s, t, p, u) for s in range(2) for t in range(50) for p in range(3) for u in range(3)):
        for rank in range(2):
            Runtime(CPU, rank=rank, world=2).seed(*key)
            seeds.add(torch.initial_seed())
    assert len(seeds) == 2 * 50 * 3 * 3 * 2


def test_start_finds_a_device(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    runtime = Runtime.start("cpu")
    assert (runtime.device, runtime.rank, runtime.world, runtime.main) == (CPU, 0, 1, True)


@pytest.mark.parametrize("device", ["cuda:77", "nonsense", "cpu:x"])
def test_a_device_that_is_not_there_is_named(device):
    with pytest.raises(UserError, match=f"device '{device}' is not available here; use --train.device"):
        Runtime.start(device)


@pytest.mark.parametrize("wish", ["fp32", "bf16"])
def test_a_wish_is_honoured_without_any_work(wish):
    runtime, calls = Runtime(CPU), []
    assert runtime.choose_precision(wish, [partial(calls.append, 1)]) == f"{wish} as asked"
    assert runtime.precision == wish and not calls


def test_autocast_follows_the_precision():
    x = torch.ones(2, 2)
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with Runtime(CPU, precision=precision).autocast():
            assert (x @ x).dtype == kind


@pytest.mark.parametrize(("fp32", "bf16", "chosen"), [(0.2, 0.0, "bf16"), (0.0, 0.2, "fp32")])
def test_auto_takes_the_faster(fp32, bf16, chosen):
    """Jobs that take as long as told in each precision."""
    runtime, calls = Runtime(CPU), []

    def job():
        calls.append(runtime.precision)
        with runtime.autocast():
            half = (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == torch.bfloat16
        end = time.perf_counter() + (bf16 if half else fp32)
        while time.perf_counter() < end:
            pass

    note = runtime.choose_precision("auto", [job, job])
    assert runtime.precision == chosen
    assert note.startswith(f"{chosen} (measured on this run: fp32 0.") and ", bf16 0." in note
    assert calls == ["fp32"] * 4 + ["bf16"] * 4  # one warm-up, one that counts


def test_a_run_measures_and_keeps_note_and_networks(tmp_path):
    """Measuring must not leave a trace: not in statistics, averages or random numbers."""
    measured = train(toy(), 2, tmp_path, precision="auto")
    assert measured.precision_note.startswith(f"{measured.runtime.precision} (measured on this run")
    plain = train(toy(), 2, precision=measured.runtime.precision)
    for name, value in plain.method.state_dict().items():
        assert torch.equal(value, measured.method.state_dict()[name]), name


@pytest.mark.parametrize("recorded", ["fp32", "bf16"])
def test_a_resumed_run_keeps_the_recorded_precision(tmp_path, recorded):
    first = train(toy(), 2, tmp_path, precision=recorded)
    other = "bf16" if recorded == "fp32" else "fp32"
    for wish in (other, "auto"):
        resumed = train(toy(), 4, tmp_path, precision=wish, resume=True)
        assert resumed.runtime.precision == recorded
        assert resumed.precision_note == first.precision_note == f"{recorded} as asked"


def test_bf16_really_changes_the_arithmetic():
    one, other = (train(toy(), 2, precision=p).method.D[0].weight for p in ("fp32", "bf16"))
    assert not torch.equal(one, other)
    torch.testing.assert_close(one, other, rtol=0, atol=0.1)


def test_without_other_ranks_the_collectives_do_nothing():
    runtime = Runtime(CPU)
    gradients, flags = [torch.ones(2)], torch.tensor([1.0])
    assert runtime.average(gradients, flags) is flags and gradients[0].tolist() == [1, 1]
    assert runtime.agree("x") == "x"
    runtime.align(torch.nn.Linear(1, 1))
    runtime.copy_from_main(torch.nn.Linear(1, 1))
    runtime.barrier()
    runtime.close()


def test_two_ranks(torchrun, tmp_path):
    """Averages, seeds, agreement, alignment, equality with one process, a resumed run, non-finite losses."""
    torchrun(Path(__file__).with_name("two_ranks.py"), tmp_path)
    assert (tmp_path / "rank0").exists() and (tmp_path / "rank1").exists()


def test_the_loop_starts_a_runtime_when_none_is_given():
    run = loop.fit(toy(), stream_of(Runtime(CPU)), steps=2, precision="fp32", runtime=None)
    assert run.runtime.world == 1 and run.step == 2
