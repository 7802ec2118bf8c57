"""TransferGAN on MNIST: Tables 2.6 and 2.7 of the thesis, from an unconditional GAN to a conditional one.

Run: .venv/bin/python evidence/transfer_gan_conditional.py (hours on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

import torch
from claim import Claim, Values, changed, picture, trained
from digits_judge import SAMPLES, Judge, images, shown, to_nearest

from dragoman.metrics.classification import predict
from dragoman.nets.gan import GANConfig
from dragoman.worlds.mnist import MNIST

SOURCE, TARGET = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
SIZES = (20, 100, 1000)
"""Images of a class."""
SOURCE_STEPS, EARLY, STEPS, BATCH = 5000, 500, 5000, 32
"""Steps of the source; of the rows of Table 2.6 that are early, of all other rows; their batch."""
PAPER = {  # Table 2.7, for 100, 1K and 10K images of a class, with Cond BNorm; Table 2.6, at 25,000 and 2,500 updates
    "scratch_20": {"accuracy": 0.404, "fid": 162.9}, "pretrained_20": {"accuracy": 0.454, "fid": 119.1},
    "scratch_100": {"accuracy": 0.527, "fid": 117.3}, "pretrained_100": {"accuracy": 0.659, "fid": 77.5},
    "scratch_1000": {"accuracy": 0.887, "fid_classes": 67.2, "fid": 49.6},
    "pretrained_1000": {"accuracy": 0.908, "fid_classes": 55.0, "fid": 42.7},
    f"scratch_1000_at_{EARLY}": {"fid_classes": 168.4, "fid": 137.3},
    f"pretrained_1000_at_{EARLY}": {"fid_classes": 99.9, "fid": 74.8},
}  # fmt: skip


def gan(condition: str) -> GANConfig:
    """The ResNet, which has both ways of conditioning, at 32 pixels."""
    return GANConfig(network="wgan_resnet", width=8, condition=condition)


def values(judge: Judge, model: Path, train: torch.Tensor) -> Values:
    """Accuracy, the distance of each class by itself, on average, and of all, and how near the training images are."""
    made = judge.samples(model)
    classes = torch.tensor(TARGET)[torch.arange(len(made)) % len(TARGET)]
    own = [judge.distance(made[classes == digit], [digit]) for digit in TARGET]
    test = torch.cat([judge.real["test"][digit] for digit in TARGET])
    return {
        "accuracy": (predict(judge.classifier, made).argmax(1) == classes).float().mean().item(),
        "fd_classes": sum(own) / len(own),
        "fd_classifier": judge.distance(made, TARGET),
        "nearest_train": to_nearest(made, train).mean().item(),
        "nearest_train_real": to_nearest(test, train).mean().item(),
    }


def main() -> None:
    """Train the source and every row, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "transfer_gan_conditional", docs="transfer_gan.md", recipe="transfer_gan.digits_conditional", paper=PAPER,
        scale="32 x 32 MNIST, ResNet of width 8, digits 0 to 4 without labels to as many images of each of the digits "
        "5 to 9 as the row's name says",
        protocol=f"source {SOURCE_STEPS} steps, batch 64; rows {STEPS} steps, those that end with their steps fewer, "
        f"batch {BATCH}; Cond BNorm, unless the row says concat; {SAMPLES} generated images, the classes in turn; "
        "accuracy: share that a CNN of the ten digits takes for the wanted one; fd_classes: Frechet distance in its "
        "features to the real test images of the class, averaged over classes; fd_classifier: of all classes; "
        "nearest_train: distance in pixels (root mean square) to the nearest training image, nearest_train_real: the "
        "same of real test images; the paper's column is of 100, 1K and 10K images a class, its early rows of a tenth "
        "of the updates, as here",
    )  # fmt: skip
    data = {"digits": SOURCE, "conditional": False, "size": 32}
    first, folder = changed("transfer_gan.digits", SOURCE_STEPS, data, {"gan": gan("bnorm")}), claim.work / "source"
    starts = {"scratch": None, "pretrained": (folder / "model").resolve()}
    rows = {f"{start}_{n}": (start, "bnorm", n, STEPS) for n in SIZES for start in starts}
    most = SIZES[-1]
    rows |= {f"{start}_{most}_at_{EARLY}": (start, "bnorm", most, EARLY) for start in starts}
    rows |= {f"{start}_{most}_concat": (start, "concat", most, STEPS) for start in starts}
    lines = []
    for row, (start, condition, number, steps) in rows.items():
        method = {"gan": gan(condition), "source": starts[start]}
        data = {"digits": TARGET, "images": number * len(TARGET), "size": 32}
        experiment = changed("transfer_gan.digits_conditional", steps, data, method, batch_size=BATCH)

        def measured(folder: Path, experiment=experiment, data=data) -> Values:
            train = images(MNIST(**data | {"size": 28}), "train")  # the same images, without the margin
            trained(first, claim.work / "source")
            return values(judge, trained(experiment, folder / "run"), train)

        claim.row(row, 0, experiment, measured)
        lines.append(shown(claim.work / f"{row}-0", 15))
    picture(claim.name, lines)
    holds = {}
    for ending in (f"{most}_at_{EARLY}", str(most), f"{most}_concat"):
        for metric in ("fd_classes", "fd_classifier"):
            better, worse = (claim.mean(f"{start}_{ending}", metric) for start in ("pretrained", "scratch"))
            holds[f"Table 2.6: pretrained_{ending} is nearer than scratch_{ending}, {metric}"] = better < worse
    kinds = (str(most), f"{most}_concat")
    before, after = ([claim.mean(f"{start}_{kind}", "fd_classes") for kind in kinds] for start in starts)
    holds["2.4.2: Cond Concat and Cond BNorm are similar: with both, pretrained is nearer than scratch, and pretrained "
          f"they are within a fifth of each other, {after[1]:.2f} and {after[0]:.2f}, fd_classes"] = (
        after[0] < before[0] and after[1] < before[1] and max(after) <= 1.2 * min(after)
    )  # fmt: skip
    for metric, sign in (("accuracy", 1), ("fd_classifier", -1)):
        gains = [sign * (claim.mean(f"pretrained_{n}", metric) - claim.mean(f"scratch_{n}", metric)) for n in SIZES]
        holds[f"Table 2.7: pretrained is better than scratch with any number of images, {metric}"] = min(gains) > 0
        holds[f"Table 2.7: the gain with {SIZES[0]} images a class is larger than with {most}, {metric}"] = (
            gains[0] > gains[-1]
        )
    claim.write(holds)


if __name__ == "__main__":
    main()
