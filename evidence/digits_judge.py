"""What judges generated digits in several claims: a classifier of all ten, trained once on all real training images."""

from collections.abc import Sequence
from pathlib import Path

import torch
from claim import HERE, Values, changed, kept, trained
from safetensors.torch import load_model, save_model
from torch import Tensor

from dragoman import load_sampler
from dragoman.metrics import frechet_distance
from dragoman.metrics.classification import predict
from dragoman.metrics.extractor import extractor
from dragoman.metrics.retrieval import nearest
from dragoman.metrics.wasserstein import independent_wasserstein
from dragoman.nets.classifier import Classifier, train_classifier
from dragoman.worlds.mnist import MNIST

SAMPLES = 1000
"""Generated images of a model."""
SOURCE_STEPS = 5000
"""Of the GAN that TransferGAN starts from."""
MINED_STEPS = 15_000
"""Of a GAN that is mined: after 5,000 its images, and what is mined from them, are still clearly worse."""
JUDGE = HERE.parent / "runs" / "evidence" / "digits_judge.safetensors"
"""The classifier, the same for all tables."""


class Judge:
    """Frechet distance, independent Wasserstein critic and classifier error of generated digits."""

    def __init__(self) -> None:
        self.real = {split: _by_digit(split) for split in ("train", "test")}
        if not JUDGE.exists():
            images = torch.cat(self.real["train"])
            labels = torch.cat([torch.full((len(own),), digit) for digit, own in enumerate(self.real["train"])])
            trained_once = train_classifier(images, labels, 10, steps=3000, batch=128)
            JUDGE.parent.mkdir(parents=True, exist_ok=True)
            save_model(trained_once, JUDGE)
        self.classifier = Classifier(1, 10).eval().requires_grad_(False)
        load_model(self.classifier, JUDGE)
        self.features = extractor("classifier", self.classifier)

    def accuracy(self) -> float:
        """On real test images."""
        found = [predict(self.classifier, own).argmax(1) == digit for digit, own in enumerate(self.real["test"])]
        return torch.cat(found).float().mean().item()

    def samples(self, model: Path, count: int = SAMPLES, label: str | None = None) -> Tensor:
        """Generated images [count, 1, 28, 28] without their margin, of a domain or of all in turn."""
        images = torch.stack(drawn(model, count, label))
        margin = (images.shape[2] - 28) // 2
        return images[:, :, margin : margin + 28, margin : margin + 28]

    def distance(self, images: Tensor, digits: Sequence[int]) -> float:
        """fd_classifier to the real test images of digits."""
        return self.between(images, torch.cat([self.real["test"][digit] for digit in digits]))

    def between(self, images: Tensor, real: Tensor) -> float:
        """fd_classifier of two sets of images."""
        return frechet_distance(self.features(images), self.features(real))

    def error(self, images: Tensor, digit: int) -> float:
        """Share that is taken for another digit."""
        return (predict(self.classifier, images).argmax(1) != digit).float().mean().item()

    def wasserstein(self, images: Tensor, digits: Sequence[int]) -> float:
        """Independent critic, trained on real training images and judging on real test images (Eq. 2.6)."""
        train_images, test = (torch.cat([self.real[split][digit] for digit in digits]) for split in ("train", "test"))
        return independent_wasserstein(train_images, test, images)

    def values(self, model: Path, digits: Sequence[int]) -> Values:
        """fd_classifier and iw of a model."""
        images = self.samples(model)
        return {"fd_classifier": self.distance(images, digits), "iw": self.wasserstein(images, digits)}


def source(digits: Sequence[int], conditional: bool = False, steps: int = MINED_STEPS) -> Path:
    """A GAN of all training images of some digits, trained once for all claims; its model folder."""
    kind, model = _kind(conditional), place(digits, conditional, steps)
    return trained(changed(f"transfer_gan.{kind}", steps, {"digits": tuple(digits)}, {}), model.parent)


def place(digits: Sequence[int], conditional: bool = False, steps: int = MINED_STEPS) -> Path:
    """Where `source` keeps its model, which may not be trained yet."""
    name = f"{_kind(conditional)}-{''.join(map(str, digits))}-{steps}"
    return (HERE.parent / "runs" / "evidence" / "sources" / name / "model").resolve()


def transferred(transfer: str | None, images: int, steps: int, seed: int) -> Path:
    """The run of a GAN of so many images of the digits 5 to 9 that starts from one of 0 to 4, trained once for all.

    `transfer` says what starts from there; None is from scratch.
    """
    method = {} if transfer is None else {"source": source(range(5), steps=SOURCE_STEPS), "transfer": transfer}
    data = {"digits": tuple(range(5, 10)), "images": images}
    folder = HERE.parent / "runs" / "evidence" / "transferred" / f"{transfer or 'scratch'}-{images}-{steps}-{seed}"
    trained(changed("transfer_gan.digits", steps, data, method, seed=seed), folder)
    return folder


def drawn(model: Path, count: int, label: str | None = None) -> list[Tensor]:
    """The first images of a model, of a domain or of all in turn."""
    sampler, seeds = load_sampler(model), list(range(count))
    return list(sampler.generate(sampler.codes(seeds, label), seeds))


def shown(folder: Path, count: int) -> list[Tensor]:
    """The first images of the run in a row's folder, kept there."""
    return kept(folder / "images.png", lambda: drawn(folder / "run" / "model", count))


def images(data: MNIST, split: str) -> Tensor:
    """All of a split [M, 1, size, size]."""
    found = data.open(split)
    return torch.stack([found.load(i) for i in range(len(found))])


def to_nearest(made: Tensor, train: Tensor) -> Tensor:
    """Distance of each image to the nearest of the training images: root mean square of the pixels, [N]."""
    return nearest(made.flatten(1), train.flatten(1), 1)[0][:, 0] / train[0].numel() ** 0.5


def _kind(conditional: bool) -> str:
    return "digits_conditional" if conditional else "digits"


def _by_digit(split: str) -> list[Tensor]:
    data = MNIST().open(split)
    return [torch.stack([data.load(i) for i in data.labels[:, d].nonzero()[:, 0].tolist()]) for d in range(10)]
