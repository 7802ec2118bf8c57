"""Where a run runs: device, rank, seeds, precision and the collectives, so that nothing else has to know."""

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from dragoman.errors import UserError


@dataclass
class Runtime:
    """One process of a run, launched alone or by torchrun.

    Example: `runtime = Runtime.start("auto")`.
    """

    device: torch.device
    rank: int = 0
    world: int = 1
    precision: str = "fp32"
    """"fp32" or "bf16" (autocast); see `choose_precision`."""

    @classmethod
    def start(cls, device: str = "auto") -> "Runtime":
        """Find the device, and join the other processes when torchrun started this one.

        Raises:
            UserError: the device does not exist here.
        """
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        if device == "cuda" and world > 1:
            device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        try:
            found = torch.device(device)
            torch.zeros(1, device=found)
        except (RuntimeError, AssertionError):
            raise UserError(f"device {device!r} is not available here; use --train.device auto or cpu") from None
        if found.type == "cuda":
            torch.cuda.set_device(found)
            torch.backends.cudnn.benchmark = True
        if world > 1 and not dist.is_initialized():
            # Its functions take the group there is when it is imported as their defaults (torch's optimisers import
            # it), so that `close` would not end the group: gloo's threads then sometimes abort the interpreter's exit.
            from torch.distributed.nn import functional  # noqa: F401

            dist.init_process_group("nccl" if found.type == "cuda" else "gloo")
        return cls(found, rank, world)

    @property
    def main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        """bf16 autocast where that was chosen; no gradient scaler is needed for bf16."""
        if self.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def seed(self, *key: int) -> None:
        """Seed torch by where in the run we are and by the rank; so resuming needs no generator's state."""
        torch.manual_seed(
            int(np.random.SeedSequence([*key, self.rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))
        )

    def average(self, gradients: list[Tensor], flags: Tensor) -> Tensor:
        """Average the gradients in place and add up the flags over the ranks, in one all_reduce."""
        if self.world == 1:
            return flags
        flat = torch.cat([g.reshape(-1) for g in gradients] + [flags.to(gradients[0].dtype)])
        dist.all_reduce(flat)
        pieces: tuple[Tensor, ...] = flat.split([g.numel() for g in gradients] + [flags.numel()])
        for gradient, piece in zip(gradients, pieces, strict=False):
            gradient.copy_(piece.view(gradient.shape)).div_(self.world)
        return pieces[-1]

    @torch.no_grad()
    def align(self, module: nn.Module) -> None:
        """Give every rank the main one's buffers, and check that the parameters never drifted apart.

        Raises:
            RuntimeError: the ranks hold different parameters.
        """
        if self.world == 1:
            return
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
        mine = torch.stack([p.double().sum() for p in module.parameters()])
        first = mine.clone()
        dist.broadcast(first, 0)
        same = torch.tensor(float(torch.equal(mine, first)), device=self.device)
        dist.all_reduce(same, dist.ReduceOp.MIN)
        if not same:
            raise RuntimeError("the ranks hold different parameters: something outside the phases changed them")

    @torch.no_grad()
    def copy_from_main(self, module: nn.Module) -> None:
        """Give every rank the main one's parameters and buffers."""
        if self.world > 1:
            for tensor in [*module.parameters(), *module.buffers()]:
                dist.broadcast(tensor.data, 0)

    def barrier(self) -> None:
        """Wait for the other ranks."""
        if self.world > 1:
            dist.barrier()

    def agree(self, value: str) -> str:
        """The main rank's value, on every rank."""
        if self.world == 1:
            return value
        box: list[str] = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def close(self) -> None:
        """Leave the process group."""
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def choose_precision(self, wish: str, work: Iterable[Callable[[], object]]) -> str:
        """Set the precision: as wished, or for "auto" bf16 only where it does the run's own work at least 5 % faster.

        Args:
            wish: "auto", "fp32" or "bf16".
            work: what to time, once in each precision after one warm-up (a forward and backward pass of each phase).
        """
        if wish != "auto":
            self.precision = wish
            return f"{wish} as asked"
        seconds = {}
        for self.precision in ("fp32", "bf16"):
            for timed in (False, True):
                start = time.perf_counter()
                for job in work:
                    job()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                if timed:
                    seconds[self.precision] = time.perf_counter() - start
        self.precision = self.agree("bf16" if seconds["bf16"] < 0.95 * seconds["fp32"] else "fp32")
        return f"{self.precision} (measured on this run: fp32 {seconds['fp32']:.3f} s, bf16 {seconds['bf16']:.3f} s)"


def environment(runtime: Runtime, precision_note: str) -> dict[str, Any]:
    """What a run ran on."""
    return {
        "dragoman": version("dragoman"), "python": platform.python_version(), "torch": torch.__version__,
        "platform": platform.platform(), "device": str(runtime.device), "processes": runtime.world,
        "processor": processor(runtime.device), "threads": torch.get_num_threads(), "precision": precision_note,
    }  # fmt: skip


def processor(device: torch.device) -> str:
    """The processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
