"""EGSC-IT on MNIST-Multiple: Table 5 of the paper.

Run: .venv/bin/python evidence/egsc_it_table5.py [ROW ...] (hours on two cores; resumes when stopped; rows named on the
command line are computed, all others must be there already). Needs MNIST, and the small VGG19 for its losses.
"""

import sys
from pathlib import Path

from claim import HERE, Claim, Values, trained
from egsc_it_table2 import PAIRS, budgeted, guided, measure

from dragoman import load, recipes
from dragoman.report.grids import grid
from dragoman.worlds.mnist import Exemplars

ROWS = {
    "egsc_it": "egsc_it.multiple",
    "unit": "unit.multiple",
    "munit": "munit.multiple",
    "cyclegan": "cyclegan.multiple",
}
UPDATES, BATCH = 4000, 8
"""Updates of the generator of every translator, and images of a batch, half of each domain."""
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
        scale=f"{test.task.size} x {test.task.size} MNIST-Multiple, {UPDATES} updates of the generator, batch {BATCH}",
        protocol=f"the first {PAIRS} test images of each domain, image i in the style of image i of the other domain; "
        "SSIM (7 x 7 uniform window) with the source's digits in the exemplar's colours; std_*: over images; the "
        "paper's images have 112 pixels a side, so its columns do not compare",
    )  # fmt: skip
    wanted = sys.argv[1:] or list(ROWS)
    for row, recipe in ROWS.items():
        experiment = budgeted(recipe, UPDATES, BATCH)

        def measured(folder: Path, row=row, experiment=experiment) -> Values:
            return measure(row, load(trained(experiment, folder / "run")), test, shares=False)

        if row in wanted or claim.has(row):
            claim.row(row, 0, experiment.train.steps, measured)
    rows = {record["row"] for record in claim.rows}
    picture(claim, test, [row for row in ROWS if row in rows])
    claim.write({
        f"Table 5: EGSC-IT above {other}, {way}":
            claim.mean("egsc_it", f"ssim_{way}") > claim.mean(other, f"ssim_{way}")
        for other in ("unit", "cyclegan") if other in rows for way in ("a_to_b", "b_to_a")
    })  # fmt: skip


def picture(claim: Claim, data: Exemplars, rows: list[str]) -> None:
    """Fig. 12: source, exemplar, truth and every row, in both directions."""
    own, lines = int(data.labels[:, 0].sum()), []
    models = {row: load(claim.work / f"{row}-0" / "run" / "model") for row in rows}
    few = list(range(4))
    for a, b in ((few, [own + i for i in few]), ([own + i for i in few], few)):
        outputs = {row: guided(row, model, data, a, b) for row, model in models.items()}
        for n, (i, e) in enumerate(zip(a, b, strict=True)):
            lines.append([data.load(i), data.load(e), data.truth(i, e), *(y[n] for y in outputs.values())])
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, ["source", "exemplar", "truth", *rows], 112).save(HERE / "results" / f"{claim.name}.png")


if __name__ == "__main__":
    main()
