"""Mix-and-match networks, Table 4.3 and Fig. 4.11 of the thesis: what makes encoders and decoders fit.

Run: .venv/bin/python evidence/mix_and_match_alignment.py [ROW ...] (hours on two cores; resumes when stopped; only
rows named on the command line are computed, and the table is written when all rows are there).
"""

import json
import sys
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from claim import HERE, Claim, Values
from matplotlib.figure import Figure
from streets_runs import PROTOCOL, RUNS, SCALE, STEPS, UNSEEN, made, numbers, run, scenes

SEEDS = (0, 1)
"""Of the runs; the scenes are the same."""
ROWS = {
    "plain": "mix_and_match.streets_seen",
    "autoencoders": "mix_and_match.streets_autoencoders",
    "latent": "mix_and_match.streets_latent",
    "noise": "mix_and_match.streets_noise",
    "pseudo": "mix_and_match.streets",
}
PAPER = {  # Table 4.3
    "plain": {"miou": 0.0648, "accuracy": 0.157}, "autoencoders": {"miou": 0.203, "accuracy": 0.494},
    "latent": {"miou": 0.458, "accuracy": 0.769}, "noise": {"miou": 0.467, "accuracy": 0.784},
    "pseudo": {"miou": 0.492, "accuracy": 0.805},
}  # fmt: skip


def main() -> None:
    """Train every row, measure, compare, draw."""
    claim = Claim(
        "mix_and_match_alignment", docs="mix_and_match.md", recipe=", ".join(ROWS.values()), paper=PAPER, scale=SCALE,
        protocol=f"{PROTOCOL}; accuracy: of pixels; alignment: mean cosine of the codes of a scene's depth and "
        "segmentation (Eq. 4.16)",
    )  # fmt: skip
    for seed, (row, recipe) in product(SEEDS, ROWS.items()):
        name = f"{recipe}-{seed}" if seed else recipe

        def measured(_: Path, recipe=recipe, name=name, seed=seed) -> Values:
            found = numbers(run(recipe, name, seed=seed))[UNSEEN]
            return {name: found[name] for name in ("miou", "accuracy", "alignment")}

        if not sys.argv[1:] or row in sys.argv[1:] or claim.has(row, seed):
            claim.row(row, seed, STEPS, measured, RUNS / name)
            made(RUNS / name, ["depth"], "segmentation")
    if not all(claim.has(row, seed) for row in ROWS for seed in SEEDS):
        return
    scenes(claim.name, {row: run(recipe) for row, recipe in ROWS.items()}, ["depth"], "segmentation")
    m = {row: claim.mean(row, "miou") for row in ROWS}
    curve = over_time(run(ROWS["pseudo"]))
    plot(claim.name, curve)
    before, after = (
        next(point["eval/unseen_alignment"] for point in curve if point["step"] == step)
        for step in (STEPS * 2 // 5, STEPS)
    )
    claim.write({
        **{f"Table 4.3: {better} above {worse}": m[better] > m[worse] for worse, better in pairwise(ROWS)},
        f"Fig. 4.11: alignment grows after the first stage ({before:.2f} to {after:.2f})": after > before,
    })  # fmt: skip


def over_time(folder: Path) -> list[dict[str, Any]]:
    """What was measured during training."""
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line for line in found if "eval/unseen_alignment" in line]


def plot(name: str, curve: list[dict[str, Any]]) -> None:
    """Fig. 4.11: alignment, and mIoU of the unseen translation, over training and its stages."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    steps = [point["step"] for point in curve]
    shown = {
        "alignment, depth and segmentation": "eval/unseen_alignment",
        "alignment, RGB with each of them": "eval/seen_alignment",
        "mIoU, depth to segmentation": "eval/unseen_miou",
    }
    for label, key in shown.items():
        axes.plot(steps, [point[key] for point in curve], marker="o", label=label)
    for border in (STEPS * 2 // 5, STEPS * 4 // 5):
        axes.axvline(border, color="grey", linestyle=":")
    axes.set(xlabel="step", ylim=(0, 1), title="stages: seen, align, pseudo")
    axes.legend()
    figure.savefig(HERE / "results" / f"{name}_curve.png", dpi=100)


if __name__ == "__main__":
    main()
