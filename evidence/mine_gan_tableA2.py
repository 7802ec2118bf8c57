"""MineGAN on MNIST: Table A.2 of the thesis, each digit mined on and off the manifold, without and with labels.

Run: .venv/bin/python evidence/mine_gan_tableA2.py [DIGIT ...] (hours on two cores; resumes when stopped; digits named
on the command line are computed, all others must be there already). Needs MNIST.
"""

import sys
from pathlib import Path

from claim import HERE, Claim, Values
from digits_judge import SAMPLES, Judge, changed, trained

from dragoman import load_sampler
from dragoman.report.grids import grid

SETTINGS = ("on_unconditional", "on_conditional", "off_unconditional", "off_conditional")
PAPER = {  # Table A.2, means of ten digits; there FID, here fd_classifier
    "on_unconditional": {"fid": 13.5, "classifier_error": 0.057},
    "on_conditional": {"fid": 13.1, "classifier_error": 0.022},
    "off_unconditional": {"fid": 21.5, "classifier_error": 0.060},
    "off_conditional": {"fid": 16.2, "classifier_error": 0.032},
}
SOURCE_STEPS, MINE_STEPS = 5000, 2000


def source(work: Path, conditional: bool, without: int | None) -> tuple[Path, int]:
    """A GAN of all digits but one, trained once; its model folder and its number of labels."""
    digits = tuple(d for d in range(10) if d != without)
    name = f"{'conditional' if conditional else 'unconditional'}-{'all' if without is None else f'without-{without}'}"
    recipe = f"transfer_gan.{'digits_conditional' if conditional else 'digits'}"
    model = trained(changed(recipe, SOURCE_STEPS, {"digits": digits}, {}), work / "sources" / name)
    return model, len(digits) if conditional else 0


def main() -> None:
    """Train sources and miners, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "mine_gan_tableA2", docs="mine_gan.md", recipe="transfer_gan.digits, mine_gan.digits", paper=PAPER,
        scale="28 x 28 MNIST, width 16, 1,000 target images", over="digit",
        protocol=f"sources {SOURCE_STEPS} steps, mining and fine-tuning {MINE_STEPS}; {SAMPLES} generated images of a "
        "digit; classifier_error: share that a CNN of the ten digits, trained on all real training images (accuracy "
        f"{judge.accuracy():.4f} on real test images), takes for another; fd_classifier: Frechet distance in its "
        "features to the real test images of the digit",
    )  # fmt: skip
    wanted = [int(word) for word in sys.argv[1:]] or list(range(10))
    lines = []
    for digit in range(10):
        for setting in SETTINGS:
            place, kind = setting.split("_")

            def measured(folder: Path, digit=digit, place=place, kind=kind) -> Values:
                model, labels = source(claim.work, kind == "conditional", digit if place == "off" else None)
                settings = {"sources": (model,), "labels": labels}
                images = judge.samples(
                    trained(changed("mine_gan.digits", MINE_STEPS, {"digits": (digit,)}, settings), folder / "run")
                )
                return {
                    "classifier_error": judge.error(images, digit),
                    "fd_classifier": judge.distance(images, [digit]),
                }

            if digit in wanted or (claim.work / f"{setting}-{digit}" / "row.json").exists():
                claim.row(setting, digit, MINE_STEPS, measured)
        models = [claim.work / f"{setting}-{digit}" / "run" / "model" for setting in SETTINGS]
        if all(model.is_dir() for model in models):
            samplers = [load_sampler(model) for model in models]
            lines.append([image for s in samplers for image in s.generate(s.codes(range(4)), list(range(4)))])
    (HERE / "results").mkdir(exist_ok=True)
    header = [name if k == 0 else "" for name in SETTINGS for k in range(4)]
    grid(lines, header, 56).save(HERE / "results" / f"{claim.name}.png")
    claim.write({
        f"Table A.2: mean error at most the thesis's {100 * PAPER[setting]['classifier_error']:.1f} %, {setting}":
            claim.mean(setting, "classifier_error") <= PAPER[setting]["classifier_error"]
        for setting in SETTINGS
    })  # fmt: skip


if __name__ == "__main__":
    main()
