"""MineGAN on MNIST: Table A.2 of the thesis, each digit mined on and off the manifold, without and with labels.

Run: .venv/bin/python evidence/mine_gan_tableA2.py [DIGIT ...] (hours on two cores; resumes when stopped; only digits
named on the command line are computed, and the table is written when all ten are there). Needs MNIST.
"""

import sys
from pathlib import Path

from claim import Claim, Values, changed, picture, trained
from digits_judge import SAMPLES, SOURCE_STEPS, Judge, drawn, source

SETTINGS = ("on_unconditional", "on_conditional", "off_unconditional", "off_conditional")
PAPER = {  # Table A.2, means of ten digits; there FID, here fd_classifier
    "on_unconditional": {"fid": 13.5, "classifier_error": 0.057},
    "on_conditional": {"fid": 13.1, "classifier_error": 0.022},
    "off_unconditional": {"fid": 21.5, "classifier_error": 0.060},
    "off_conditional": {"fid": 16.2, "classifier_error": 0.032},
}
STEPS = 5000


def main() -> None:
    """Train sources and miners, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "mine_gan_tableA2", docs="mine_gan.md", recipe="transfer_gan.digits, mine_gan.digits", paper=PAPER,
        scale="28 x 28 MNIST, width 16, 1,000 target images", over="digit",
        protocol=f"sources {SOURCE_STEPS} steps; mining only, without fine-tuning, as the table is of mining; "
        f"{SAMPLES} generated images of a digit; classifier_error: share that a CNN of the ten digits, trained on "
        f"all real training images (accuracy {judge.accuracy():.4f} on real test images), takes for another; "
        "fd_classifier: Frechet distance in its features to the real test images of the digit",
    )  # fmt: skip
    wanted = [int(word) for word in sys.argv[1:]] or list(range(10))
    lines = []
    for digit in range(10):
        for setting in SETTINGS:
            if not (digit in wanted or claim.has(setting, digit)):
                continue
            place, kind = setting.split("_")
            digits, conditional = [d for d in range(10) if place == "on" or d != digit], kind == "conditional"
            settings = {
                "sources": (source(digits, conditional),), "labels": len(digits) if conditional else 0, "mining": 1.0,
            }  # fmt: skip
            experiment = changed("mine_gan.digits", STEPS, {"digits": (digit,)}, settings)

            def measured(folder: Path, digit=digit, experiment=experiment) -> Values:
                images = judge.samples(trained(experiment, folder / "run"))
                return {
                    "classifier_error": judge.error(images, digit),
                    "fd_classifier": judge.distance(images, [digit]),
                }

            claim.row(setting, digit, experiment, measured)
        models = [claim.work / f"{setting}-{digit}" / "run" / "model" for setting in SETTINGS]
        if all(model.is_dir() for model in models):
            lines.append([image for model in models for image in drawn(model, 4)])
    if not all(claim.has(setting, digit) for setting in SETTINGS for digit in range(10)):
        return
    picture(claim.name, lines, [name if k == 0 else "" for name in SETTINGS for k in range(4)])
    errors = {setting: claim.mean(setting, "classifier_error") for setting in SETTINGS}
    holds = {
        f"Table A.2: mean error at most the thesis's {100 * PAPER[setting]['classifier_error']:.1f} %, {setting}":
            errors[setting] <= PAPER[setting]["classifier_error"]
        for setting in SETTINGS
    }  # fmt: skip
    for place in ("on", "off"):
        holds[f"A.2.2: conditional is better than unconditional, {place}-manifold"] = (
            errors[f"{place}_conditional"] < errors[f"{place}_unconditional"]
        )
    for kind in ("unconditional", "conditional"):
        holds[f"A.2.2: off-manifold is harder than on-manifold, {kind}"] = errors[f"off_{kind}"] > errors[f"on_{kind}"]
    claim.write(holds)


if __name__ == "__main__":
    main()
