"""TransferGAN on MNIST: Table 2.1 of the thesis, what to transfer.

Run: .venv/bin/python evidence/transfer_gan_configurations.py (an hour on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

from claim import Claim, Values, picture
from digits_judge import SAMPLES, SOURCE_STEPS, Judge, drawn, transferred

TARGET, IMAGES = (5, 6, 7, 8, 9), 10_000
STEPS, SEEDS = 5000, (0, 1)
ROWS = {"scratch": None, "discriminator": "discriminator", "generator": "generator", "both": "both"}
PAPER = {  # Table 2.1, ImageNet to bedrooms; IW has the other sign there
    "scratch": {"fid": 32.87, "iw": 4.27}, "discriminator": {"fid": 30.57, "iw": 4.02},
    "generator": {"fid": 56.16, "iw": 6.35}, "both": {"fid": 24.35, "iw": 3.88},
}  # fmt: skip


def main() -> None:
    """Train the source and every row, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "transfer_gan_configurations", docs="transfer_gan.md", recipe="transfer_gan.digits", paper=PAPER,
        scale=f"28 x 28 MNIST, width 16, digits 0 to 4 to {IMAGES} images of digits 5 to 9",
        protocol=f"source {SOURCE_STEPS} steps; {SAMPLES} generated images; fd_classifier: Frechet distance in the "
        "features of a CNN of the ten digits to the real test images of the target; iw: independent critic (Eq. 2.6)",
    )  # fmt: skip
    for seed in SEEDS:
        for row, transfer in ROWS.items():
            run = transferred(transfer, IMAGES, STEPS, seed)

            def measured(_: Path, run=run) -> Values:
                return judge.values(run / "model", TARGET)

            claim.row(row, seed, STEPS, measured, run)
    first = [transferred(transfer, IMAGES, STEPS, SEEDS[0]) for transfer in ROWS.values()]
    picture(claim.name, [drawn(run / "model", 16) for run in first])
    holds = {}
    for metric in ("fd_classifier", "iw"):
        d = {row: claim.mean(row, metric) for row in ROWS}
        holds |= {
            f"Table 2.1: both is best, {metric}": all(d["both"] < d[row] for row in ROWS if row != "both"),
            f"Table 2.1: the discriminator alone is better than scratch, {metric}": d["discriminator"] < d["scratch"],
            f"Table 2.1: the generator alone is worse than scratch, {metric}": d["generator"] > d["scratch"],
        }
    claim.write(holds)


if __name__ == "__main__":
    main()
