"""EGSC-IT, Fig. 10: a model that was trained on digits alone translates letters.

Run: .venv/bin/python evidence/egsc_it_letters.py, after evidence/egsc_it_table2.py has trained its first row.
"""

import torch
from claim import HERE, Claim, Values
from egsc_it_table2 import budgeted, by, guided, measure

from dragoman import load, recipes
from dragoman.errors import UserError
from dragoman.report.grids import grid
from dragoman.worlds import handwriting
from dragoman.worlds.mnist import MNISTSingle

SETTINGS = {"digits": "none", "letters_a": "a", "letters_b": "b", "letters": "both"}
"""Rows: which domain shows letters. Fig. 10 has the last three."""
PAIRS, EMNIST = 2000, 20_800
"""Images of each domain, and how many test images EMNIST has."""


def main() -> None:
    """Measure the digits' model on letters, compare, draw."""
    model = HERE.parent / "runs" / "evidence" / "egsc_it_table2" / "egsc_it-0" / "run" / "model"
    if not model.is_dir():
        raise UserError(f"no model {model}; run evidence/egsc_it_table2.py egsc_it first")
    base = recipes.find("egsc_it.digits")
    kind = "handwritten (EMNIST)" if len(handwriting.letters("test")) == EMNIST else "drawn from the system's fonts"
    claim = Claim(
        "egsc_it_letters", docs="egsc_it.md", recipe=base.recipe, paper={},
        scale="28 x 28, the model of egsc_it_table2",
        protocol=f"as egsc_it_table2, the first {PAIRS} test images of each domain; letters are {kind}",
    )  # fmt: skip
    translator, lines = load(model), []
    for row, letters in SETTINGS.items():
        data = MNISTSingle(letters=letters).open("test")

        def measured(_, data=data) -> Values:
            return measure(by("egsc_it", translator, data), data, pairs=PAIRS)

        claim.row(row, 0, budgeted("egsc_it.digits"), measured, model.parent)
        own = len(data.rows[0])
        for way in ([0, 1, 2], [own, own + 1, own + 2]):
            others = [(own if way[0] == 0 else 0) + i for i in range(3)]
            outputs = guided("egsc_it", translator, data, way, others)
            lines.append([
                image for i, e, y in zip(way, others, outputs, strict=True)
                for image in (data.load(i), data.load(e), data.truth(i, e), y)
            ])  # fmt: skip
    (HERE / "results").mkdir(exist_ok=True)
    header = ["source", "exemplar", "truth", "result"] * 3
    grid(lines, header, 56).save(HERE / "results" / f"{claim.name}.png")
    holds = {}
    for metric, said in (("ssim", "SSIM"), ("foreground", "share of right foreground")):
        for way in ("a_to_b", "b_to_a"):
            worst = min(claim.mean(row, f"{metric}_{way}") for row in SETTINGS if row != "digits")
            holds[f"Fig. 10: letters are translated at least nine tenths as well as digits, {said}, {way}"] = (
                worst >= 0.9 * claim.mean("digits", f"{metric}_{way}")
            )
    claim.write(holds)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
