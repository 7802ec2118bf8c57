"""A run of n steps equals k steps, a stop at any moment, and n - k more, bit for bit."""

import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy import toy, train

from dragoman.cli import main

TOY = Path(__file__).with_name("toy.py")


def same(one: Path, other: Path) -> None:
    """Parameters, buffers, averages and moments of two states, or the tensors of two models, bit for bit."""
    first, second = load_file(one), load_file(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of ten steps, five in each stage, with its state after every step."""
    directory = tmp_path_factory.mktemp("whole")
    train(toy(), 10, directory)
    return directory


def test_a_state_holds_everything(whole):
    parts = {name.split(".")[0] for name in load_file(whole / "state" / "10" / "state.safetensors")}
    assert parts == {"method:G", "method:D", "method:memory", "averages:G", "optimizer:G", "optimizer:D"}


def test_something_is_learnt_in_every_step(whole):
    """Else everything below would hold for nothing."""
    states = [load_file(whole / "state" / str(k) / "state.safetensors") for k in range(1, 11)]
    for before, after in itertools.pairwise(states):
        assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("method:"))
    assert not torch.equal(states[4]["method:memory"], states[5]["method:memory"])


@pytest.mark.parametrize("k", range(1, 11))
def test_resume_from_every_step(whole, tmp_path, k):
    """In the middle of stages, at their border (5), before it, and at the end."""
    shutil.copytree(whole / "state" / str(k), tmp_path / "state" / str(k))
    torch.manual_seed(k)  # whatever generator's state a fresh process has
    run = train(toy(), 10, tmp_path, resume=True)
    assert run.step == 10
    same(whole / "state" / "10" / "state.safetensors", tmp_path / "state" / "10" / "state.safetensors")


def test_resume_in_steps(whole, tmp_path):
    """Stopped by an error in a hook after steps 2, 5 and 7."""

    class Stop:
        def __init__(self, at):
            self.at = at

        def start(self, run):
            pass

        def __call__(self, run):
            if run.step == self.at:
                raise InterruptedError

        def end(self, run):
            pass

    for at in (2, 5, 7):
        with pytest.raises(InterruptedError):
            train(toy(), 10, tmp_path, hooks=[Stop(at)], resume=True)
    train(toy(), 10, tmp_path, resume=True)
    same(whole / "state" / "10" / "state.safetensors", tmp_path / "state" / "10" / "state.safetensors")


def test_without_a_state_resume_begins(whole, tmp_path):
    train(toy(), 10, tmp_path, resume=True)
    same(whole / "state" / "10" / "state.safetensors", tmp_path / "state" / "10" / "state.safetensors")


def test_a_finished_run_stays_as_it_is(whole, tmp_path):
    shutil.copytree(whole / "state", tmp_path / "state")
    method = toy()
    assert train(method, 10, tmp_path, resume=True).step == 10
    assert method.seen == []


def kill_when(command: list[str], reached) -> None:
    """Start a process and kill it with no warning as soon as `reached()`; it must not have ended by itself."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and not reached():
        assert time.monotonic() < deadline, "never got there"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    _, complaint = process.communicate()
    assert process.returncode == -signal.SIGKILL, complaint.decode()


def test_killed_on_both_sides_of_a_stage_border(whole, tmp_path):
    def newest() -> int:
        return max((int(p.name) for p in tmp_path.glob("state/*") if p.name.isdigit()), default=0)

    for at in (4, 7):
        kill_when([sys.executable, str(TOY), str(tmp_path), "10", "--slow"], lambda at=at: newest() >= at)
        assert newest() < 10
    train(toy(), 10, tmp_path, resume=True)
    same(whole / "state" / "10" / "state.safetensors", tmp_path / "state" / "10" / "state.safetensors")


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    """The real command line; killed before the first state, then wherever it happens to be, saves included."""
    moments = random.Random()
    words = ["train", "sdit.tiny", "--quiet", "--train.device", "cpu", "--train.steps", "60",
             "--train.save-every", "3", "--train.grid-every", "30", "--evaluate.classifier-steps", "1",
             "--evaluate.classifier-images", "64", "--evaluate.inputs", "8"]  # fmt: skip
    out, other = tmp_path / "whole", tmp_path / "killed"
    assert main([*words, "--out", str(out)]) == 0
    words += ["--out", str(other), "--resume"]
    command = [sys.executable, "-m", "dragoman", *words]

    def logged() -> int:
        log = other / "log.jsonl"
        return log.read_text().count("\n") if log.exists() else 0

    for at in (moments.randint(1, 2), moments.randint(4, 57)):
        pause = moments.uniform(0, 0.01)
        print(f"killed {pause:.4f} s after step {at}")
        kill_when(command, lambda at=at, pause=pause: logged() >= at and not time.sleep(pause))
        assert not (other / "model").exists()
    assert main(words) == 0
    same(out / "model" / "model.safetensors", other / "model" / "model.safetensors")
    same(out / "state" / "60" / "state.safetensors", other / "state" / "60" / "state.safetensors")
    assert (out / "model" / "model.safetensors").read_bytes() == (other / "model" / "model.safetensors").read_bytes()
    log = [json.loads(line) for line in (other / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "D/gan" in line] == list(range(1, 61))
