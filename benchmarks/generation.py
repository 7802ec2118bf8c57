"""What an image costs with each of several models: one alone, and in batches (MineGAN Table 3.2, time).

Run: .venv/bin/python benchmarks/generation.py runs/dgn_am.digits/model runs/ppgn.digits/model
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from rich.console import Console
from rich.table import Table

import dragoman
from dragoman.engine.runtime import processor
from dragoman.errors import UserError
from dragoman.inference.sampler import BATCH, Sampler


def seconds_per_image(sampler: Sampler, count: int, repeats: int) -> float:
    """The median over repetitions after one to warm up, of `count` images at once."""
    seeds, found = list(range(count)), []
    codes = sampler.codes(seeds)
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        sampler.generate(codes, seeds)  # ends on the CPU, so nothing is still under way
        found.append((time.perf_counter() - begin) / count)
    return statistics.median(found[1:])


def measure(models: list[Path], batch: int, repeats: int, device: str, console: Console) -> dict[str, Any]:
    """batch, repeats, threads, processor; seconds: by model, of an image `alone` and in a batch (`batched`).

    Raises:
        UserError: there is no such model, or it does not generate.
    """
    seconds = {}
    for path in models:
        console.print(str(path), highlight=False)
        sampler = dragoman.load_sampler(path, device)
        seconds[str(path)] = {
            "alone": seconds_per_image(sampler, 1, repeats), "batched": seconds_per_image(sampler, batch, repeats)
        }  # fmt: skip
    return {
        "batch": batch, "repeats": repeats, "threads": torch.get_num_threads(),
        "processor": processor(torch.device(device)), "torch": torch.__version__, "seconds": seconds,
    }  # fmt: skip


def main(
    models: tyro.conf.Positional[list[Path]],
    batch: int = BATCH,
    repeats: int = 3,
    device: str = "cpu",
    file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> int:
    """Time generators on this processor.

    Args:
        models: Model folders of methods that generate.
        batch: Images at once.
        repeats: Repetitions of each measurement.
        device: cpu, cuda or mps.
        file: Where to write the numbers as well.

    Returns:
        2 for a mistake in the arguments.
    """
    try:
        if min(batch, repeats) < 1:
            raise UserError("--batch and --repeats must be at least 1")
        result = measure(models, batch, repeats, device, Console(stderr=True))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    table = Table("model", "s / image, alone", f"s / image, {batch} at once", title=result["processor"])
    for name, value in result["seconds"].items():
        table.add_row(name, f"{value['alone']:.5f}", f"{value['batched']:.5f}")
    Console().print(table)
    if file:
        file.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
