"""EGSC-IT, Table 3's protocol on photos: a segmenter trained on CamVid's days made dusk, tested on its dusk.

Run: .venv/bin/python evidence/egsc_it_camvid.py [ROW ...] (an hour on two cores; resumes when stopped; only rows named
on the command line are computed, and the table is written when all are there). Needs CamVid in SegNet's layout at
DRAGOMAN_DATA/camvid, and the small VGG19 for its losses.
"""

import os
import sys
from pathlib import Path

import torch
from claim import HERE, Claim, Values, kept, picture, trained
from egsc_it_segmentation import BATCH, F_STEPS, SEGMENTERS, STEPS, UPDATES, Labelled, segmented, translated
from egsc_it_table2 import budgeted

from dragoman import load
from dragoman.data.adapters import import_family
from dragoman.data.modal import ModalFolder, ModalFolderDataset
from dragoman.data.modality import UNLABELLED, unpack

ROWS = {"source_only": None, "unit": "unit.folder", "egsc_it": "egsc_it.folder", "oracle": None}
DOMAINS = ("day", "dusk")
ROOT = HERE.parent / "runs" / "evidence" / "camvid"
DATA = {"root": ROOT, "domains": DOMAINS}


def labelled(data: ModalFolderDataset, domain: str) -> Labelled:
    """Images of a domain and their classes, 255 where a pixel is unlabelled."""
    rows = [row for row in range(len(data)) if f"/{domain}/" in data.name(row)]
    parts = unpack(torch.stack([data.load(row) for row in rows]), data.task.modalities)
    scores = parts["segmentation"]
    classes = scores.argmax(1)
    unknown = (scores.sum(1) == 0) | (classes == scores.shape[1] - 1)  # the last class is "unlabelled"
    return parts["rgb"], torch.where(unknown, UNLABELLED, classes)


def main() -> None:
    """Train every row, measure, compare, draw."""
    if not ROOT.exists():
        import_family("camvid", Path(os.environ.get("DRAGOMAN_DATA", "")) / "camvid", ROOT)
    data = {split: ModalFolder(root=ROOT, size=64).open(split) for split in ("train", "test")}
    source, target = (labelled(data["train"], domain) for domain in DOMAINS)
    test = labelled(data["test"], "dusk")
    classes = data["train"].task.modalities[1].channels - 1
    claim = Claim(
        "egsc_it_camvid", docs="egsc_it.md", recipe=", ".join(filter(None, ROWS.values())), paper={},
        scale=f"64 x 64 CamVid, day to dusk, {UPDATES} updates of the generator and as many of D, batch {BATCH}, "
        "width 16",
        protocol=f"{SEGMENTERS} U-Nets, std over them, each trained {STEPS} steps on the {len(source[0])} training "
        f"images by day, made dusk with arbitrary training images at dusk as exemplars (oracle: on those "
        f"{len(target[0])}), tested on the {len(test[0])} test images at dusk, of the same video; {classes} classes; "
        f"there is one translator of a row. egsc_it trains F for {F_STEPS} steps before; its VGG19 is a small "
        "imitation (vgg19_distilled)",
    )  # fmt: skip
    wanted, shown = sys.argv[1:] or list(ROWS), {}
    for row, recipe in ROWS.items():
        folder = claim.work / f"{row}-0"
        run = budgeted(recipe, UPDATES, BATCH, F_STEPS, DATA) if recipe else None

        def measured(folder: Path, row=row, run=run) -> Values:
            images, targets = target if row == "oracle" else source
            if run:
                images = translated(row, load(trained(run, folder / "run")), images, target[0])
            return segmented(images, targets, {"miou": test}, classes)

        if row in wanted or claim.has(row):
            claim.row(row, 0, run or STEPS, measured)
            if recipe:
                shown[row] = kept(folder / "images.png", lambda row=row, folder=folder: translated(
                    row, load(folder / "run" / "model"), source[0][::40], target[0]
                ))  # fmt: skip
    if not all(claim.has(row) for row in ROWS):
        return
    lines = [list(images) for images in zip(source[0][::40], *shown.values(), strict=True)]
    picture(claim.name, lines, ["source", *shown], 96)
    m = claim.mean
    order = [("egsc_it", "unit"), ("egsc_it", "source_only"), ("oracle", "egsc_it")]
    claim.write({
        f"Table 3, on photos: {better} above {worse}": m(better, "miou") > m(worse, "miou")
        for better, worse in order
    })  # fmt: skip


if __name__ == "__main__":
    main()
