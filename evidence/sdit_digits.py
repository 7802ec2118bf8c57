"""SDIT on coloured digits: Tables 6.1 and 6.3 and Fig. 6.6 of the thesis at 32 x 32.

Run: .venv/bin/python evidence/sdit_digits.py (about an hour on two cores; resumes when stopped).
"""

from pathlib import Path

import torch
from claim import HERE, Claim, Values

from dragoman import load, recipes
from dragoman.metrics.measure import Measure
from dragoman.metrics.protocol import Protocol, collect
from dragoman.report.grids import grid
from dragoman.run import train

ROWS = {
    "sdit": "sdit.digits",
    "no_cin": "sdit.digits_no_cin",
    "no_attention": "sdit.digits_no_attention",
    "no_latent": "sdit.digits_no_latent",
    "no_attention_no_latent": "sdit.digits_no_attention_no_latent",
    "gamma": "sdit.digits_gamma",
    "beta": "sdit.digits_beta",
    "stargan": "stargan.digits",
}
SEEDS = (0, 1)
METRICS = ("domain_accuracy", "content_accuracy", "diversity", "identity_distance", "reverse_accuracy")

PAPER = {  # Table 6.1: ID distance / LPIPS on faces; Table 6.3: reverse classification accuracy on coloured objects
    "sdit": {"id_distance": 0.060, "lpips": 0.424, "reverse_accuracy": 0.971},
    "no_cin": {"id_distance": 0.061, "lpips": 0.408},
    "no_attention": {"id_distance": 0.070, "lpips": 0.432},
    "no_latent": {"id_distance": 0.063, "lpips": 0.412},
    "no_attention_no_latent": {"id_distance": 0.063, "lpips": 0.409},
    "stargan": {"reverse_accuracy": 0.953},
    "real": {"reverse_accuracy": 0.984},
}


def main() -> None:
    """Train every row, measure, compare, draw."""
    base = recipes.find("sdit.digits")
    data, test = base.data.open("train"), base.data.open("test")
    protocol = Protocol(styles=5, classifier_images=2000)
    measures = {seed: Measure(data, test, protocol.model_copy(update={"seed": seed}), METRICS) for seed in SEEDS}
    n = len(measures[0].test.images)
    claim = Claim(
        "sdit_digits", docs="sdit.md", recipe=", ".join(ROWS.values()), paper=PAPER,
        scale="32 x 32 coloured digits, width 16",
        protocol=f"{protocol.text(n)}; diversity: mean |difference| of [-1, 1] pixels over pairs of 5 styles; "
        "identity_distance: 1 - cosine of a digit classifier's features of input and output; reverse_accuracy: colour "
        "classifier trained on translations of the train split, tested on real test images",
    )  # fmt: skip
    for seed in SEEDS:
        for row, recipe in ROWS.items():
            experiment = recipes.find(recipe)
            experiment = experiment.model_copy(update={"train": experiment.train.model_copy(update={"seed": seed})})

            def measure(folder: Path, experiment=experiment, seed=seed) -> Values:
                train(experiment, folder / "run", resume=True, quiet=True)
                return measures[seed](load(folder / "run" / "model"))["metrics"]

            claim.row(row, seed, experiment, measure)
        claim.row("real", seed, 0, lambda _, seed=seed: {"reverse_accuracy": measures[seed].reverse_real()})
    picture(claim, collect(test, 4, 3).images)
    d, i, r = (lambda row, m=m: claim.mean(row, m) for m in ("diversity", "identity_distance", "reverse_accuracy"))
    claim.write({
        "Table 6.1: sdit is more diverse than without CIN": d("sdit") > d("no_cin"),
        "Table 6.1: sdit is more diverse than without L_LAT": d("sdit") > d("no_latent"),
        "Table 6.1: without attention L_LAT adds diversity": d("no_attention") > d("no_attention_no_latent"),
        "Table 6.1: without attention is more diverse than sdit": d("no_attention") > d("sdit"),
        "Table 6.1: sdit keeps the content better than without attention": i("sdit") < i("no_attention"),
        "Table 6.1: sdit keeps the content best of all": all(i("sdit") < i(r) for r in ROWS if r[:3] == "no_"),
        "Table 6.3: reverse classification of sdit is above StarGAN's": r("sdit") > r("stargan"),
        "Table 6.3: reverse classification of sdit is within 2 points of real": r("sdit") > r("real") - 0.02,
        "Fig. 6.6: beta alone is at least twice as diverse as gamma alone": d("beta") > 2 * d("gamma"),
    })  # fmt: skip


def picture(claim: Claim, images: torch.Tensor) -> None:
    """Inputs and three styles of one target per row of the table (Fig. 6.3), side by side."""
    lines, header = [[image] for image in images], ["input"]
    for row in ROWS:
        translator = load(claim.work / f"{row}-0" / "run" / "model")
        styles = 3 if translator.core.style_dim else 1
        for s in range(styles):
            code = translator.task.code("red").expand(len(images), -1)
            style = translator.style(code[0], s).expand(len(images), -1)
            for line, out in zip(lines, translator.translate(images, code, style)[0], strict=True):
                line.append(out)
        header += [row] + [""] * (styles - 1)
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, header, 64).save(HERE / "results" / f"{claim.name}.png")


if __name__ == "__main__":
    main()
