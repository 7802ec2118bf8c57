"""EGSC-IT, Table 3: a segmenter trained on translated synthetic streets by day, tested on real ones by day and night.

Run: .venv/bin/python evidence/egsc_it_segmentation.py [ROW ...] (about two hours on two cores; resumes when stopped;
only rows named on the command line are computed, and the table is written when all are there).
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import torch
from claim import Claim, Values, kept, picture, trained
from egsc_it_table2 import budgeted
from torch import Tensor

from dragoman import load, recipes
from dragoman.inference.translator import Translator
from dragoman.metrics.segmentation import Confusion
from dragoman.nets.segmenter import Segmenter, train_segmenter
from dragoman.worlds.streets import CLASSES
from dragoman.worlds.world import Rendered

ROWS = {
    "source_only": None,
    "unit": "unit.streets",
    "munit": "munit.streets",
    "egsc_it": "egsc_it.streets",
    "oracle": None,
}
PAPER = {  # Table 3, GTA5 to BDD
    "source_only": {"miou": 0.329}, "unit": {"miou": 0.297}, "munit": {"miou": 0.331}, "egsc_it": {"miou": 0.343},
    "oracle": {"miou": 0.448},
}  # fmt: skip
UPDATES, BATCH, F_STEPS = 4000, 8, 1000
"""Updates of the generator of every translator, images of a batch, half of each domain, and steps of F before."""
DAY, NIGHT = (0, 1), 2
"""Of the attribute "weather"."""
Labelled = tuple[Tensor, Tensor]
"""Images [M, 3, H, W] and their classes [M, H, W]."""
LABELLED, TESTED, STEPS, SEGMENTERS = 2000, 500, 1500, 3
"""Labelled images that a segmenter learns from, at most those that it is tested on, its steps, and how many learn, each
from another start."""


def labelled(data: Rendered, domain: int, most: int, weathers: Sequence[int] = (*DAY, NIGHT)) -> Labelled:
    """Images of a domain in some weathers, and their classes."""
    fits = data.labels[:, domain].bool() & torch.isin(data.attributes["weather"], torch.tensor(weathers))
    views = [data.view(row) for row in fits.nonzero()[:most, 0].tolist()]
    images = torch.stack([torch.from_numpy(view.image).permute(2, 0, 1) for view in views])
    return images / 127.5 - 1, torch.stack([torch.from_numpy(view.modalities["segmentation"]) for view in views])


def translated(row: str, translator: Translator, images: Tensor, exemplars: Tensor) -> Tensor:
    """Synthetic images made real, each in the style of an arbitrary real image where the method takes one."""
    code, done = torch.tensor([0.0, 1.0]), []
    pick = torch.randint(len(exemplars), (len(images),), generator=torch.Generator().manual_seed(0))
    for start in range(0, len(images), 50):
        part = images[start : start + 50]
        styles = [
            translator.style(code, exemplar=None if row == "unit" else exemplars[e])
            for e in pick[start : start + 50].tolist()
        ]
        done.append(translator.translate(part, code.expand(len(part), -1), torch.stack(styles))[0])
    return torch.cat(done)


def miou(net: Segmenter, images: Tensor, targets: Tensor, classes: int) -> float:
    """mIoU over all images together."""
    confusion = Confusion(classes)
    for x, y in zip(images.split(100), targets.split(100), strict=True):
        confusion.update(net(x).argmax(1), y.long())
    return confusion.compute()


def segmented(images: Tensor, targets: Tensor, tests: Mapping[str, Labelled], classes: int = len(CLASSES)) -> Values:
    """mIoU on each of some sets of segmenters that learn from images, means over them; std of that named miou."""
    nets = [train_segmenter(images, targets, classes, steps=STEPS, seed=seed) for seed in range(SEGMENTERS)]
    found = {name: [miou(net, *test, classes) for net in nets] for name, test in tests.items()}
    return {name: mean(values) for name, values in found.items()} | {"std": stdev(found["miou"])}


def main() -> None:
    """Train every row, measure, compare, draw."""
    world = recipes.find("egsc_it.streets").data
    data = world.open("train")
    source, real = labelled(data, 0, LABELLED, weathers=DAY), labelled(data, 1, LABELLED)
    test = world.open("test")
    tests = {
        "miou": labelled(test, 1, TESTED),
        "miou_day": labelled(test, 1, TESTED, weathers=DAY),
        "miou_night": labelled(test, 1, TESTED, weathers=(NIGHT,)),
    }
    claim = Claim(
        "egsc_it_segmentation", docs="egsc_it.md", paper=PAPER,
        recipe=", ".join(filter(None, ROWS.values())),
        scale=f"{world.size} x {world.size} streets, synthetic to real, each by day and night, {UPDATES} updates of "
        f"the generator and as many of D, batch {BATCH}, width 16 (munit 24)",
        protocol=f"{SEGMENTERS} U-Nets, std over them, each trained {STEPS} steps on {LABELLED} synthetic images by "
        "day, translated to real ones with arbitrary real exemplars, by day or night (oracle: on as many real ones), "
        f"tested on {len(tests['miou'][0])} real images; miou_day, miou_night: on {len(tests['miou_day'][0])} by day "
        f"and {len(tests['miou_night'][0])} by night; {len(CLASSES)} classes; std is of the U-Nets, there is one "
        "translator of a row, which learns from days and nights of both domains. "
        f"egsc_it trains F for {F_STEPS} steps before; its VGG19 is a small imitation (vgg19_distilled)",
    )  # fmt: skip
    wanted, shown = sys.argv[1:] or list(ROWS), {}
    for row, recipe in ROWS.items():
        folder = claim.work / f"{row}-0"
        experiment = budgeted(recipe, UPDATES, BATCH, F_STEPS) if recipe else None

        def measured(folder: Path, row=row, experiment=experiment) -> Values:
            images, targets = real if row == "oracle" else source
            if experiment:
                images = translated(row, load(trained(experiment, folder / "run")), images, real[0])
            return segmented(images, targets, tests)

        if row in wanted or claim.has(row):
            claim.row(row, 0, experiment or STEPS, measured)
            if recipe:
                shown[row] = kept(folder / "images.png", lambda row=row, folder=folder: translated(
                    row, load(folder / "run" / "model"), source[0][:8], real[0]
                ))  # fmt: skip
    if not all(claim.has(row) for row in ROWS):
        return
    lines = [list(images) for images in zip(source[0][:8], *shown.values(), strict=True)]
    picture(claim.name, lines, ["source", *shown], 96)
    m = claim.mean
    order = [("egsc_it", "munit"), ("egsc_it", "unit"), ("egsc_it", "source_only"), ("oracle", "egsc_it")]
    claim.write({
        f"Table 3: {better} above {worse}": m(better, "miou") > m(worse, "miou")
        for better, worse in order
    })  # fmt: skip


if __name__ == "__main__":
    main()
