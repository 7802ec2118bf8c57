"""How a translator is measured: on what, how much of it, with which classifiers; stated beside every number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from dragoman.config import Config
from dragoman.data.batch import Task
from dragoman.data.dataset import Dataset
from dragoman.data.image import BadImage
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.metrics.classification import accuracy, embed, predict
from dragoman.metrics.diversity import pixel_diversity
from dragoman.metrics.identity import identity_distance
from dragoman.nets.classifier import Classifier, train_classifier

METRICS = ("domain_accuracy", "content_accuracy", "diversity", "identity_distance", "reverse_accuracy")


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

    images: Tensor
    """[N, C, size, size] in [-1, 1]."""
    labels: Tensor
    """[N, K]."""
    attributes: dict[str, Tensor]
    """[N] each."""


def collect(data: Dataset, most: int, seed: int) -> Samples:
    """Up to `most` images of a split, drawn without replacement; bad ones are left out.

    Raises:
        UserError: none could be read.
    """
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)).tolist()[:most]
    images, kept = [], []
    for index in order:
        try:
            images.append(data.load(index))
            kept.append(index)
        except BadImage:
            continue
    if not kept:
        raise UserError("no image could be read to measure on; run: dragoman data check")
    return Samples(torch.stack(images), data.labels[kept], {k: v[kept] for k, v in data.attributes.items()})


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


def translate_all(translator: Translator, images: Tensor, codes: Tensor, seed: int) -> Tensor:
    """Translate [N, C, H, W] to codes [N, K], each image with its own random style."""
    generator = torch.Generator().manual_seed(seed)
    styles = translator.core.sample_style(codes, generator)
    parts = zip(images.split(64), codes.split(64), styles.split(64), strict=True)
    return torch.cat([translator.translate(x, c, s)[0] for x, c, s in parts])


class Measure:
    """The metrics of a data set under a protocol; classifiers are trained once and serve any number of translators."""

    def __init__(self, train: Dataset, test: Dataset, protocol: Protocol, metrics: tuple[str, ...] = METRICS[:3]):
        if unknown := set(metrics) - set(METRICS):
            raise UserError(f"unknown metric {sorted(unknown)[0]!r}; there is: {', '.join(METRICS)}")
        self.task, self.protocol, self.metrics = train.task, protocol, metrics
        self.train = collect(train, protocol.classifier_images, protocol.seed)
        self.test = collect(test, protocol.inputs, protocol.seed)
        self._nets: dict[str | None, Classifier] = {}

    def _classifier(self, attribute: str | None) -> Classifier:
        """The classifier of the domains (None) or of an attribute, trained on the real train split."""
        if attribute not in self._nets:
            if attribute is None:
                labels, classes = self._domain(self.train.labels), len(self.task.domains)
            else:
                labels = self.train.attributes[attribute]
                classes = int(labels.max()) + 1
            self._nets[attribute] = self._fit(self.train.images, labels, classes)
        return self._nets[attribute]

    def _fit(self, images: Tensor, labels: Tensor, classes: int) -> Classifier:
        steps, seed = self.protocol.classifier_steps, self.protocol.seed
        return train_classifier(images, labels, classes, steps=steps, seed=seed)

    def _domain(self, codes: Tensor) -> Tensor:
        return codes.argmax(1) if self.task.exclusive else codes

    def __call__(self, translator: Translator, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Measure a translator.

        Returns:
            metrics: values by name; per_domain: the same per target domain; protocol: one line; n: input images.
        """
        styles = self.protocol.styles if translator.core.style_dim else 1
        content_metrics = {"content_accuracy", "identity_distance"} & set(self.metrics)
        known = {k: v for k, v in self.test.attributes.items() if k in self.train.attributes}
        attributes = known if content_metrics else {}
        hits: dict[str, list[tuple[float, int]]] = {}
        per_domain: dict[str, dict[str, float]] = {}
        for domain, rows, codes in targets(self.task, self.test.labels):
            if not len(rows):  # all inputs are of this domain
                continue
            progress(f"translating to {domain}")
            x = self.test.images[rows]
            outputs = torch.stack([translate_all(translator, x, codes, self.protocol.seed + s) for s in range(styles)])
            flat, values = outputs.flatten(0, 1), {}
            if "domain_accuracy" in self.metrics:
                logits = predict(self._classifier(None), flat)
                wanted = self._domain(codes).repeat(styles, *[1] * (codes.ndim - 1 - int(self.task.exclusive)))
                values["domain_accuracy"] = accuracy(logits, wanted)
            for name, content in attributes.items():
                net = self._classifier(name)
                features = embed(net, flat)
                if "content_accuracy" in self.metrics:
                    values[f"{name}_accuracy"] = accuracy(net.head(features), content[rows].repeat(styles))
                if "identity_distance" in self.metrics:
                    values[f"{name}_distance"] = identity_distance(embed(net, x).repeat(styles, 1), features)
            if "diversity" in self.metrics:
                values["diversity"] = pixel_diversity(outputs) if styles > 1 else 0.0
            per_domain[domain] = values
            for name, value in values.items():
                hits.setdefault(name, []).append((value, len(rows)))
        metrics = {name: sum(v * n for v, n in pairs) / sum(n for _, n in pairs) for name, pairs in hits.items()}
        for name, content in attributes.items() if "content_accuracy" in self.metrics else ():
            metrics[f"{name}_accuracy_real"] = accuracy(predict(self._classifier(name), self.test.images), content)
        if "domain_accuracy" in self.metrics:
            real = predict(self._classifier(None), self.test.images)
            metrics["domain_accuracy_real"] = accuracy(real, self._domain(self.test.labels))
        if "reverse_accuracy" in self.metrics:
            progress("training a classifier on translations")
            metrics["reverse_accuracy"] = self._reverse(translator)
        n = len(self.test.images)
        return {"metrics": metrics, "per_domain": per_domain, "protocol": self.protocol.text(n), "n": n}

    def _reverse(self, translator: Translator) -> float:
        """Accuracy on real test images of a classifier trained on translations of the train split (thesis 6.4.2)."""
        images, codes = [], []
        for _, rows, code in targets(self.task, self.train.labels):
            images.append(translate_all(translator, self.train.images[rows], code, self.protocol.seed))
            codes.append(code)
        return self._tested(torch.cat(images), torch.cat(codes))

    def reverse_real(self) -> float:
        """The same with a classifier trained on the real train split: what `reverse_accuracy` can reach."""
        return self._tested(self.train.images, self.train.labels)

    def _tested(self, images: Tensor, codes: Tensor) -> float:
        net = self._fit(images, self._domain(codes), len(self.task.domains))
        return accuracy(predict(net, self.test.images), self._domain(self.test.labels))
