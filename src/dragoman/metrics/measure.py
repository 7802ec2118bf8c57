"""Measuring a translator: every metric that the data allow, all from one set of translations."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dragoman.data.dataset import Dataset
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.metrics.classification import accuracy, embed, predict
from dragoman.metrics.extractor import CLASSIFIER, Extractor, extractor
from dragoman.metrics.features import Kept
from dragoman.metrics.footprint import Footprint, footprint
from dragoman.metrics.measurements import METRICS, NEEDS_TRUTH, Translated, Values, crops
from dragoman.metrics.protocol import Protocol, collect, targets, translate_all
from dragoman.nets.classifier import Classifier, train_classifier

BRIEF = ("domain_accuracy", "content_accuracy", "diversity")
"""What is measured at the end of a training run."""

NAMED = 20
"""Most bad images that a result names."""


class Measure:
    """The metrics of a data set under a protocol.

    What does not depend on the translator, classifiers and features of real images, is computed once and serves any
    number of translators.
    """

    def __init__(self, train: Dataset, test: Dataset, protocol: Protocol, metrics: Sequence[str] = BRIEF):
        """`metrics` are names of METRICS; those that the data do not allow go to `left_out`, with the reason.

        Raises:
            UserError: an unknown metric.
        """
        if unknown := set(metrics) - set(METRICS):
            raise UserError(f"unknown metric {sorted(unknown)[0]!r}; there is: {', '.join(METRICS)}")
        self.task, self.protocol = train.task, protocol
        self.train = collect(train, protocol.classifier_images, protocol.seed)
        self.test = collect(test, protocol.inputs, protocol.seed)
        reasons = {name: METRICS[name].missing(self) for name in metrics}
        self.left_out = {name: reason for name, reason in reasons.items() if reason}
        self.metrics = [name for name in metrics if name not in self.left_out]

    @cached_property
    def content(self) -> dict[str, Tensor]:
        """Labels [N] of the inputs, by name, that translation must keep and that the train split has too."""
        return {name: v for name, v in self.test.attributes.items() if name in self.train.attributes}

    @cached_property
    def classifier(self) -> Classifier:
        """Of the domains, trained on the real train split."""
        return self._fit(self.train.images, self.train.labels)

    @cached_property
    def content_classes(self) -> list[int]:
        """Classes of each content label."""
        return [int(max(self.train.attributes[name].max(), v.max())) + 1 for name, v in self.content.items()]

    @cached_property
    def content_classifier(self) -> Classifier:
        """Of all content labels, trained on the real train split."""
        labels = torch.stack([self.train.attributes[name] for name in self.content], 1)
        steps, seed = self.protocol.classifier_steps, self.protocol.seed
        return train_classifier(self.train.images, labels, self.content_classes, steps=steps, seed=seed)

    @cached_property
    def extractor(self) -> Extractor:
        """Of the features that sets of images are compared by."""
        name = self.protocol.features
        return extractor(name, self.classifier if name == "classifier" else None)

    def features(self, t: Translated) -> Tensor:
        """[n, D] of the first style's translations, for all metrics that compare with them."""
        name = self.protocol.features
        if name not in t.features:
            t.features[name] = self.extractor(t.outputs[0])
        return t.features[name]

    @cached_property
    def test_features(self) -> Tensor:
        """[N, D] of the inputs, by the classifier of the domains."""
        return embed(self.classifier, self.test.images)

    def real_features(self, domain: str) -> Tensor:
        """[M, D] of real train images: those of a domain, or any where domains are attributes."""
        key = domain if self.task.exclusive else ""
        if key not in self._real:
            rows = torch.arange(len(self.train.labels))
            if key:
                rows = self.train.labels[:, self.task.domains.index(domain)].nonzero()[:, 0]
            self._real[key] = self.extractor(self.train.images[rows[: self.protocol.reference]])
        return self._real[key]

    def real_instances(self, domain: str) -> Tensor:
        """[M, D] of instances cut out of those images."""
        rows = self.train.labels[:, self.task.domains.index(domain)].nonzero()[:, 0][: self.protocol.reference]
        boxes = [self.train.data.about(self.train.rows[row]).boxes for row in rows.tolist()]
        found = crops(self.train.images[rows], boxes)[: self.protocol.reference]
        return self.extractor(found) if len(found) else torch.zeros(0, self.extractor.dim)

    @cached_property
    def poses(self) -> Tensor:
        """[N, 3] of the inputs, or [0, 3] unless all have one."""
        found = [self.test.data.about(row).pose for row in self.test.rows]
        return torch.tensor([pose or () for pose in found]) if all(found) else torch.zeros(0, 3)

    def of_domain(self, domain: str) -> Tensor:
        """Which inputs are of a domain."""
        return self.test.labels[:, self.task.domains.index(domain)].nonzero()[:, 0]

    def apart(self, rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Metres and degrees [R, O] between the poses of inputs."""
        a, b = self.poses[rows].double(), self.poses[others].double()
        turn = (a[:, None, 2] - b[None, :, 2] + torch.pi).remainder(2 * torch.pi) - torch.pi
        return torch.cdist(a[:, :2], b[:, :2]), turn.abs().rad2deg()

    @cached_property
    def _real(self) -> dict[str, Tensor]:
        return {}

    def _fit(self, images: Tensor, codes: Tensor) -> Classifier:
        steps, seed = self.protocol.classifier_steps, self.protocol.seed
        return train_classifier(images, self.domain(codes), len(self.task.domains), steps=steps, seed=seed)

    def domain(self, codes: Tensor) -> Tensor:
        """Codes [N, K] as the classifier of the domains knows them: class numbers [N], or [N, K] for attributes."""
        return codes.argmax(1) if self.task.exclusive else codes

    @cached_property
    def knows_truth(self) -> bool:
        """Whether the data know the true answer of some translation."""
        return any(
            self.test.data.counterfactual(self.test.rows[row], code) is not None
            for _, rows, codes in targets(self.task, self.test.labels)
            for row, code in zip(rows[:8].tolist(), codes, strict=False)
        )

    def __call__(
        self, translator: Translator, progress: Callable[[str], None] = lambda _: None, kept: Kept | None = None
    ) -> dict[str, Any]:
        """Measure a translator.

        Args:
            translator: The model.
            progress: Called with what is done next.
            kept: Where to keep some of the features that the metrics compute, if any of them does.

        Returns:
            metrics: values by name; per_domain: the same per target domain; protocol: one line; n: input images;
            n_per_domain: of those, translated to each domain; left_out: a line for each metric, target and image that
            was, with the reason; model: parameters, their MiB, and multiply-adds for one image.
        """
        per_domain: dict[str, Values] = {}
        weights: dict[str, int] = {}
        silent = set(self.metrics) - {"reverse_accuracy"}
        for domain, rows, codes in targets(self.task, self.test.labels):
            if not len(rows):  # all inputs are of this domain
                continue
            progress(f"translating to {domain}")
            translated = self._translate(translator, domain, rows, codes)
            values: Values = {}
            for name in self.metrics:
                found = METRICS[name].compute(self, translated)
                silent -= {name} if found else set()
                values |= found
            per_domain[domain], weights[domain] = values, len(rows)
            if kept is not None and self._seen_by in translated.features:
                kept.translated[domain] = translated.features[self._seen_by][: kept.most].clone()
        metrics: Values = {}
        for name in dict.fromkeys(name for values in per_domain.values() for name in values):
            pairs = [(values[name], weights[d]) for d, values in per_domain.items() if name in values]
            metrics[name] = sum(v * n for v, n in pairs) / sum(n for _, n in pairs)
        metrics |= self._real_values()
        if kept is not None and kept.translated:
            self._keep_real(kept)
        if "reverse_accuracy" in self.metrics:
            progress("training a classifier on translations")
            metrics["reverse_accuracy"] = self._reverse(translator)
        n = len(self.test.images)
        return {
            "metrics": metrics,
            "per_domain": per_domain,
            "protocol": self._text(n),
            "n": n,
            "n_per_domain": weights,
            "left_out": self._left_out(weights, silent),
            "model": asdict(self._cost(translator)),
        }

    @property
    def _seen_by(self) -> str:
        """What has computed features of real images and of translations, when all metrics are."""
        return self.protocol.features if "distribution" in self.metrics else "classifier"

    def _keep_real(self, kept: Kept) -> None:
        """Keep features of real images that the metrics have computed: of inputs, else of train images."""
        if self._seen_by == "classifier" and "domain_accuracy" in self.metrics:
            kept.text = f"{CLASSIFIER}; real images: {self.protocol.split} split"
            found = {d: self.test_features[self.of_domain(d)] for d in self.task.domains}
            found = found if self.task.exclusive else {"": self.test_features}
        else:
            kept.text, found = f"{self.extractor.text}; real images: train split", self._real
        kept.real = {name: features[: kept.most].clone() for name, features in found.items() if len(features)}

    def _left_out(self, targets: Collection[str], silent: Collection[str]) -> list[str]:
        """What was not measured, and why; `silent` are metrics that found nothing in any target."""
        lines = [f"{name}: needs {reason}" for name, reason in self.left_out.items()]
        lines += [f"{name}: found nothing to measure in any target" for name in self.metrics if name in silent]
        lines += [f"target {d}: every input is of it" for d in self.task.domains if d not in targets]
        bad = list(dict.fromkeys(self.test.bad + self.train.bad))
        return lines + bad[:NAMED] + ([f"and {len(bad) - NAMED} more images"] if len(bad) > NAMED else [])

    def _cost(self, translator: Translator) -> Footprint:
        """Of translating one image."""
        x = self.test.images[:1].to(translator.device)
        code = self.test.labels[:1].to(x)
        return footprint(translator.core, x, code, translator.core.sample_style(code, torch.Generator().manual_seed(0)))

    def _text(self, n: int) -> str:
        """The protocol in one line, with what distances were measured by."""
        parts = [self.protocol.text(n)]
        if "distribution" in self.metrics:
            which = "of the target domain" if self.task.exclusive else "of the train split"
            parts.append(f"distances to at most {self.protocol.reference} real images {which}: {self.extractor.text}")
        if "lpips_diversity" in self.metrics:
            parts.append(f"LPIPS: {self.protocol.lpips}, at most {self.protocol.pairs} pairs of styles per input")
        return "; ".join(parts)

    def _translate(self, translator: Translator, domain: str, rows: Tensor, codes: Tensor) -> Translated:
        x, outputs, masks = self.test.images[rows], [], None
        for style in range(self.protocol.styles if translator.core.style_dim else 1):
            output, mask = translate_all(translator, x, codes, self.protocol.seed + style)
            outputs.append(output)
            masks = mask if style == 0 and translator.core.mask_marks_change else masks
        found: list[Tensor | None] = [None] * len(rows)
        if NEEDS_TRUTH & set(self.metrics):
            numbers = [self.test.rows[row] for row in rows.tolist()]
            found = [self.test.data.counterfactual(n, code) for n, code in zip(numbers, codes, strict=True)]
        known = torch.tensor([i for i, image in enumerate(found) if image is not None], dtype=torch.long)
        truth = torch.stack([image for image in found if image is not None]) if len(known) else x[:0]
        return Translated(domain, rows, x, codes, torch.stack(outputs), masks, known, truth)

    def _real_values(self) -> Values:
        """What the classifiers say of real test images: the most that translations can reach."""
        values: Values = {}
        if "content_accuracy" in self.metrics:
            logits = predict(self.content_classifier, self.test.images).split(self.content_classes, 1)
            for (name, content), part in zip(self.content.items(), logits, strict=True):
                values[f"{name}_accuracy_real"] = accuracy(part, content)
        if "domain_accuracy" in self.metrics:
            real = self.classifier.head(self.test_features)
            values["domain_accuracy_real"] = accuracy(real, self.domain(self.test.labels))
        return values

    def _reverse(self, translator: Translator) -> float:
        """Accuracy on real test images of a classifier trained on translations of the train split (thesis 6.4.2)."""
        images, codes = [], []
        for _, rows, code in targets(self.task, self.train.labels):
            images.append(translate_all(translator, self.train.images[rows], code, self.protocol.seed)[0])
            codes.append(code)
        return self._tested(torch.cat(images), torch.cat(codes))

    def reverse_real(self) -> float:
        """The same with a classifier trained on the real train split: what `reverse_accuracy` can reach."""
        return self._tested(self.train.images, self.train.labels)

    def _tested(self, images: Tensor, codes: Tensor) -> float:
        return accuracy(predict(self._fit(images, codes), self.test.images), self.domain(self.test.labels))
