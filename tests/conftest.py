"""What every test shares: one thread per worker, and fresh processes that compute bit for bit the same."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"  # of the subprocesses


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python ARGUMENTS` in a fresh process; fails the test with its output unless it exits with 0."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture(scope="session")
def torchrun(python: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., None]:
    """Runs `python ARGUMENTS` as two ranks over gloo."""

    def run(*arguments: object) -> None:
        # One at a time: two that start together may pick the same free port.
        with (Path(tempfile.gettempdir()) / "dragoman-torchrun.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            python("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments)

    return run
