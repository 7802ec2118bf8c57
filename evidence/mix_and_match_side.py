"""Mix-and-match networks, Table 4.2 of the thesis: what decoders see beside the latent code.

Run: .venv/bin/python evidence/mix_and_match_side.py [ROW ...] (two hours on two cores; resumes when stopped; only rows
named on the command line are computed, and the table is written when all rows are there). Row indices_pretrained needs
the small VGG19.
"""

import sys
from pathlib import Path
from typing import Any

from claim import Claim, Values
from streets_runs import PROTOCOL, RUNS, SCALE, STEPS, UNSEEN, made, numbers, of_rgb, run, scenes

SETTINGS: dict[str, dict[str, Any]] = {
    "": {},
    "_five_poolings": {"blocks": (2, 2, 2, 2, 2)},
    "_aligned": {"blocks": (2, 2, 2, 2, 2), "latent_poolings": 3},
}
"""What runs are named by beside their recipe, and have beside it. The recipes, of the other tables, have three
poolings, the published network five."""
ROWS = {
    "none": ("mix_and_match.streets_no_side", "_five_poolings"),
    "skip": ("mix_and_match.streets_skip", "_five_poolings"),
    "indices": ("mix_and_match.streets_noise", "_five_poolings"),
    "indices_of_rgb": ("mix_and_match.streets_noise", "_five_poolings"),
    "indices_aligned": ("mix_and_match.streets_noise", "_aligned"),
    "indices_pretrained": ("mix_and_match.streets_pretrained", "_five_poolings"),
    "indices_pretrained_of_rgb": ("mix_and_match.streets_pretrained", "_five_poolings"),
    "three_none": ("mix_and_match.streets_no_side", ""),
    "three_indices": ("mix_and_match.streets_noise", ""),
    "three_indices_of_rgb": ("mix_and_match.streets_noise", ""),
}
PAPER = {  # Table 4.2
    "none": {"miou": 0.298, "accuracy": 0.616}, "skip": {"miou": 0.127, "accuracy": 0.501},
    "indices": {"miou": 0.432, "accuracy": 0.735}, "indices_pretrained": {"miou": 0.467, "accuracy": 0.784},
}  # fmt: skip


def main() -> None:
    """Train every row, measure, compare, draw."""
    claim = Claim(
        "mix_and_match_side", docs="mix_and_match.md", paper=PAPER, scale=SCALE,
        recipe=", ".join(dict.fromkeys(recipe for recipe, _ in ROWS.values())),
        protocol=f"{PROTOCOL}; seen_miou: rgb to segmentation; accuracy: of pixels, depth to segmentation; five "
        "poolings, as published, with two convs a block; three_*: with three poolings, as in the other tables; the RGB "
        "encoder of indices_pretrained differs from that of indices by more than its weights: it has the layers of "
        "its VGG19, with other convs in a block and without batch norm; *_of_rgb: the run of the row before, the "
        "code of depth alone, but with the indices of the scene's RGB; indices_aligned: latent consistency at the "
        "three deepest poolings, as in the published code",
    )  # fmt: skip
    shown = {}
    for row, (recipe, kind) in ROWS.items():

        def measured(_: Path, row=row, recipe=recipe, kind=kind) -> Values:
            folder = run(recipe, recipe + kind, **SETTINGS[kind])
            found = numbers(folder)
            own = of_rgb(folder, "depth", "segmentation") if row.endswith("_of_rgb") else found[UNSEEN]
            seen = found["rgb to segmentation"]["miou"]
            return {"miou": own["miou"], "accuracy": own["accuracy"], "seen_miou": seen}

        if not sys.argv[1:] or row in sys.argv[1:] or claim.has(row):
            shown[row] = RUNS / f"{recipe}{kind}"
            claim.row(row, 0, STEPS, measured, shown[row])
            made(shown[row], ["depth"], "segmentation")
    if not all(map(claim.has, ROWS)):
        return
    pictured = {row: folder for row, folder in shown.items() if not row.endswith("_of_rgb")}
    scenes(claim.name, pictured, ["depth"], "segmentation")
    m = {row: claim.mean(row, "miou") for row in ROWS}
    order = [("indices", "none"), ("none", "skip"), ("indices_pretrained", "indices")]
    holds = {f"Table 4.2: {better} above {worse}": m[better] > m[worse] for better, worse in order}
    for row in ("indices", "indices_pretrained", "three_indices"):
        holds[f"beside it: the code of depth with RGB's indices above that with its own, {row}"] = (
            m[f"{row}_of_rgb"] > m[row]
        )
    holds["beside it: indices above none, with three poolings"] = m["three_indices"] > m["three_none"]
    claim.write(holds)


if __name__ == "__main__":
    main()
