"""Measuring a generator: its images against real ones, as sets and one by one (thesis 2.3.2, 3.4, A.2.2)."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dragoman.data.dataset import Dataset
from dragoman.errors import UserError
from dragoman.inference.sampler import Sampler
from dragoman.metrics.classification import predict
from dragoman.metrics.extractor import Extractor, extractor, frechet_name, lacking
from dragoman.metrics.features import Kept
from dragoman.metrics.footprint import footprint
from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.kernel import gaussian_mmd, mean_variance
from dragoman.metrics.protocol import Protocol, collect
from dragoman.metrics.retrieval import nearest
from dragoman.nets.classifier import Classifier, train_classifier

Values = dict[str, float]


class MeasureSamples:
    """The metrics of generators of a data set under a protocol; `protocol.inputs` images of each domain are made.

    A classifier is of the domains, or where there is one only of the first content label with several classes.
    """

    def __init__(self, train: Dataset, test: Dataset, protocol: Protocol):
        self.task, self.protocol = train.task, protocol
        self.train = collect(train, protocol.classifier_images, protocol.seed)
        self.test = collect(test, protocol.classifier_images, protocol.seed)

    @cached_property
    def classifier(self) -> Classifier | None:
        """Trained on the real train split; None where there is nothing to tell apart."""
        steps, seed = self.protocol.classifier_steps, self.protocol.seed
        if len(self.task.domains) > 1:
            labels, classes = self.train.labels.argmax(1), len(self.task.domains)
        else:
            found = [v for v in self.train.attributes.values() if len(v.unique()) > 1]
            if not found:
                return None
            labels, classes = found[0], int(found[0].max()) + 1
        return train_classifier(self.train.images, labels, classes, steps=steps, seed=seed)

    @cached_property
    def extractor(self) -> Extractor | str:
        """Of the features that sets of images are compared by, or what is missing for it."""
        name = self.protocol.features
        if name == "classifier" and self.classifier is None:
            return "distribution: needs two domains or labels for its classifier, or --evaluate.features squeezenet"
        if reason := lacking(name):
            return f"distribution: needs {reason}"
        return extractor(name, self.classifier if name == "classifier" else None)

    def real(self, domain: int) -> Tensor:
        """Real test images [M, C, H, W] of a domain."""
        return self.test.images[self.test.labels[:, domain] > 0]

    def __call__(self, sampler: Sampler, kept: Kept | None = None) -> dict[str, Any]:
        """Measure a generator.

        Args:
            sampler: The model.
            kept: Where to keep some of the features that are computed.

        Returns:
            As `Measure`: metrics, per_domain, protocol, n, n_per_domain, left_out, model.
        """
        per_domain, seeds = {}, list(range(self.protocol.seed, self.protocol.seed + self.protocol.inputs))
        pairs: list[tuple[Tensor, Tensor]] = []
        for number, domain in enumerate(self.task.domains):
            codes = torch.eye(len(self.task.domains))[number].expand(len(seeds), -1)
            images = sampler.generate(codes, seeds)
            pair = self._features(number, images, kept)
            per_domain[domain] = self._distances(pair) | self._values(number, images)
            pairs += pair
        names = list(dict.fromkeys(name for values in per_domain.values() for name in values))
        found = {name: [values[name] for values in per_domain.values() if name in values] for name in names}
        code = torch.eye(len(self.task.domains))[:1].to(sampler.device)
        noise = sampler.core.sample_noise(1, torch.Generator().manual_seed(0)).to(sampler.device)
        text = "" if isinstance(self.extractor, str) else self.extractor.text
        if kept is not None:
            kept.text = f"{text}; real images: {self.protocol.split} split"
        return {
            "metrics": {name: sum(values) / len(values) for name, values in found.items()} | self._all(pairs),
            "per_domain": per_domain,
            "protocol": f"{len(seeds)} images of each domain (seeds from {seeds[0]}), against the real images of the "
            f"{self.protocol.split} split, at most {self.protocol.reference}; distances: {text or 'none'}",
            "n": len(seeds) * len(self.task.domains),
            "n_per_domain": dict.fromkeys(per_domain, len(seeds)),
            "left_out": [self.extractor] if isinstance(self.extractor, str) else [],
            "model": asdict(footprint(sampler.core, noise, code)),
        }

    def _features(self, number: int, images: Tensor, kept: Kept | None) -> list[tuple[Tensor, Tensor]]:
        """Of one domain's images and real ones, unless there are none to be had."""
        real = self.real(number)[: self.protocol.reference]
        if isinstance(self.extractor, str) or not len(real):
            return []
        ours, theirs = self.extractor(images), self.extractor(real)
        if kept is not None and min(len(ours), len(theirs)) >= self.protocol.least:
            domain = self.task.domains[number]
            kept.real[domain], kept.translated[domain] = theirs[: kept.most].clone(), ours[: kept.most].clone()
        return [(ours, theirs)]

    def _distances(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Values:
        """Between sets, if they are large enough."""
        return {
            name: value
            for ours, theirs in pairs
            if min(len(ours), len(theirs)) >= self.protocol.least
            for name, value in (
                (frechet_name(self.protocol.features), frechet_distance(ours, theirs)),
                ("kmmd", gaussian_mmd(theirs, ours)),
            )
        }

    def _all(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Values:
        """The Frechet distance of all domains together, as many images of each (Table 2.6)."""
        if len(self.task.domains) == 1 or len(pairs) < len(self.task.domains):
            return {}
        ours, theirs = (torch.cat([one[: min(map(len, side))] for one in side]) for side in zip(*pairs, strict=True))
        if min(len(ours), len(theirs)) < self.protocol.least:
            return {}
        return {f"{frechet_name(self.protocol.features)}_all": frechet_distance(ours, theirs)}

    def _values(self, number: int, images: Tensor) -> Values:
        """The other numbers of one domain's images."""
        values: Values = {}
        real = self.real(number)[: self.protocol.reference]
        if len(self.task.domains) > 1 and self.classifier is not None:
            wrong = predict(self.classifier, images).argmax(1) != number
            values["classifier_error"] = wrong.float().mean().item()
        values["mean_variance"] = mean_variance(images.flatten(1))
        gallery = self.train.images[self.train.labels[:, number] > 0].flatten(1)
        for name, x in (("nearest_train", images), ("nearest_train_real", real)):
            if len(gallery) and len(x):
                distances, _ = nearest(x.flatten(1), gallery, 1)
                values[name] = distances.mean().item() / gallery.shape[1] ** 0.5
        return values


def rank(samplers: dict[str, Sampler], target: Dataset, protocol: Protocol) -> list[tuple[str, float]]:
    """Generators by the Frechet distance of their images to a target's real ones, nearest first (Table 2.5).

    Args:
        samplers: By name; of several domains all are sampled in turn.
        target: Its real images.
        protocol: Its features, one of the published networks, and counts.

    Raises:
        UserError: too few images, images of different sizes, or the features' weights are not here.
    """
    shapes = {(sampler.task.size, sampler.task.channels) for sampler in samplers.values()}
    if len(shapes) > 1:
        named = ", ".join(f"{name} {sampler.task.size} ({sampler.task.channels})" for name, sampler in samplers.items())
        raise UserError(f"ranking needs generators of one size and number of channels, got {named}; rank those that "
                        "are alike by themselves")  # fmt: skip
    if reason := lacking(protocol.features):
        raise UserError(f"ranking needs {reason}")
    measure = extractor(protocol.features)
    real = collect(target, protocol.reference, protocol.seed).images
    if len(real) < protocol.least:
        raise UserError(f"ranking needs at least {protocol.least} target images, got {len(real)} "
                        "(no more than --n are taken)")  # fmt: skip
    theirs, found = measure(real), []
    seeds = list(range(protocol.seed, protocol.seed + protocol.inputs))
    for name, sampler in samplers.items():
        images = sampler.generate(sampler.codes(seeds), seeds)
        found.append((name, frechet_distance(measure(images), theirs)))
    return sorted(found, key=lambda one: one[1])
