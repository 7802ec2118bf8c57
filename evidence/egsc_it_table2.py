"""EGSC-IT on MNIST-Single: Tables 2 and 4 of the paper, mode collapse (Figs. 4, 5) and a matrix of exemplars (Fig. 9).

Run: .venv/bin/python evidence/egsc_it_table2.py [ROW ...] (hours on two cores; resumes when stopped; rows named on the
command line are computed, all others must be there already). Needs MNIST, and the small VGG19 for its losses.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from claim import HERE, Claim, Values, changed, trained
from PIL import Image
from torch import Tensor

from dragoman import load, recipes
from dragoman.data.image import from_uint8
from dragoman.inference.translator import Translator
from dragoman.methods.egsc_it import EGSCITConfig
from dragoman.methods.unit import UNITConfig
from dragoman.metrics import ssim
from dragoman.metrics.embedding import project
from dragoman.recipes.experiment import Experiment
from dragoman.report.grids import grid
from dragoman.report.scatter import scatter
from dragoman.worlds.mnist import COLOURED, Exemplars

ROWS = {
    "egsc_it": "egsc_it.digits",
    "no_mask": "egsc_it.digits_no_mask",
    "no_adain": "egsc_it.digits_no_adain",
    "no_perceptual": "egsc_it.digits_no_perceptual",
    "unit": "unit.digits",
    "munit": "munit.digits",
    "cyclegan": "cyclegan.digits",
    "adain_style": "adain_style.digits",
    "wct": "wct.digits",
}
UNGUIDED = ("no_adain", "unit", "cyclegan")
"""Rows that take no exemplar."""
ABLATIONS = ("no_mask", "no_adain", "no_perceptual")
STYLE_TRANSFER = ("adain_style", "wct")
"""Rows that only learn decoders, in the style of any image."""
UPDATES, BATCH = 6000, 16
"""Updates of the generator of every translator, and images of a batch, half of each domain."""
DECODER_STEPS = 3000
"""Of style transfer, with the recipe's batch of 8."""
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the style in style transfer; what is best for the first of the training images is taken, as the paper did."""
PAIRS = 2000
"""Test images of each domain, image i guided by image i of the other domain."""

PAPER = {  # Tables 2 and 4
    "egsc_it": {"ssim_a_to_b": 0.478, "ssim_b_to_a": 0.232},
    "no_mask": {"ssim_a_to_b": 0.395, "ssim_b_to_a": 0.133},
    "no_adain": {"ssim_a_to_b": 0.208, "ssim_b_to_a": 0.080},
    "no_perceptual": {"ssim_a_to_b": 0.286, "ssim_b_to_a": 0.093},
    "unit": {"ssim_a_to_b": 0.178, "ssim_b_to_a": 0.074},
    "munit": {"ssim_a_to_b": 0.463, "ssim_b_to_a": 0.227},
    "cyclegan": {"ssim_a_to_b": 0.214, "ssim_b_to_a": 0.089},
    "adain_style": {"ssim_a_to_b": 0.282, "ssim_b_to_a": 0.188},
    "wct": {"ssim_a_to_b": 0.061, "ssim_b_to_a": 0.063},
}


def budgeted(recipe: str, updates: int = UPDATES, batch: int = BATCH) -> Experiment[Any, Any]:
    """A recipe with the budget of a table."""
    method, steps = recipes.find(recipe).method, updates
    if recipe.startswith(STYLE_TRANSFER):
        return changed(recipe, DECODER_STEPS, {}, {})
    if isinstance(method, UNITConfig):  # EGSC-IT's too, which trains F before
        share = 1 - method.pretrain if isinstance(method, EGSCITConfig) else 1
        steps = round(updates / method.g_updates / share)
    return changed(recipe, steps, {}, {}, batch_size=batch)


def guided(name: str, translator: Translator, data: Exemplars, rows: list[int], exemplars: list[int]) -> Tensor:
    """Translations of images to the other domain, in the style of exemplars where the row takes them."""
    done = []
    for start in range(0, len(rows), 200):
        part, theirs = rows[start : start + 200], exemplars[start : start + 200]
        codes = 1 - data.labels[part]
        styles = [
            translator.style(code, exemplar=None if name in UNGUIDED else data.load(e))
            for code, e in zip(codes, theirs, strict=True)
        ]
        x = torch.stack([data.load(row) for row in part])
        done.append(translator.translate(x, codes, torch.stack(styles))[0])
    return torch.cat(done)


def nearest_pairs(images: Tensor, data: Exemplars, rows: list[int]) -> Tensor:
    """[N]: which of the six colour pairs is nearest to the mean colours of what was background and foreground."""
    palettes = torch.stack([from_uint8(pair.reshape(2, 1, 3))[:, :, 0].T for pair in COLOURED])  # [6, 2, 3]
    found = []
    for image, row in zip(images, rows, strict=True):
        front = torch.from_numpy(data.regions(row)).bool()
        means = torch.stack([image[:, ~front].mean(1), image[:, front].mean(1)])
        found.append((palettes - means).square().sum((1, 2)).argmin())
    return torch.stack(found)


def tune(row: str, translator: Translator, data: Exemplars) -> float:
    """Set the strength of the style that suits 100 training images each way best."""
    found = {}
    for strength in STRENGTHS:
        translator.core.alpha = strength
        values = measure(row, translator, data, shares=False, pairs=100)
        found[strength] = values["ssim_a_to_b"] + values["ssim_b_to_a"]
    translator.core.alpha = max(found, key=found.__getitem__)
    return translator.core.alpha


def measure(row: str, translator: Translator, data: Exemplars, shares: bool = True, pairs: int = PAIRS) -> Values:
    """SSIM with the true translations both ways, and the share of the most frequent colour pair from A to B."""
    own, values = int(data.labels[:, 0].sum()), {}
    a, b = list(range(pairs)), list(range(own, own + pairs))
    for way, rows, exemplars in (("a_to_b", a, b), ("b_to_a", b, a)):
        y = guided(row, translator, data, rows, exemplars)
        truth = torch.stack([data.truth(i, e) for i, e in zip(rows, exemplars, strict=True)])
        scores = ssim(y, truth, "uniform")
        values |= {f"ssim_{way}": scores.mean().item(), f"std_{way}": scores.std().item()}
        if shares and way == "a_to_b":
            counts = torch.bincount(nearest_pairs(y, data, rows), minlength=len(COLOURED))
            values["dominant_share"] = counts.max().item() / pairs
    return values


def main() -> None:
    """Train every row, measure, compare, draw."""
    data = recipes.find("egsc_it.digits").data
    test = data.open("test")
    claim = Claim(
        "egsc_it_table2", docs="egsc_it.md", recipe=", ".join(ROWS.values()), paper=PAPER,
        scale=f"28 x 28 MNIST-Single, {UPDATES} updates of the generator, batch {BATCH}",
        protocol=f"the first {PAIRS} test images of each domain, image i in the style of image i of the other domain; "
        "SSIM (7 x 7 uniform window) with the image of the source's digit in the exemplar's two colours; std_*: over "
        "images; dominant_share: of the most frequent of the six colour pairs from A to B, by the mean colours of the "
        "true foreground and background. One update of D for five of the generator in egsc_it and unit, for one in "
        f"munit and cyclegan; egsc_it trains F before. Style transfer: {DECODER_STEPS} steps of its decoders, batch 8, "
        f"images enlarged to 112 x 112, of {', '.join(map(str, STRENGTHS))} the strength that is best for 100 training "
        "images each way",
    )  # fmt: skip
    wanted = sys.argv[1:] or list(ROWS)
    for row, recipe in ROWS.items():
        experiment = budgeted(recipe)

        def measured(folder: Path, row=row, experiment=experiment) -> Values:
            translator = load(trained(experiment, folder / "run"))
            strength = {"strength": tune(row, translator, data.open("train"))} if row in STYLE_TRANSFER else {}
            return measure(row, translator, test) | strength

        if row in wanted or claim.has(row):
            claim.row(row, 0, experiment.train.steps, measured)
    rows = {record["row"] for record in claim.rows}
    pictures(claim, test, [row for row in ROWS if row in rows])
    holds = {}
    for way in ("a_to_b", "b_to_a"):
        ours = claim.mean("egsc_it", f"ssim_{way}")
        for other in (*ABLATIONS, "unit", "cyclegan"):
            if other in rows:
                holds[f"Table 2: the full model above {other}, {way}"] = ours > claim.mean(other, f"ssim_{way}")
        least = PAPER["egsc_it"][f"ssim_{way}"]
        holds[f"Table 2: SSIM of the full model at least the paper's {least}, {way}"] = ours >= least
    share = claim.mean("egsc_it", "dominant_share")
    for other in ("no_adain", "unit", "cyclegan"):
        if other in rows:
            holds[f"Fig. 4: {other} collapses to fewer colours than the full model"] = share < claim.mean(
                other, "dominant_share"
            )
    claim.write(holds)


def pictures(claim: Claim, data: Exemplars, rows: list[str]) -> None:
    """Fig. 4: source, exemplar, truth and every row; Fig. 9: a matrix; Fig. 5: t-SNE of real and translated images."""
    own = int(data.labels[:, 0].sum())
    models = {row: load(claim.work / f"{row}-0" / "run" / "model") for row in rows}
    for record in claim.rows:
        if "strength" in record["metrics"]:
            models[record["row"]].core.alpha = record["metrics"]["strength"]
    few = list(range(8))
    lines = []
    for a, b in ((few, [own + i for i in few]), ([own + i for i in few], few)):
        outputs = {row: guided(row, model, data, a, b) for row, model in models.items()}
        for n, (row, e) in enumerate(zip(a, b, strict=True)):
            lines.append([data.load(row), data.load(e), data.truth(row, e), *(y[n] for y in outputs.values())])
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, ["source", "exemplar", "truth", *rows], 56).save(HERE / "results" / f"{claim.name}.png")

    sources, exemplars = list(range(20, 28)), [own + i for i in range(20, 30)]
    model = models["egsc_it"]
    matrix = [[torch.ones(3, 28, 28), *(data.load(e) for e in exemplars)]]
    for source in sources:
        matrix.append([data.load(source), *guided("egsc_it", model, data, [source] * len(exemplars), exemplars)])
    grid(matrix, cell=56).save(HERE / "results" / f"{claim.name}_matrix.png")

    some = list(range(300))
    real = torch.stack([data.load(own + i) for i in some]).flatten(1)
    for row in rows:
        made = guided(row, models[row], data, some, [own + i for i in some]).flatten(1)
        points = project(torch.cat([real, made]))
        plot = scatter(points, ["real"] * len(some) + ["translated"] * len(some), row, 320)
        plot.save(claim.work / f"{row}-0" / "tsne.png")
    joined = [claim.work / f"{row}-0" / "tsne.png" for row in rows]
    montage(joined).save(HERE / "results" / f"{claim.name}_tsne.png")


def montage(files: list[Path]) -> Image.Image:
    """Pictures beside each other, three to a line."""
    opened = [Image.open(file) for file in files]
    width, height = max(i.width for i in opened), max(i.height for i in opened)
    canvas = Image.new("RGB", (3 * width, -(-len(opened) // 3) * height), (255, 255, 255))
    for number, image in enumerate(opened):
        canvas.paste(image, (number % 3 * width, number // 3 * height))
    return canvas


if __name__ == "__main__":
    main()
