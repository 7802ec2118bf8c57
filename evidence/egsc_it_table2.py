"""EGSC-IT on MNIST-Single: Tables 2 and 4 of the paper, mode collapse (Figs. 4, 5) and a matrix of exemplars (Fig. 9).

Run: .venv/bin/python evidence/egsc_it_table2.py [ROW ...] (hours on two cores; resumes when stopped; only rows named on
the command line are computed, and the table is written when all are there). Needs MNIST, and the small VGG19 for its
losses.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from claim import HERE, Claim, Values, changed, kept, picture, trained
from matplotlib.figure import Figure
from PIL import Image
from safetensors.torch import load_file
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
UPDATES, BATCH, F_STEPS = 3000, 16, 600
"""Updates of the generator of every translator, images of a batch, half of each domain, and steps of F before."""
STATES = 10
"""Kept of each run, for the curve of SSIM over training."""
DECODER_STEPS = 1500
"""Of style transfer, with the recipe's batch of 8."""
STRENGTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the style in style transfer; what is best for the first of the training images is taken, as the paper did."""
PAIRS = 5000
"""Test images of each domain, image i guided by image i of the other domain."""
LOOKS = np.concatenate([COLOURED, COLOURED[[0, 2, 4], :1].repeat(2, 1)])
"""[9, 2, 3]: colours of background and foreground of the six pairs, and of three images that show nothing."""

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


Make = Callable[[list[int], list[int]], Tensor]
"""From the numbers of sources and exemplars to translations."""


def budgeted(
    recipe: str,
    updates: int = UPDATES,
    batch: int = BATCH,
    f_steps: int = F_STEPS,
    data: Mapping[str, Any] | None = None,
) -> Experiment[Any, Any]:
    """A recipe with the budget of a table, perhaps with other settings of data; EGSC-IT trains F before."""
    method, steps, settings = recipes.find(recipe).method, updates, {}
    if recipe.startswith(STYLE_TRANSFER):
        return changed(recipe, DECODER_STEPS, {}, {})
    if isinstance(method, UNITConfig):
        steps = updates // method.g_updates
    if isinstance(method, EGSCITConfig):
        steps += f_steps
        settings |= {"vgg": "vgg19_distilled", "pretrain": f_steps / steps}
    return changed(recipe, steps, data or {}, settings, batch_size=batch, save_every=steps // STATES, keep=STATES)


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


def blank(data: Exemplars, rows: list[int], exemplars: list[int]) -> Tensor:
    """The exemplars' backgrounds and nothing on them: what SSIM gives for drawing nothing."""
    colours = from_uint8(data.palettes[exemplars, :1])  # [3, N, 1]
    return colours.permute(1, 0, 2)[..., None].expand(-1, -1, data.task.size, data.task.size)


def nearest_looks(images: Tensor, data: Exemplars, rows: list[int]) -> Tensor:
    """[N]: which of `LOOKS` is nearest to the mean colours of what was background and foreground."""
    looks = torch.stack([from_uint8(pair.reshape(2, 1, 3))[:, :, 0].T for pair in LOOKS])  # [9, 2, 3]
    found = []
    for image, row in zip(images, rows, strict=True):
        front = torch.from_numpy(data.regions(row)).bool()
        means = torch.stack([image[:, ~front].mean(1), image[:, front].mean(1)])
        found.append((looks - means).square().sum((1, 2)).argmin())
    return torch.stack(found)


def foreground(images: Tensor, truth: Tensor, data: Exemplars, rows: list[int]) -> float:
    """Share of the digits' pixels that are nearer to their true colour than to that of the true background."""
    shares = []
    for image, true, row in zip(images, truth, rows, strict=True):
        front = torch.from_numpy(data.regions(row)).bool()
        background = true[:, ~front][:, :1]
        right = (image - true).square().sum(0)[front] < (image[:, front] - background).square().sum(0)
        shares.append(right.float().mean())
    return torch.stack(shares).mean().item()


def tune(row: str, translator: Translator, data: Exemplars) -> float:
    """Set the strength of the style that suits 100 training images each way best."""
    found = {}
    for strength in STRENGTHS:
        translator.core.alpha = strength
        values = measure(by(row, translator, data), data, looks=False, pairs=100)
        found[strength] = values["ssim_a_to_b"] + values["ssim_b_to_a"]
    translator.core.alpha = max(found, key=found.__getitem__)
    return translator.core.alpha


def by(row: str, translator: Translator, data: Exemplars) -> Make:
    """What a row's translator makes of images."""
    return lambda rows, exemplars: guided(row, translator, data, rows, exemplars)


def ways(data: Exemplars, pairs: int = PAIRS) -> dict[str, tuple[list[int], list[int]]]:
    """Sources and exemplars of both directions."""
    own = int(data.labels[:, 0].sum())
    a, b = list(range(pairs)), list(range(own, own + pairs))
    return {"a_to_b": (a, b), "b_to_a": (b, a)}


def measure(make: Make, data: Exemplars, looks: bool = True, pairs: int = PAIRS) -> Values:
    """SSIM with the true translations and share of right foreground both ways, and the dominant look from A to B."""
    values: Values = {}
    for way, (rows, exemplars) in ways(data, pairs).items():
        y = make(rows, exemplars)
        truth = torch.stack([data.truth(i, e) for i, e in zip(rows, exemplars, strict=True)])
        scores = ssim(y, truth, "uniform")
        values |= {f"ssim_{way}": scores.mean().item(), f"std_{way}": scores.std().item()}
        values |= {f"foreground_{way}": foreground(y, truth, data, rows)}
        if looks and way == "a_to_b":
            counts = torch.bincount(nearest_looks(y, data, rows), minlength=len(LOOKS)) / pairs
            values |= {"dominant_share": counts.max().item(), "red_on_green": counts[0].item(),
                       "nothing_drawn": counts[len(COLOURED) :].sum().item()}  # fmt: skip
    return values


def main() -> None:
    """Train every row, measure, compare, draw."""
    data = recipes.find("egsc_it.digits").data
    test = data.open("test")
    claim = Claim(
        "egsc_it_table2", docs="egsc_it.md", recipe=", ".join(ROWS.values()), paper=PAPER,
        scale=f"28 x 28 MNIST-Single, width 16 (munit, cyclegan 24), {UPDATES} updates of the generator and as many of "
        f"D, batch {BATCH}",
        protocol=f"the first {PAIRS} test images of each domain, image i in the style of image i of the other domain; "
        "SSIM (7 x 7 uniform window) with the image of the source's digit in the exemplar's two colours; std_*: over "
        "images; foreground_*: share of the digit's pixels that are nearer to their true colour than to the true "
        "background's; dominant_share: of the most frequent of nine looks from A to B, the six colour pairs and the "
        "three colours alone (nothing_drawn), by the mean colours of the true foreground and background. blank draws "
        f"nothing on the exemplar's background. egsc_it trains F for {F_STEPS} steps before; its VGG19 is a "
        "small imitation (vgg19_distilled); loss weights, the ratio of updates and their number were chosen on "
        f"training images. Style transfer: {DECODER_STEPS} steps of its decoders, batch 8, images enlarged to 112 x "
        f"112, of {', '.join(map(str, STRENGTHS))} the strength that is best for 100 training images each way",
    )  # fmt: skip
    wanted = sys.argv[1:] or list(ROWS)
    for row, recipe in ROWS.items():
        experiment = budgeted(recipe)

        def measured(folder: Path, row=row, experiment=experiment) -> Values:
            translator = load(trained(experiment, folder / "run"))
            strength = {"strength": tune(row, translator, data.open("train"))} if row in STYLE_TRANSFER else {}
            return measure(by(row, translator, test), test) | strength

        if row in wanted or claim.has(row):
            claim.row(row, 0, experiment, measured)
            drawings(claim, row, test)
    if not all(claim.has(row) for row in ROWS):
        return
    claim.row("blank", 0, 0, lambda _: measure(lambda rows, exemplars: blank(test, rows, exemplars), test))
    compose(claim, test)
    mean, holds = claim.mean, {}
    for way in ("a_to_b", "b_to_a"):
        ours, drawn = mean("egsc_it", f"ssim_{way}"), mean("egsc_it", f"foreground_{way}")
        for other in (*ABLATIONS, "unit", "cyclegan"):
            holds[f"Table 2: the full model above {other}, {way}"] = ours > mean(other, f"ssim_{way}")
            holds[f"beside it: more of the digits right than {other}, {way}"] = drawn > mean(other, f"foreground_{way}")
        least = PAPER["egsc_it"][f"ssim_{way}"]
        holds[f"Table 2: SSIM of the full model at least the paper's {least}, {way}"] = ours >= least
        holds[f"beside it: SSIM above that of drawing nothing, {way}"] = ours > mean("blank", f"ssim_{way}")
    share = mean("egsc_it", "dominant_share")
    for other in UNGUIDED:
        holds[f"Fig. 4: {other} collapses to fewer colours than the full model"] = share < mean(other, "dominant_share")
    claim.write(holds)


def curve(run: Path, data: Exemplars) -> dict[int, Values]:
    """Of the states of a run of EGSC-IT: SSIM and foreground on 500 pairs, by updates of the generator."""
    translator = load(run / "model")
    found = {}
    for state in sorted((run / "state").iterdir(), key=lambda path: int(path.name)):
        updates = int(state.name) - F_STEPS
        if updates <= 0:
            continue
        tensors = load_file(state / "state.safetensors")
        for name in ("E", "G"):
            own = {key.removeprefix(f"averages:{name}."): t for key, t in tensors.items() if f"averages:{name}." in key}
            getattr(translator.core, name).load_state_dict(own)
        found[updates] = measure(by("egsc_it", translator, data), data, looks=False, pairs=500)
    return found


def plot(points: dict[int, Values], file: Path) -> None:
    """SSIM and right foreground over training."""
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for metric, line in (("ssim", "-"), ("foreground", ":")):
        for way, colour in (("a_to_b", "C0"), ("b_to_a", "C1")):
            values = [point[f"{metric}_{way}"] for point in points.values()]
            axes.plot([*points], values, line, color=colour, marker="o", label=f"{metric} {way}")
            if metric == "ssim":
                axes.axhline(PAPER["egsc_it"][f"ssim_{way}"], color=colour, linewidth=0.5)
    axes.set(xlabel="updates of the generator", ylim=(0, 1), title="EGSC-IT; thin lines: the paper's SSIM")
    axes.legend()
    figure.savefig(file, dpi=100)


def drawings(claim: Claim, row: str, data: Exemplars) -> None:
    """Of the row that was computed last, in its folder: Fig. 4, Fig. 5, and of EGSC-IT Fig. 9 and SSIM over training.

    Fig. 5 is a t-SNE of real and translated images; Fig. 9 a matrix of sources and exemplars.
    """
    folder, own = claim.work / f"{row}-0", int(data.labels[:, 0].sum())
    if (folder / "tsne.png").exists():
        return
    model, few, some = load(folder / "run" / "model"), ways(data, 8), list(range(300))
    if row in STYLE_TRANSFER:
        model.core.alpha = claim.rows[-1]["metrics"]["strength"]
    kept(folder / "images.png", lambda: torch.cat([guided(row, model, data, *way) for way in few.values()]))
    if row == "egsc_it":
        sources, exemplars = list(range(20, 28)), [own + i for i in range(20, 30)]
        matrix = [[torch.ones(3, 28, 28), *(data.load(e) for e in exemplars)]]
        for source in sources:
            matrix.append([data.load(source), *guided(row, model, data, [source] * len(exemplars), exemplars)])
        grid(matrix, cell=56).save(folder / "matrix.png")
        plot(curve(folder / "run", data), folder / "curve.png")
    real = torch.stack([data.load(own + i) for i in some]).flatten(1)
    points = project(torch.cat([real, guided(row, model, data, some, [own + i for i in some]).flatten(1)]))
    kinds = ["real"] * len(some) + ["translated"] * len(some)
    scatter(points, kinds, row, 320).save(folder / "tsne.png")


def compose(claim: Claim, data: Exemplars) -> None:
    """The pictures of the claim, from those of its rows."""
    pairs = [pair for way in ways(data, 8).values() for pair in zip(*way, strict=True)]
    folders = {row: claim.work / f"{row}-0" for row in ROWS}
    columns = zip(*(kept(folder / "images.png", list) for folder in folders.values()), strict=True)
    lines = [[data.load(i), data.load(e), data.truth(i, e), *made] for (i, e), made in zip(pairs, columns, strict=True)]
    picture(claim.name, lines, ["source", "exemplar", "truth", *ROWS])
    for name in ("matrix", "curve"):
        shutil.copy(folders["egsc_it"] / f"{name}.png", HERE / "results" / f"{claim.name}_{name}.png")
    montage([folder / "tsne.png" for folder in folders.values()]).save(HERE / "results" / f"{claim.name}_tsne.png")


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
