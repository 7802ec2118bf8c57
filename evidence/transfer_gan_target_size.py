"""TransferGAN on MNIST: Table 2.2 of the thesis, what transfer gains for targets of different size.

Run: .venv/bin/python evidence/transfer_gan_target_size.py (hours on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

from claim import Claim, Values, picture
from digits_judge import SAMPLES, SOURCE_STEPS, Judge, drawn, transferred

TARGET = (5, 6, 7, 8, 9)
SIZES = (100, 1000, 10_000)
STEPS, SEEDS = 5000, (0, 1)
PAPER = {  # Table 2.2, ImageNet to bedrooms: 1K, 10K, 100K
    "scratch_100": {"fid": 256.1}, "pretrained_100": {"fid": 93.4},
    "scratch_1000": {"fid": 73.7}, "pretrained_1000": {"fid": 47.0},
    "scratch_10000": {"fid": 32.9}, "pretrained_10000": {"fid": 24.4},
}  # fmt: skip


def main() -> None:
    """Train the source and every row, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "transfer_gan_target_size", docs="transfer_gan.md", recipe="transfer_gan.digits", paper=PAPER,
        scale="28 x 28 MNIST, width 16, digits 0 to 4 to as many images of digits 5 to 9 as the row's name says",
        protocol=f"source {SOURCE_STEPS} steps; {SAMPLES} generated images; fd_classifier: Frechet distance in the "
        "features of a CNN of the ten digits to the real test images of the target; iw: independent critic (Eq. 2.6); "
        "the paper's column is of ten times as many images",
    )  # fmt: skip
    starts = {"scratch": None, "pretrained": "both"}
    rows = {f"{start}_{images}": (transfer, images) for images in SIZES for start, transfer in starts.items()}
    for seed in SEEDS:
        for row, (transfer, images) in rows.items():
            run = transferred(transfer, images, STEPS, seed)

            def measured(_: Path, run=run) -> Values:
                return judge.values(run / "model", TARGET)

            claim.row(row, seed, STEPS, measured, run)
    first = [transferred(transfer, images, STEPS, SEEDS[0]) for transfer, images in rows.values()]
    picture(claim.name, [drawn(run / "model", 16) for run in first])
    gains = [claim.mean(f"scratch_{n}", "fd_classifier") - claim.mean(f"pretrained_{n}", "fd_classifier")
             for n in SIZES]  # fmt: skip
    claim.write({
        "Table 2.2: transfer is better at every size": min(gains) > 0,
        "Table 2.2: the gain shrinks as the target grows": gains == sorted(gains, reverse=True),
    })  # fmt: skip


if __name__ == "__main__":
    main()
