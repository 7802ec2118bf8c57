"""Mix-and-match networks, Table 4.3 and Fig. 4.11 of the thesis: what makes encoders and decoders fit.

Run: .venv/bin/python evidence/mix_and_match_alignment.py [ROW ...] (two hours on two cores; resumes when stopped; rows
named on the command line are computed, all others must be there already).
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

from claim import HERE, Claim, Values
from streets_runs import PROTOCOL, RUNS, SCALE, STEPS, UNSEEN, numbers, run, scenes

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
    for row, recipe in ROWS.items():

        def measured(_: Path, recipe=recipe) -> Values:
            found = numbers(run(recipe))[UNSEEN]
            return {name: found[name] for name in ("miou", "accuracy", "alignment")}

        if not sys.argv[1:] or row in sys.argv[1:] or claim.has(row):
            claim.row(row, 0, STEPS, measured, RUNS / recipe)
    rows = [row for row in ROWS if claim.has(row)]
    scenes(claim.name, {row: run(ROWS[row]) for row in rows}, ["depth"], "segmentation")
    m = {row: claim.mean(row, "miou") for row in rows}
    order = list(ROWS)
    holds = {
        f"Table 4.3: {better} above {worse}": m[better] > m[worse]
        for worse, better in pairwise(order) if {better, worse} <= {*m}
    }  # fmt: skip
    if "pseudo" in rows:
        curve = over_time(run(ROWS["pseudo"]))
        (HERE / "results" / f"{claim.name}_curve.json").write_text(json.dumps(curve, indent=1) + "\n")
        first = max(step for step, stage in zip(curve["step"], curve["stage"], strict=True) if stage == "seen")
        before, after = (curve["alignment"][curve["step"].index(step)] for step in (first, curve["step"][-1]))
        holds[f"Fig. 4.11: alignment grows after the first stage ({before:.2f} to {after:.2f})"] = after > before
    claim.write(holds)


def over_time(folder: Path) -> dict[str, list]:
    """Fig. 4.11: what was measured during training."""
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    found = [line for line in found if "eval/unseen_alignment" in line]
    names = {"step": "step", "stage": "stage", "alignment": "eval/unseen_alignment", "miou": "eval/unseen_miou"}
    return {name: [line[key] for line in found] for name, key in names.items()}


if __name__ == "__main__":
    main()
