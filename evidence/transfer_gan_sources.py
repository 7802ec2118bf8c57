"""TransferGAN on MNIST: Tables 2.4 and 2.5 of the thesis, does the distance of a source's images predict the result?

Run: .venv/bin/python evidence/transfer_gan_sources.py (two hours on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

from claim import Claim, Values, changed, picture, trained
from digits_judge import SAMPLES, Judge, drawn
from scipy.stats import spearmanr

SOURCES = {"012": (0, 1, 2), "358": (3, 5, 8), "147": (1, 4, 7), "0to9": tuple(range(10)), "6": (6,)}
TARGETS = (9, 3, 0)
IMAGES, SOURCE_STEPS, STEPS = 100, 3000, 2000


def main() -> None:
    """Train the sources and transfer each to each target, measure, correlate, draw."""
    judge = Judge()
    claim = Claim(
        "transfer_gan_sources", docs="transfer_gan.md", recipe="transfer_gan.digits", paper={},
        scale=f"28 x 28 MNIST, width 16, sources of some digits to {IMAGES} images of one digit",
        protocol=f"sources {SOURCE_STEPS} steps; {SAMPLES} generated images; fd_classifier: Frechet distance in the "
        "features of a CNN of the ten digits, of the images after transfer to the real test images of the target; "
        "source_distance: of the source's images, before, to all training images of the digit "
        "(Table 2.5)",
    )  # fmt: skip
    models = {
        name: trained(changed("transfer_gan.digits", SOURCE_STEPS, {"digits": digits}, {}), claim.work / f"gan-{name}")
        for name, digits in SOURCES.items()
    }
    found: dict[int, list[tuple[float, float]]] = {digit: [] for digit in TARGETS}
    lines = []
    for digit in TARGETS:
        for name, model in models.items():
            data = {"digits": (digit,), "images": IMAGES}
            experiment = changed("transfer_gan.digits", STEPS, data, {"source": model})

            def measured(folder: Path, digit=digit, model=model, experiment=experiment) -> Values:
                before, after = judge.samples(model), judge.samples(trained(experiment, folder / "run"))
                return {
                    "source_distance": judge.between(before, judge.real["train"][digit]),
                    "fd_classifier": judge.distance(after, [digit]),
                }

            claim.row(f"{digit}_from_{name}", 0, STEPS, measured)
            values = claim.rows[-1]["metrics"]
            found[digit].append((values["source_distance"], values["fd_classifier"]))
            lines.append(drawn(claim.work / f"{digit}_from_{name}-0" / "run" / "model", 16))
    picture(claim.name, lines, cell=40)
    holds = {}
    for digit, pairs in found.items():
        correlation = spearmanr([a for a, _ in pairs], [b for _, b in pairs]).statistic
        holds[f"2.3.7: the distance ranks the sources of {digit} (rank correlation {correlation:.2f}, above 0)"] = bool(
            correlation > 0
        )
        best = min(pairs)[1]
        holds[f"2.3.7: the nearest source of {digit} is among the better half"] = (
            best <= sorted(b for _, b in pairs)[len(pairs) // 2]
        )
    claim.write(holds)


if __name__ == "__main__":
    main()
