"""The HTML report of a run: one self-contained file, made from what the run's folder holds."""

import base64
import io
import json
from pathlib import Path
from typing import Any

from dragoman.data.image import write_whole
from dragoman.errors import UserError

PICTURES = (
    ("grid.png", "Translations", "Held-out inputs in every domain; several styles each where the method samples them."),
    ("masks.png", "Attention", "Each translation and beside it the method's mask or attention map (white is 1)."),
)


def report(run: Path) -> Path:
    """Write `run/report.html`: metrics with their protocol, grids, masks, loss curves, recipe, versions.

    Raises:
        UserError: it is not the folder of a run, or the libraries for reports are missing.
    """
    try:
        import matplotlib
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise UserError(f"the report needs {error.name}; run: pip install 'dragoman[report]'") from None
    matplotlib.use("Agg")
    config = _json(run / "config.json")
    if "recipe" not in config:
        raise UserError(f"{run} is not the folder of a run: it has no config.json of one; give runs/<name>")
    measured = _json(run / "metrics.json")
    log = _log(run / "log.jsonl")
    pictures = [
        (heading, note, _encode((run / name).read_bytes())) for name, heading, note in PICTURES if (run / name).exists()
    ]
    page = Environment(loader=PackageLoader("dragoman", "report"), autoescape=True, undefined=StrictUndefined)
    text = page.get_template("report.html.j2").render(
        title=f"{config['recipe']}: {run.resolve().name}",
        paper=_paper(run),
        metrics={name: value for name, value in measured.items() if isinstance(value, float)},
        per_domain=measured.get("per_domain"),
        protocol=measured.get("protocol"),
        n=measured.get("n"),
        warnings=[line for line in log if "warning" in line],
        pictures=pictures,
        curves=_curves([line for line in log if "warning" not in line]),
        config=json.dumps(config, indent=2),
        environment=_json(run / "environment.json"),
    )
    path = run / "report.html"
    write_whole(path, text.encode())
    return path


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(json.loads(path.read_text()))
    except (FileNotFoundError, NotADirectoryError):
        return {}
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
