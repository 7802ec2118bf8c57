"""TransferGAN on MNIST: Tables 2.6 and 2.7 of the thesis, from an unconditional GAN to a conditional one.

Run: .venv/bin/python evidence/transfer_gan_conditional.py (hours on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

import torch
from claim import Claim, Values, changed, picture, trained
from digits_judge import SAMPLES, Judge, drawn

from dragoman.metrics.classification import predict
from dragoman.nets.gan import GANConfig

SOURCE, TARGET = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
SIZES = (20, 100, 1000)
"""Images of a class."""
SOURCE_STEPS, STEPS = 5000, 2000
PAPER = {  # Table 2.7, for 100, 1K and 10K images of a class, with Cond BNorm
    "scratch_20": {"accuracy": 0.404, "fid": 162.9}, "bnorm_20": {"accuracy": 0.454, "fid": 119.1},
    "scratch_100": {"accuracy": 0.527, "fid": 117.3}, "bnorm_100": {"accuracy": 0.659, "fid": 77.5},
    "scratch_1000": {"accuracy": 0.887, "fid": 49.6}, "bnorm_1000": {"accuracy": 0.908, "fid": 42.7},
}  # fmt: skip


def gan(condition: str) -> GANConfig:
    """The ResNet, which has both ways of conditioning, at 32 pixels."""
    return GANConfig(network="wgan_resnet", width=8, condition=condition)


def values(judge: Judge, model: Path) -> Values:
    """Accuracy, and the distance of each class by itself, on average, and of all."""
    images = judge.samples(model)
    classes = torch.tensor(TARGET)[torch.arange(len(images)) % len(TARGET)]
    own = [judge.distance(images[classes == digit], [digit]) for digit in TARGET]
    return {
        "accuracy": (predict(judge.classifier, images).argmax(1) == classes).float().mean().item(),
        "fd_classes": sum(own) / len(own),
        "fd_classifier": judge.distance(images, TARGET),
    }


def main() -> None:
    """Train the source and every row, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "transfer_gan_conditional", docs="transfer_gan.md", recipe="transfer_gan.digits_conditional", paper=PAPER,
        scale="32 x 32 MNIST, ResNet of width 8, digits 0 to 4 without labels to as many images of each of the digits "
        "5 to 9 as the row's name says",
        protocol=f"source {SOURCE_STEPS} steps; scratch with Cond BNorm; {SAMPLES} generated images, the classes in "
        "turn; accuracy: share that a CNN of the ten digits takes for the wanted one; fd_classes: Frechet distance in "
        "its features to the real test images of the class, averaged over classes; fd_classifier: of all classes; "
        "the paper's column is of 100, 1K and 10K images a class",
    )  # fmt: skip
    data = {"digits": SOURCE, "conditional": False, "size": 32}
    experiment = changed("transfer_gan.digits", SOURCE_STEPS, data, {"gan": gan("bnorm")})
    source = trained(experiment, claim.work / "source")
    rows = {f"{start}_{images}": (start, images) for images in SIZES for start in ("scratch", "bnorm", "concat")}
    for row, (start, images) in rows.items():
        condition = "concat" if start == "concat" else "bnorm"
        method = {"gan": gan(condition), "source": None if start == "scratch" else source}
        data = {"digits": TARGET, "images": images * len(TARGET), "size": 32}
        experiment = changed("transfer_gan.digits_conditional", STEPS, data, method)

        def measured(folder: Path, experiment=experiment) -> Values:
            return values(judge, trained(experiment, folder / "run"))

        claim.row(row, 0, STEPS, measured)
    picture(claim.name, [drawn(claim.work / f"{row}-0" / "run" / "model", 15) for row in rows])
    mean = claim.mean
    holds = {}
    for n in SIZES:
        for way in ("bnorm", "concat"):
            holds[f"Table 2.6: {way} with {n} images a class is nearer than scratch"] = mean(
                f"{way}_{n}", "fd_classifier"
            ) < mean(f"scratch_{n}", "fd_classifier")
        holds[f"Table 2.7: bnorm with {n} images a class is more accurate than scratch"] = mean(
            f"bnorm_{n}", "accuracy"
        ) > mean(f"scratch_{n}", "accuracy")
    claim.write(holds)


if __name__ == "__main__":
    main()
