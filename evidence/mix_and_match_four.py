"""Mix-and-match networks, Table 4.8 of the thesis: four modalities, two of them never seen with segmentations.

Run: .venv/bin/python evidence/mix_and_match_four.py [ROW ...] (three hours on two cores; resumes when stopped; only
rows named on the command line are computed, and the table is written when all rows are there).
"""

import sys
from functools import partial
from pathlib import Path

from claim import Claim, Values
from streets_runs import OTHERS, PROTOCOL, RUNS, SCALE, STEPS, made, run, scenes

from dragoman import load, recipes
from dragoman.metrics.modal import MeasureScenes
from dragoman.metrics.protocol import Protocol

FOUR = (("rgb", "segmentation"), ("rgb", "depth", "nir"))
ALL = (("rgb", "depth", "nir", "segmentation"),)
ROWS = {
    "cyclegan_depth": ("modal_cyclegan.streets", {"pair": ("depth", "segmentation")}, FOUR),
    "cyclegan_nir": ("modal_cyclegan.streets", {"pair": ("nir", "segmentation")}, FOUR),
    "two_pix2pix": ("pix2pix.streets", {}, FOUR),
    "stargan": ("modal_stargan.streets_paired", {}, FOUR),
    "cascade": ("mix_and_match.streets_cascade", {}, FOUR),
    "zero_pair": ("mix_and_match.streets_four", {"w_pseudo": 0}, FOUR),
    "pseudo_pairs": ("mix_and_match.streets_four", {}, FOUR),
    "oracle": ("mix_and_match.streets_oracle", {}, ALL),
    "zero_pair_none": ("mix_and_match.streets_four", {"w_pseudo": 0, "side": "none"}, FOUR),
    "pseudo_pairs_none": ("mix_and_match.streets_four", {"side": "none"}, FOUR),
    "oracle_none": ("mix_and_match.streets_oracle", {"side": "none"}, ALL),
}
BASELINES = list(ROWS)[:5]
"""Not multi-modal: they are given one modality."""
INPUTS = {
    "rgb": ("rgb",), "depth": ("depth",), "nir": ("nir",), "rgb_depth": ("rgb", "depth"), "rgb_nir": ("rgb", "nir"),
    "rgb_depth_nir": ("rgb", "depth", "nir"),
}  # fmt: skip
PICTURED = {"depth", "nir"}
PAPER = {  # Table 4.8 on Freiburg Forest, mIoU
    "cyclegan_depth": {"depth": 0.234}, "cyclegan_nir": {"nir": 0.239}, "two_pix2pix": {"depth": 0.499, "nir": 0.536},
    "stargan": {"depth": 0.241, "nir": 0.219}, "cascade": {"depth": 0.300, "nir": 0.358},
    "zero_pair": {"depth": 0.716, "nir": 0.727, "rgb_depth": 0.801, "rgb_nir": 0.805, "rgb_depth_nir": 0.818},
    "pseudo_pairs": {"depth": 0.734, "nir": 0.753, "rgb_depth": 0.816, "rgb_nir": 0.822, "rgb_depth_nir": 0.830},
    "oracle": {"depth": 0.762, "nir": 0.782, "rgb_depth_nir": 0.841},
}  # fmt: skip


def main() -> None:
    """Train every row, measure, compare, draw."""
    claim = Claim(
        "mix_and_match_four", docs="mix_and_match.md", recipe=", ".join(dict.fromkeys(r for r, *_ in ROWS.values())),
        paper=PAPER, scale=SCALE,
        protocol=f"{PROTOCOL}; {OTHERS}; seen: rgb with segmentation, and rgb with depth and near infrared; values: "
        "mIoU of the segmentation made from what the column names, pixels of all scenes together; the baselines are "
        "not multi-modal, and are given one modality; stargan: the paired one; *_none: with no side information "
        "instead of pooling indices, which is better at this size (mix_and_match_side) and which the paper has not",
    )  # fmt: skip
    measure = MeasureScenes(recipes.find("mix_and_match.streets_four").data.open("test"), Protocol())
    for row, (recipe, method, seen) in ROWS.items():
        name = f"four-{row}"

        def measured(_: Path, row=row, recipe=recipe, name=name, method=method, seen=seen) -> Values:
            translator = load(run(recipe, name, {"seen": seen}, **method) / "model")
            return {
                column: measure.values(translator, given, "segmentation")["miou"]
                for column, given in INPUTS.items()
                if (len(given) == 1 or row not in BASELINES) and translator.knows(given, "segmentation")
            }

        if not sys.argv[1:] or row in sys.argv[1:] or claim.has(row):
            claim.row(row, 0, STEPS, measured, RUNS / name)
            for source in PICTURED & set(claim.rows[-1]["metrics"]):
                made(RUNS / name, [source], "segmentation")
    if not all(map(claim.has, ROWS)):
        return
    able = {source: [r["row"] for r in claim.rows if source in r["metrics"]] for source in sorted(PICTURED)}
    for source, rows in able.items():
        scenes(f"{claim.name}_{source}", {row: RUNS / f"four-{row}" for row in rows}, [source], "segmentation")
    holds = {}
    for table, kind in (("Table 4.8", ""), ("Beside Table 4.8", "_none")):
        ours, pseudo = (partial(claim.mean, f"{name}{kind}") for name in ("zero_pair", "pseudo_pairs"))
        for source, rows in able.items():
            alone, both = ours(source), ours(f"rgb_{source}")
            for row in (row for row in BASELINES if row in rows):
                holds[f"{table}: zero_pair{kind} above {row}, from {source}"] = alone > claim.mean(row, source)
            holds[f"{table}: pseudo_pairs{kind} above zero_pair{kind}, from {source}"] = pseudo(source) > alone
            holds[f"{table}: with rgb above without, zero_pair{kind}, from {source}"] = both > alone
        most = max(ours(f"rgb_{source}") for source in able)
        holds[f"{table}: three modalities above two, zero_pair{kind}"] = ours("rgb_depth_nir") > most
    claim.write(holds)


if __name__ == "__main__":
    main()
