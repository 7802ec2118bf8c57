"""What every evidence script shares: rows trained or measured once, resumed when stopped, and the recorded result."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from dragoman.engine.runtime import processor

HERE = Path(__file__).parent
Values = dict[str, float]


class Claim:
    """A table of a paper beside ours.

    Rows live in `runs/evidence/<name>/`, one JSON each, so a stopped script goes on where it was; the result goes to
    `evidence/results/<name>.json`.
    """

    def __init__(self, name: str, *, recipe: str, scale: str, protocol: str, paper: dict[str, Values]):
        self.name, self.recipe, self.scale, self.protocol, self.paper = name, recipe, scale, protocol, paper
        self.work = HERE.parent / "runs" / "evidence" / name
        self.rows: list[dict[str, Any]] = []

    def row(self, row: str, seed: int, steps: int, measure: Callable[[Path], Values]) -> None:
        """Compute a row in its own folder (which is kept, so training in it resumes), unless it is there already."""
        folder = self.work / f"{row}-{seed}"
        done = folder / "row.json"
        if not done.exists():
            start = time.perf_counter()
            metrics = measure(folder)
            record = {"row": row, "seed": seed, "steps": steps, "seconds": round(time.perf_counter() - start, 1)}
            folder.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps(record | {"metrics": metrics}))
        self.rows.append(json.loads(done.read_text()))
        print(self.rows[-1], flush=True)

    def mean(self, row: str, metric: str) -> float:
        """Mean of a metric over a row's seeds."""
        return mean(r["metrics"][metric] for r in self.rows if r["row"] == row)

    def write(self, holds: dict[str, bool]) -> None:
        """Print the table and record the result; `holds` says for each statement of the claim whether it is so."""
        metrics = list(dict.fromkeys(name for row in self.rows for name in row["metrics"]))
        table = Table("row", "paper", *metrics, title=f"{self.name} ({self.scale}); means over seeds")
        for row in dict.fromkeys(r["row"] for r in self.rows):
            values = [r["metrics"] for r in self.rows if r["row"] == row]
            cells = [f"{mean(v[m] for v in values):.4f}" if m in values[0] else "" for m in metrics]
            table.add_row(row, ", ".join(f"{k} {v:g}" for k, v in self.paper.get(row, {}).items()), *cells)
        Console(width=200).print(table)
        for statement, true in holds.items():
            print(f"{'holds' if true else 'FAILS'}: {statement}")
        result = {
            "claim": self.name, "paper": self.paper, "rows": self.rows, "protocol": self.protocol,
            "recipe": self.recipe, "scale": self.scale, "commit": _commit(), "device": processor(torch.device("cpu")),
            "holds": holds,
        }  # fmt: skip
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{self.name}.json").write_text(json.dumps(result, indent=1) + "\n")


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=HERE
    )
    return asked.stdout.strip()
