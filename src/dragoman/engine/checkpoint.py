"""States to resume from: safetensors and JSON, written beside and renamed, the last few kept, never a pickle."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from dragoman.errors import UserError, one_line


def save(
    directory: Path,
    step: int,
    modules: dict[str, nn.Module],
    optimizers: dict[str, Optimizer],
    facts: dict[str, Any],
    keep: int,
) -> Path:
    """Write `directory/<step>/`; it appears whole or not at all, and all but the last `keep` states are removed."""
    tensors = {f"{part}:{name}": t for part, module in modules.items() for name, t in module.state_dict().items()}
    numbers: dict[str, Any] = {}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        numbers[name] = {"groups": state["param_groups"]}
        for index, values in state["state"].items():
            tensors |= {f"optimizer:{name}.{index}.{key}": value for key, value in values.items()}
    beside = directory / f".{step}.tmp"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    # A copy of each, since a layer that two networks share is one tensor under two names, which safetensors refuses.
    plain = {key: t.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) for key, t in tensors.items()}
    save_file(plain, beside / "state.safetensors")
    (beside / "state.json").write_text(json.dumps({"step": step, "optimizers": numbers} | facts, indent=1))
    for path in beside.iterdir():
        _sync(path)
    final = directory / str(step)
    shutil.rmtree(final, ignore_errors=True)
    beside.rename(final)
    _sync(directory)
    for old in steps(directory)[:-keep]:
        shutil.rmtree(directory / str(old))
    return final


def steps(directory: Path) -> list[int]:
    """The steps of the states in a directory, oldest first."""
    return sorted(int(p.name) for p in directory.glob("*") if p.name.isdigit())


def load(
    path: Path, modules: dict[str, nn.Module], optimizers: dict[str, Optimizer], needs: Sequence[str] = ()
) -> dict[str, Any]:
    """Read a state into modules and optimisers; returns its facts, "step" and those named by `needs` among them.

    Raises:
        UserError: a file is missing or damaged, or the state belongs to other networks.
    """
    try:
        facts: dict[str, Any] = json.loads((path / "state.json").read_text())
        if (step := facts["step"]) != int(path.name):
            raise ValueError(f"state.json says step {step}")
        tensors = load_file(path / "state.safetensors")
        groups: dict[str, Tensor] = {}
        for part, module in modules.items():
            groups = {k.removeprefix(f"{part}:"): t for k, t in tensors.items() if k.startswith(f"{part}:")}
            module.load_state_dict(groups)
        for name, optimizer in optimizers.items():
            _load_optimizer(optimizer, name, facts["optimizers"][name]["groups"], tensors)
        for name in needs:
            facts[name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else one_line(error)[:160]
        raise UserError(
            f"cannot resume from {path}: {reason}; delete that folder to resume from an earlier one"
        ) from None
    return facts


def _load_optimizer(optimizer: Optimizer, name: str, groups: list[dict[str, Any]], tensors: dict[str, Tensor]) -> None:
    """Restore an optimiser, with each moment in the memory layout of its parameter, as the fused kernels require."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"optimizer:{name}."):
            index, field = key.removeprefix(f"optimizer:{name}.").split(".", 1)
            state.setdefault(int(index), {})[field] = value
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter in parameters:
        for field, value in optimizer.state[parameter].items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                optimizer.state[parameter][field] = torch.empty_like(parameter, requires_grad=False).copy_(value)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
