"""SDIT on drawn faces: Table 6.1 of the thesis, and its attention (Fig. 6.5) against the pixels that must change.

Run: .venv/bin/python evidence/sdit_table61.py (about an hour on two cores; resumes when stopped). LPIPS
needs the published SqueezeNet.
"""

from pathlib import Path

import torch
from claim import HERE, Claim, Values

from dragoman import load, recipes
from dragoman.metrics.mask import changed_region
from dragoman.metrics.measure import Measure
from dragoman.metrics.protocol import Protocol, collect
from dragoman.report.grids import grid
from dragoman.run import train

ROWS = {
    "sdit": "sdit.faces",
    "no_cin": "sdit.faces_no_cin",
    "no_attention": "sdit.faces_no_attention",
    "no_latent": "sdit.faces_no_latent",
    "no_attention_no_latent": "sdit.faces_no_attention_no_latent",
}
METRICS = ("domain_accuracy", "identity_distance", "lpips_diversity", "counterfactual", "mask_iou")

PAPER = {  # Table 6.1
    "sdit": {"identity_distance": 0.060, "lpips_diversity": 0.424},
    "no_cin": {"identity_distance": 0.061, "lpips_diversity": 0.408},
    "no_attention": {"identity_distance": 0.070, "lpips_diversity": 0.432},
    "no_latent": {"identity_distance": 0.063, "lpips_diversity": 0.412},
    "no_attention_no_latent": {"identity_distance": 0.063, "lpips_diversity": 0.409},
}


def main() -> None:
    """Train every row, measure, compare, draw."""
    base = recipes.find("sdit.faces")
    data, test = base.data.open("train"), base.data.open("test")
    protocol = Protocol(inputs=200, styles=10, classifier_images=8000, classifier_steps=1200)
    measure = Measure(data, test, protocol, METRICS)
    claim = Claim(
        "sdit_table61", docs="sdit.md", recipe=", ".join(ROWS.values()), paper=PAPER,
        scale="32 x 32 drawn faces, width 16",
        protocol=f"{protocol.text(len(measure.test.images))}; identity_distance: 1 - cosine of the features of a "
        "classifier of 15 content labels; lpips_diversity: LPIPS (SqueezeNet) over the pairs of 10 styles; mask_iou: "
        "of the attention map with the pixels that the true edit changes, at equal area",
    )  # fmt: skip
    for row, recipe in ROWS.items():
        experiment = recipes.find(recipe)

        def measured(folder: Path, experiment=experiment) -> Values:
            train(experiment, folder / "run", resume=True, quiet=True)
            result = measure(load(folder / "run" / "model"))
            ious = {f"mask_iou_{d}": v["mask_iou"] for d, v in result["per_domain"].items() if "mask_iou" in v}
            return result["metrics"] | ious

        claim.row(row, 0, experiment, measured)
    picture(claim, measure, collect(test, 3, 3).rows)
    d, i = (lambda row, m=m: claim.mean(row, m) for m in ("lpips_diversity", "identity_distance"))
    others = [row for row in ROWS if row != "sdit"]
    holds = {
        "sdit is more diverse than without CIN": d("sdit") > d("no_cin"),
        "sdit is more diverse than without L_LAT": d("sdit") > d("no_latent"),
        "without attention L_LAT adds diversity": d("no_attention") > d("no_attention_no_latent"),
        "without attention is the most diverse": all(
            d("no_attention") > d(row) for row in ROWS if row != "no_attention"
        ),
        "sdit keeps the person best": all(i("sdit") < i(row) for row in others),
        "without attention (L_LAT > 0) keeps the person worst": all(
            i("no_attention") > i(row) for row in ROWS if row != "no_attention"
        ),
    }
    for domain in base.data.wanted:
        value, chance = claim.mean("sdit", f"mask_iou_{domain}"), claim.mean("sdit", "mask_iou_chance")
        holds[f"Fig. 6.5: the attention of {domain} lies on the changed pixels, IoU at least twice chance"] = (
            value > 2 * chance
        )
    claim.write(holds)


def picture(claim: Claim, measure: Measure, rows: list[int]) -> None:
    """Per input and attribute: the true edit, three styles of sdit, its attention, the pixels that must change."""
    translator = load(claim.work / "sdit-0" / "run" / "model")
    data, lines = measure.test.data, []
    for row in rows:
        x = data.load(row)[None]
        for number, _ in enumerate(translator.domains):
            code = data.labels[row].clone()
            code[number] = 1 - code[number]
            truth = data.counterfactual(row, code)[None]
            styles = torch.stack([translator.style(code, seed) for seed in range(3)])
            outputs, masks = translator.translate(x.expand(3, -1, -1, -1), code.expand(3, -1), styles)
            shown = [*outputs, *(m.expand(3, -1, -1) * 2 - 1 for m in (masks[0], changed_region(x, truth)[0].float()))]
            lines.append([x[0], truth[0], *shown])
    header = ["input", "true edit", "sdit", "", "", "attention", "must change"]
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, header, 64).save(HERE / "results" / f"{claim.name}.png")


if __name__ == "__main__":
    main()
