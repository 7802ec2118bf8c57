"""The HTML report of a run or an evaluation: one self-contained file, made from what the folder holds."""

import base64
import io
import json
from pathlib import Path
from typing import Any

from dragoman.data.image import write_whole
from dragoman.errors import UserError

PICTURES = {
    "grid": ("Translations", "Held-out inputs in every domain; several styles each where the method samples them."),
    "masks": ("Masks", "Translations and the method's mask (white is 1): SDIT's attention, EGSC-IT's feature mask."),
    "features": ("Features", ""),
}
"""Heading and note of each picture; the note of the features is with the numbers."""

EVALUATIONS = "evaluations"
"""Folder of a run for what `dragoman evaluate` measures."""


class MissingLibrary(UserError):
    """A library for reports is not installed."""


def report(folder: Path) -> Path:
    """Write `report.html` in the folder of a run, or of an evaluation that has a folder of its own.

    It shows metrics with their protocol, N and what was left out, the model's cost, grids, masks, features; of a run
    also its evaluations, loss curves, recipe and versions.

    Raises:
        MissingLibrary: a library for reports is not installed.
        UserError: it is no such folder, a file in it is damaged, or the report cannot be written.
    """
    try:
        import matplotlib
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingLibrary(f"the report needs {error.name}; run: pip install 'dragoman[report]'") from None
    matplotlib.use("Agg")
    config, own = _json(folder / "config.json"), _section(folder / "metrics.json")
    if "recipe" not in config:
        config = {}
        if not own["evaluated"]:
            raise UserError(f"{folder} is not the folder of a run: it has no config.json of one; give runs/<name>")
    log = _log(folder / "log.jsonl")
    page = Environment(
        loader=PackageLoader("dragoman", "report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = page.get_template("report.html.j2").render(
        title=f"{config.get('recipe', 'evaluation')}: {folder.resolve().name}",
        paper=_paper(folder),
        own=own,
        evaluations=[_evaluation(path) for path in sorted((folder / EVALUATIONS).glob("*.json"))],
        warnings=[line for line in log if "warning" in line],
        curves=_curves([line for line in log if "warning" not in line]),
        config=json.dumps(config, indent=2) if config else "",
        environment=_json(folder / "environment.json"),
    )
    path = folder / "report.html"
    write_whole(path, text.encode())
    return path


def is_run(folder: Path) -> bool:
    """Whether it is the folder of a run.

    Raises:
        UserError: its config.json is no JSON.
    """
    return "recipe" in _json(folder / "config.json")


def beside(record: Path, name: str) -> Path:
    """Where a picture of a measurement is, whose numbers are in `record`."""
    return record.with_name(f"{name}.png" if record.name == "metrics.json" else f"{record.stem}.{name}.png")


def _section(record: Path) -> dict[str, Any]:
    """A measurement as the page shows it; without numbers where there is no record."""
    measured = _json(record)
    per_domain = measured.get("per_domain") or {}
    pictures = []
    for name, (heading, note) in PICTURES.items():
        path, note = beside(record, name), note or measured.get(name, "")
        if path.exists() or (name in measured and note):
            pictures.append((heading, note, _encode(path.read_bytes()) if path.exists() else ""))
    return {
        "evaluated": measured.get("evaluated", {}),
        "metrics": {name: value for name, value in measured.items() if isinstance(value, float)},
        "names": list(dict.fromkeys(name for values in per_domain.values() for name in values)),
        "per_domain": per_domain,
        "n_per_domain": measured.get("n_per_domain", {}),
        "protocol": measured.get("protocol"),
        "n": measured.get("n"),
        "left_out": measured.get("left_out", []),
        "model": measured.get("model"),
        "pictures": pictures,
    }


def _evaluation(record: Path) -> dict[str, Any]:
    found = _section(record)
    if not found["evaluated"]:
        raise UserError(f"{record} is damaged: not of an evaluation; remove it")
    return found


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; check the path") from None
    except (ValueError, TypeError):
        raise UserError(f"{path} is damaged: not JSON; remove it or train again") from None
    return found


def _log(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    try:
        return [json.loads(line) for line in lines if line.endswith("}")]
    except ValueError:
        raise UserError(f"{path} is damaged: a line is not JSON; remove that line") from None


def _paper(run: Path) -> str:
    card = run / "model" / "README.md"
    lines = card.read_text().splitlines() if card.exists() else []
    return next((line.removeprefix("- method: ") for line in lines if line.startswith("- method: ")), "")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _curves(lines: list[dict[str, Any]]) -> str:
    """One small plot per logged term, as a base64 PNG; empty without a log."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for line in lines for name in line if "/" in name and not name.endswith("_per_s")))
    names = [name for name in names if name != "images_per_s"]
    if not names:
        return ""
    columns = 4
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3 * columns, 2.1 * rows), layout="constrained")
    for number, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, number + 1)
        points = [(line["step"], line[name]) for line in lines if name in line]
        steps, values = zip(*points, strict=True)
        smooth, kept = [], values[0]
        for value in values:
            kept += (value - kept) * max(0.1, 5 / len(values))
            smooth.append(kept)
        axes.plot(steps, values, color="#9bb7d4", linewidth=0.7)
        axes.plot(steps, smooth, color="#1f4e79", linewidth=1.5)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return _encode(buffer.getvalue())
