"""How a translator is measured: on what, how much of it, with which classifiers; stated beside every number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.data.dataset import Dataset
from dragoman.data.image import BadImage
from dragoman.errors import UserError
from dragoman.inference.translator import Translator


class Protocol(Config):
    """What is held fixed while translators are compared."""

    split: str = "test"
    """Split the inputs are taken from."""
    inputs: int = Field(400, ge=1)
    """Most input images."""
    styles: int = Field(3, ge=1)
    """Styles per input and target domain, for methods that sample one."""
    classifier_images: int = Field(8000, ge=1)
    """Most real images of the train split that classifiers learn from."""
    classifier_steps: int = Field(300, ge=1)
    """Steps a classifier is trained for."""
    features: Literal["classifier", "squeezenet", "inception"] = "classifier"
    """What distances between sets of images are measured on: a classifier of the domains, or published networks."""
    lpips: Literal["squeeze", "alex", "vgg"] = "squeeze"
    """Network of LPIPS."""
    least: int = Field(50, ge=2)
    """Fewest translations to a domain that are compared with its real images as a set."""
    pairs: int = Field(45, ge=1)
    """Most pairs of styles per input whose LPIPS is taken: 45 are all pairs of 10 styles; MUNIT's protocol takes 19."""
    reference: int = Field(1000, ge=2)
    """Most real images of the target domain, from the train split, that translations are compared with."""
    enlarge: int = Field(2, ge=1)
    """Times images are enlarged before SIFT looks for keypoints."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Of styles and classifiers."""

    def text(self, inputs: int) -> str:
        """In one line, with the number of inputs there really were."""
        return (
            f"{inputs} {self.split} images, each to every other domain, {self.styles} styles (seed {self.seed}); "
            f"classifiers: CNN, {self.classifier_steps} steps on at most {self.classifier_images} real train images"
        )


@dataclass
class Samples:
    """Images of a split in memory."""

    data: Dataset
    """Where they are from."""
    rows: list[int]
    """Their numbers there."""
    images: Tensor
    """[N, C, size, size] in [-1, 1]."""
    labels: Tensor
    """[N, K]."""
    attributes: dict[str, Tensor]
    """[N] each."""
    bad: list[str] = field(default_factory=list)
    """A line for each image that was left out."""


def collect(data: Dataset, most: int, seed: int) -> Samples:
    """Up to `most` images of a split, drawn without replacement; bad ones are left out and named.

    Raises:
        UserError: none could be read.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist()[:most]
    images, kept, bad = [], [], []
    for index in order:
        try:
            images.append(data.load(index))
            kept.append(index)
        except BadImage as error:
            bad.append(str(error))
    if not kept:
        raise UserError("no image could be read to measure on; run: dragoman data check")
    attributes = {name: values[kept] for name, values in data.attributes.items()}
    return Samples(data, kept, torch.stack(images), data.labels[kept], attributes, bad)


def targets(task: Task, labels: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Per domain: its name, which images [M] to send there, and their target codes [M, K].

    Exclusive domains: every image of another domain. Attributes: every image, with that attribute flipped.
    """
    for number, domain in enumerate(task.domains):
        if task.exclusive:
            rows = (labels[:, number] == 0).nonzero()[:, 0]
            yield domain, rows, task.code(domain).expand(len(rows), -1)
        else:
            codes = labels.clone()
            codes[:, number] = 1 - codes[:, number]
            yield domain, torch.arange(len(labels)), codes


def translate_all(translator: Translator, images: Tensor, codes: Tensor, seed: int) -> tuple[Tensor, Tensor | None]:
    """Translate [N, C, H, W] to codes [N, K], each image with its own random style; also the masks [N, 1, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    styles = translator.core.sample_style(codes, generator)
    parts = zip(images.split(64), codes.split(64), styles.split(64), strict=True)
    outputs, masks = zip(*(translator.translate(x, c, s) for x, c, s in parts), strict=True)
    return torch.cat(outputs), None if masks[0] is None else torch.cat(masks)
