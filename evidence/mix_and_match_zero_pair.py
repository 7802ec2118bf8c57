"""Mix-and-match networks, Tables 4.4 and 4.5 of the thesis: modalities never seen together, against all baselines.

Run: .venv/bin/python evidence/mix_and_match_zero_pair.py [ROW ...] (hours on two cores; resumes when stopped; only rows
named on the command line are computed, and the table is written when all rows are there).
"""

import sys
from pathlib import Path

from claim import Claim, Values
from streets_runs import OTHERS, PROTOCOL, RUNS, SCALE, STEPS, made, numbers, of_rgb, run, scenes

ALONE, SEVERAL = False, True
ROWS = {  # recipe, and whether RGB is given beside depth (beside the segmentation, in Table 4.5)
    "cyclegan": ("modal_cyclegan.streets", ALONE),
    "two_pix2pix": ("pix2pix.streets", ALONE),
    "stargan_unpaired": ("modal_stargan.streets_unpaired", ALONE),
    "stargan_paired": ("modal_stargan.streets_paired", ALONE),
    "cascade": ("mix_and_match.streets_cascade", ALONE),
    "cascade_skip": ("mix_and_match.streets_cascade_skip", ALONE),
    "zero_pair": ("mix_and_match.streets_noise", ALONE),
    "pseudo_pairs": ("mix_and_match.streets", ALONE),
    "multimodal": ("mix_and_match.streets_noise", SEVERAL),
    "multimodal_pseudo": ("mix_and_match.streets", SEVERAL),
    "oracle": ("mix_and_match.streets_oracle", ALONE),
    "oracle_multimodal": ("mix_and_match.streets_oracle", SEVERAL),
    "zero_pair_of_rgb": ("mix_and_match.streets_noise", SEVERAL),
    "pseudo_pairs_of_rgb": ("mix_and_match.streets", SEVERAL),
    "zero_pair_none": ("mix_and_match.streets_no_side", ALONE),
    "pseudo_pairs_none": ("mix_and_match.streets", ALONE),
    "oracle_none": ("mix_and_match.streets_oracle", ALONE),
}
NONE = {"pseudo_pairs_none", "oracle_none"}
"""Rows whose recipe is trained with no side information, which is better at this size (mix_and_match_side)."""
BASELINES = list(ROWS)[:6]
PICTURES = ((["depth"], "segmentation"), (["segmentation"], "depth"))
PAPER = {  # Tables 4.4 and 4.5 on SceneNet RGB-D
    "cyclegan": {"miou": 0.0634, "accuracy": 0.142, "rmse": 4.63, "delta1": 0.05},
    "two_pix2pix": {"miou": 0.254, "accuracy": 0.576, "rmse": 3.14, "delta1": 0.14},
    "stargan_unpaired": {"miou": 0.0721, "accuracy": 0.107, "rmse": 4.6, "delta1": 0.05},
    "stargan_paired": {"miou": 0.0862, "accuracy": 0.141, "rmse": 4.58, "delta1": 0.07},
    "cascade": {"miou": 0.0596, "accuracy": 0.323, "rmse": 3.24, "delta1": 0.15},
    "cascade_skip": {"miou": 0.247, "accuracy": 0.597},
    "zero_pair": {"miou": 0.554, "accuracy": 0.804, "rmse": 2.8, "delta1": 0.33},
    "pseudo_pairs": {"miou": 0.601, "accuracy": 0.822, "rmse": 2.24, "delta1": 0.42},
    "multimodal": {"miou": 0.571, "accuracy": 0.812, "rmse": 2.48, "delta1": 0.36},
    "multimodal_pseudo": {"miou": 0.622, "accuracy": 0.835, "rmse": 1.98, "delta1": 0.47},
    "oracle": {"miou": 0.612, "accuracy": 0.834, "rmse": 1.94, "delta1": 0.49},
    "oracle_multimodal": {"miou": 0.657, "accuracy": 0.840, "rmse": 1.79, "delta1": 0.51},
}


def main() -> None:
    """Train every row, measure, compare, draw."""
    claim = Claim(
        "mix_and_match_zero_pair", docs="mix_and_match.md",
        recipe=", ".join(dict.fromkeys(recipe for recipe, _ in ROWS.values())),
        paper=PAPER, scale=SCALE,
        protocol=f"{PROTOCOL}; {OTHERS}; accuracy: of pixels; rmse (metres, the sky is at 100) and delta1: "
        "segmentation to depth; miou_rgb: RGB to segmentation, the seen translation that the unseen one learns from; "
        "multimodal: RGB is given too; *_of_rgb: the code of depth (of the segmentation) alone, but with the indices "
        "of the scene's RGB; *_none: with no side information instead of pooling indices, which the paper has not",
    )  # fmt: skip
    for row, (_, several) in ROWS.items():

        def measured(_: Path, row=row, several=several) -> Values:
            found, also = numbers(trained_once(row)), "rgb+" if several else ""
            segmentation, depth = (found[f"{also}{a} to {b}"] for (a,), b in PICTURES)
            if row.endswith("_of_rgb"):
                segmentation, depth = (of_rgb(RUNS / folder(row), a, b) for (a,), b in PICTURES)
            anchor = found.get("rgb to segmentation")
            return {
                "miou": segmentation["miou"], "accuracy": segmentation["accuracy"],
                "rmse": depth["rmse"], "delta1": depth["delta_1"],
            } | ({"miou_rgb": anchor["miou"]} if anchor else {})  # fmt: skip

        if not sys.argv[1:] or row in sys.argv[1:] or claim.has(row):
            claim.row(row, 0, STEPS, measured, RUNS / folder(row))
            for pair in PICTURES:
                made(RUNS / folder(row), *pair)
    if not all(map(claim.has, ROWS)):
        return
    alone = {row: trained_once(row) for row, (_, several) in ROWS.items() if not several}
    for name, pair in zip((claim.name, f"{claim.name}_depth"), PICTURES, strict=True):
        scenes(name, alone, *pair)
    m, delta1, rmse = ({row: claim.mean(row, name) for row in ROWS} for name in ("miou", "delta1", "rmse"))
    holds = {f"Table 4.4: zero_pair above {row}": m["zero_pair"] > m[row] for row in BASELINES}
    holds |= {
        f"Table 4.5: zero_pair has a smaller rmse than {row}": rmse["zero_pair"] < rmse[row]
        for row in BASELINES if row != "cascade_skip"  # which Table 4.5 lacks
    }  # fmt: skip
    holds |= {
        f"Table 4.5: zero_pair has a larger delta1 than {row}": delta1["zero_pair"] > delta1[row]
        for row in BASELINES if row != "cascade_skip"
    }  # fmt: skip
    for row, share in (("zero_pair", 0.9), ("pseudo_pairs", 0.95)):
        of = m[row] / m["oracle"]
        holds[f"Table 4.4: {row} at least {share:.0%} of the oracle's mIoU ({of:.1%})"] = of >= share
    for better, worse in (("pseudo_pairs", "zero_pair"), ("multimodal", "zero_pair"),
                          ("multimodal_pseudo", "pseudo_pairs"), ("oracle_multimodal", "oracle")):  # fmt: skip
        holds[f"Table 4.4: {better} above {worse}"] = m[better] > m[worse]
        holds[f"Table 4.5: {better} has a larger delta1 than {worse}"] = delta1[better] > delta1[worse]
    for row in ("multimodal", "multimodal_pseudo"):
        holds[f"Beside Table 4.4: {row} above RGB alone, of the same run"] = m[row] > claim.mean(row, "miou_rgb")
    for kind, oracle in (("of_rgb", "oracle"), ("none", "oracle_none")):
        for name, share in (("zero_pair", 0.9), ("pseudo_pairs", 0.95)):
            row = f"{name}_{kind}"
            of = m[row] / m[oracle]
            holds[f"Beside Table 4.4: {row} at least {share:.0%} of the mIoU of {oracle} ({of:.1%})"] = of >= share
        best, least = max(BASELINES, key=m.__getitem__), min(BASELINES, key=rmse.__getitem__)
        most = max(BASELINES, key=delta1.__getitem__)
        row = f"zero_pair_{kind}"
        holds[f"Beside Table 4.4: {row} above the best baseline, {best}"] = m[row] > m[best]
        holds[f"Beside Table 4.5: {row} has a smaller rmse than the best baseline, {least}"] = rmse[row] < rmse[least]
        holds[f"Beside Table 4.5: {row} has a larger delta1 than the best, {most}"] = delta1[row] > delta1[most]
    claim.write(holds)


def folder(row: str) -> str:
    """The name of its run's folder."""
    recipe, _ = ROWS[row]
    return f"{recipe}-none" if row in NONE else recipe


def trained_once(row: str) -> Path:
    """Its run."""
    return run(ROWS[row][0], folder(row), **({"side": "none"} if row in NONE else {}))


if __name__ == "__main__":
    main()
