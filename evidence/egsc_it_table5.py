"""EGSC-IT on MNIST-Multiple: Table 5 of the paper.

Run: .venv/bin/python evidence/egsc_it_table5.py [ROW ...] (hours on two cores; resumes when stopped; only rows named on
the command line are computed, and the table is written when all are there). Needs MNIST, and the small VGG19 for its
losses.
"""

import sys
from pathlib import Path

import torch
from claim import Claim, Values, kept, picture, trained
from egsc_it_table2 import blank, budgeted, by, guided, measure, ways
from torch import Tensor

from dragoman import load, recipes
from dragoman.worlds.mnist import Exemplars

ROWS = {
    "egsc_it": "egsc_it.multiple",
    "unit": "unit.multiple",
    "munit": "munit.multiple",
    "cyclegan": "cyclegan.multiple",
}
UPDATES, BATCH, F_STEPS = 4000, 8, 400
"""Updates of the generator of every translator, images of a batch, half of each domain, and steps of F before."""
PAIRS = 2000
"""Test images of each domain, image i guided by image i of the other domain."""
PAPER = {  # Table 5
    "egsc_it": {"ssim_a_to_b": 0.503, "ssim_b_to_a": 0.495},
    "unit": {"ssim_a_to_b": 0.239, "ssim_b_to_a": 0.234},
    "munit": {"ssim_a_to_b": 0.500, "ssim_b_to_a": 0.501},
    "cyclegan": {"ssim_a_to_b": 0.145, "ssim_b_to_a": 0.130},
}


def main() -> None:
    """Train every row, measure, compare, draw."""
    test = recipes.find("egsc_it.multiple").data.open("test")
    claim = Claim(
        "egsc_it_table5", docs="egsc_it.md", recipe=", ".join(ROWS.values()), paper=PAPER,
        scale=f"{test.task.size} x {test.task.size} MNIST-Multiple, width 16 (munit, cyclegan 24), {UPDATES} updates "
        f"of the generator and as many of D, batch {BATCH}",
        protocol=f"the first {PAIRS} test images of each domain, image i in the style of image i of the other domain; "
        "SSIM (7 x 7 uniform window) with the source's digits in the exemplar's colours; std_*: over images; "
        "foreground_*: share of the digits' pixels that are nearer to their true colour than to the true background's; "
        f"blank draws nothing on the exemplar's background. egsc_it trains F for {F_STEPS} steps before; its VGG19 is "
        "a small imitation (vgg19_distilled); the paper's images have 112 pixels a side, so its columns do not compare",
    )  # fmt: skip
    wanted = sys.argv[1:] or list(ROWS)
    for row, recipe in ROWS.items():
        experiment = budgeted(recipe, UPDATES, BATCH, F_STEPS)

        def measured(folder: Path, row=row, experiment=experiment) -> Values:
            make = by(row, load(trained(experiment, folder / "run")), test)
            return measure(make, test, looks=False, pairs=PAIRS)

        if row in wanted or claim.has(row):
            claim.row(row, 0, experiment, measured)
            shown(claim, row, test)
    if not all(claim.has(row) for row in ROWS):
        return

    def nothing(_: Path) -> Values:
        return measure(lambda rows, exemplars: blank(test, rows, exemplars), test, looks=False, pairs=PAIRS)

    claim.row("blank", 0, 0, nothing)
    pairs = [pair for way in ways(test, 4).values() for pair in zip(*way, strict=True)]
    lines = [(test.load(i), test.load(e), test.truth(i, e)) for i, e in pairs]
    columns = zip(*(shown(claim, row, test) for row in ROWS), strict=True)
    picture(claim.name, [[*line, *made] for line, made in zip(lines, columns, strict=True)],
            ["source", "exemplar", "truth", *ROWS], 112)  # fmt: skip
    holds = {}
    for way in ("a_to_b", "b_to_a"):
        for metric, where in (("ssim", "Table 5"), ("foreground", "beside it, right foreground")):
            holds |= {
                f"{where}: EGSC-IT above {other}, {way}":
                    claim.mean("egsc_it", f"{metric}_{way}") > claim.mean(other, f"{metric}_{way}")
                for other in ("unit", "cyclegan")
            }  # fmt: skip
        holds[f"beside it: SSIM above that of drawing nothing, {way}"] = claim.mean(
            "egsc_it", f"ssim_{way}"
        ) > claim.mean("blank", f"ssim_{way}")
    claim.write(holds)


def shown(claim: Claim, row: str, data: Exemplars) -> list[Tensor]:
    """Fig. 12: what a row makes of four images of each domain."""
    folder = claim.work / f"{row}-0"

    def draw() -> Tensor:
        translator = load(folder / "run" / "model")
        return torch.cat([guided(row, translator, data, *way) for way in ways(data, 4).values()])

    return kept(folder / "images.png", draw)


if __name__ == "__main__":
    main()
