"""What every evidence script shares: rows trained or measured once, resumed when stopped, and the recorded result."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from dragoman import recipes
from dragoman.data.image import read, to_pil, write
from dragoman.engine.runtime import processor
from dragoman.recipes.experiment import Experiment
from dragoman.report.grids import grid
from dragoman.run import read_experiment, train

HERE = Path(__file__).parent
Values = dict[str, float]
COMMIT = subprocess.run(
    ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=HERE
).stdout.strip()
"""Of the code that runs, whatever is committed or written while it does."""
NOTE = "evidence.json"
"""Of a run, in its folder: the commit that its training began with."""


class Claim:
    """A table of a paper beside ours.

    Rows live in `runs/evidence/<name>/`, one JSON each, so a stopped script goes on where it was. The result goes to
    `evidence/results/<name>.json`, and into the paper's docs page between its two marker lines.
    """

    def __init__(self, name: str, *, recipe: str, scale: str, protocol: str, paper: dict[str, Values], docs: str,
                 over: str = "seed"):  # fmt: skip
        """`over` is what a row is repeated for and its values are means over."""
        self.over = over
        self.name, self.recipe, self.scale, self.protocol, self.paper = name, recipe, scale, protocol, paper
        self.docs = HERE.parent / "docs" / docs
        self.work = HERE.parent / "runs" / "evidence" / name
        self.rows: list[dict[str, Any]] = []

    def row(
        self, row: str, number: int, of: Experiment | int, measure: Callable[[Path], Values], run: Path | None = None
    ) -> None:
        """Compute a row in its own folder (which is kept, so training in it resumes), unless it is there already.

        Its time, device and commit are those of the training, whose folder is `run`, if claims share it, or "run"
        within the row's own. Where nothing was trained, or before commits were noted, the commit is that of measuring.

        Args:
            row: Its name.
            number: Which of those that the row is repeated for.
            of: What is trained, or its steps where that is not one run of a recipe.
            measure: From the row's folder to its metrics.
            run: The folder of the training.

        Raises:
            SystemExit: the row that is there is of other settings or steps.
        """
        folder = self.work / f"{row}-{number}"
        done, run = folder / "row.json", run or folder / "run"
        steps = of if isinstance(of, int) else of.train.steps
        if done.exists() and (before := json.loads(done.read_text())["steps"]) != steps:
            raise SystemExit(f"{folder} holds a row of {before} steps, not {steps}; move it away")
        if done.exists() and isinstance(of, Experiment):
            same(of, run)
        if not done.exists():
            start = time.perf_counter()
            metrics = measure(folder)
            seconds, device = time.perf_counter() - start, {}
            if (log := run / "log.jsonl").exists():
                seconds = max(json.loads(line).get("seconds", 0) for line in log.read_text().splitlines())
                device = {"device": json.loads((run / "environment.json").read_text())["processor"]}
            noted = run / NOTE
            commit = json.loads(noted.read_text()) if noted.exists() else {"commit": COMMIT}
            record = {"row": row, self.over: number, "steps": steps, "seconds": round(seconds, 1)} | device | commit
            folder.mkdir(parents=True, exist_ok=True)
            done.write_text(json.dumps(record | {"metrics": metrics}))
        self.rows.append({"seed": 0} | json.loads(done.read_text()))  # where it is not what rows differ in
        print(self.rows[-1], flush=True)

    def has(self, row: str, number: int = 0) -> bool:
        """Whether a row has been computed."""
        return (self.work / f"{row}-{number}" / "row.json").exists()

    def mean(self, row: str, metric: str) -> float:
        """Mean of a metric over a row's seeds, or what else it is repeated for."""
        return mean(r["metrics"][metric] for r in self.rows if r["row"] == row)

    def write(self, holds: dict[str, bool]) -> None:
        """Print the table and record the result; `holds` says for each statement of the claim whether it is so."""
        header, lines = self._table()
        table = Table(*header, title=f"{self.name} ({self.scale}); means over {self.over}s")
        for line in lines:
            table.add_row(*line)
        Console(width=200).print(table)
        verdicts = [f"{'holds' if true else 'does not hold'}: {statement}" for statement, true in holds.items()]
        print("\n".join(verdicts))
        self._document(header, lines, verdicts)
        here = processor(torch.device("cpu"))
        result = {
            "claim": self.name, "paper": self.paper, "rows": self.rows, "means": self._means(),
            "protocol": self.protocol, "recipe": self.recipe, "scale": self.scale, "commit": COMMIT,
            "device": ", ".join(dict.fromkeys(row["device"] for row in self.rows if "device" in row)) or here,
            "holds": holds,
        }  # fmt: skip
        (HERE / "results").mkdir(exist_ok=True)
        (HERE / "results" / f"{self.name}.json").write_text(json.dumps(result, indent=1) + "\n")

    def _means(self) -> dict[str, Values]:
        """Of each row's metrics."""
        names = {row["row"]: list(row["metrics"]) for row in self.rows}
        return {row: {metric: self.mean(row, metric) for metric in metrics} for row, metrics in names.items()}

    def _table(self) -> tuple[list[str], list[list[str]]]:
        """Header and lines: a row, what the paper has for it, our means."""
        metrics = list(dict.fromkeys(name for row in self.rows for name in row["metrics"]))
        lines = []
        for row in dict.fromkeys(r["row"] for r in self.rows):
            values = [r["metrics"] for r in self.rows if r["row"] == row]
            paper = ", ".join(f"{k} {v:g}" for k, v in self.paper.get(row, {}).items())
            lines.append(
                [row, paper] + [f"{mean(v[m] for v in values):.4f}" if m in values[0] else "" for m in metrics]
            )
        return ["row", "paper", *metrics], lines

    def _document(self, header: list[str], lines: list[list[str]], verdicts: list[str]) -> None:
        """Put the table into the docs page."""
        numbers = sorted({row[self.over] for row in self.rows})
        rows = [header, ["---"] * len(header), *lines]
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        counts = sorted({row["steps"] for row in self.rows} - {0})
        steps = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else str(*counts)
        said = "\n".join(f"- {verdict}" for verdict in verdicts)
        text = f"\n{self.scale}; {steps} steps; means of {self.over}s {', '.join(map(str, numbers))}.\n\n{table}\n\n"
        text += f"Protocol: {self.protocol}.\n\n{said}\n\n"
        start, end = f"<!-- evidence: {self.name} -->", "<!-- end -->"
        before, _, rest = self.docs.read_text().partition(start)
        after = rest.partition(end)[2]
        self.docs.write_text(f"{before}{start}\n{text}{end}{after}")


def changed(recipe: str, steps: int, data: Mapping[str, Any], method: Mapping[str, Any], **train: Any) -> Experiment:
    """A recipe with other steps, and other settings of data, method and training.

    In bf16, because what "auto" finds faster on a busy machine would differ between rows.
    """
    experiment = recipes.find(recipe)
    return experiment.model_copy(update={
        "train": experiment.train.model_copy(update={"steps": steps, "precision": "bf16"} | train),
        "data": type(experiment.data).model_validate(experiment.data.model_dump() | dict(data)),
        "method": type(experiment.method).model_validate(experiment.method.model_dump() | dict(method)),
    })  # fmt: skip


def trained(experiment: Experiment, folder: Path) -> Path:
    """The model folder of a run, trained unless it is there.

    Raises:
        SystemExit: what is there was trained with other settings.
    """
    if not (folder / "config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NOTE).write_text(json.dumps({"commit": COMMIT}))
        (folder / "config.json").write_text(experiment.model_dump_json())  # a folder with files must be of a run
    if not (folder / "metrics.json").exists():
        train(experiment, folder, resume=True, quiet=True)
    same(experiment, folder)
    return (folder / "model").resolve()  # a run that starts from it remembers where it is


def same(experiment: Experiment, folder: Path) -> None:
    """Stop unless a run was of these settings.

    Raises:
        SystemExit: it was of others.
    """
    if _settings(read_experiment(folder / "config.json")) != _settings(experiment):
        raise SystemExit(f"{folder} was trained with other settings; move it away")


def _settings(experiment: Experiment) -> str:
    """Wherever the repository is; older runs leave the precision to "auto", which chose bf16."""
    settings = experiment.train.model_copy(update={"precision": "bf16"})
    return re.sub('"/[^"]*/runs/', '"runs/', experiment.model_copy(update={"train": settings}).model_dump_json())


def kept(file: Path, draw: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
    """Square images of the same size, drawn once and kept in a file: a picture of many runs needs no models then."""
    if not file.exists():
        write(to_pil(torch.cat(list(draw()), dim=2)), file)
    strip = read(file).tensor
    return list(strip.split(strip.shape[1], dim=2))


def picture(name: str, lines: Sequence[list[Tensor]], header: Sequence[str] = (), cell: int = 56) -> None:
    """A claim's picture."""
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, header, cell).save(HERE / "results" / f"{name}.png")
