"""Measuring a translator: every metric that the data allow, all from one set of translations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dragoman.data.dataset import Dataset
from dragoman.errors import UserError
from dragoman.inference.translator import Translator
from dragoman.metrics import extractor, lpips
from dragoman.metrics.classification import accuracy, drop_in_confidence, embed, misclassification_rate, predict
from dragoman.metrics.counterfactual import inside_outside
from dragoman.metrics.diversity import pixel_diversity
from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.identity import identity_distance
from dragoman.metrics.kernel import kernel_distance
from dragoman.metrics.mask import changed_region, mask_iou
from dragoman.metrics.protocol import Protocol, collect, targets, translate_all
from dragoman.nets.classifier import Classifier, train_classifier

Values = dict[str, float]
BRIEF = ("domain_accuracy", "content_accuracy", "diversity")
"""What is measured at the end of a training run."""


@dataclass(frozen=True)
class Translated:
    """Inputs sent to one target domain."""

    domain: str
    rows: Tensor
    """[n] which of the measured inputs."""
    x: Tensor
    """[n, C, H, W] the inputs."""
    codes: Tensor
    """[n, K] target codes."""
    outputs: Tensor
    """[S, n, C, H, W], S styles."""
    masks: Tensor | None
    """[n, 1, H, W] of the first style."""
    known: Tensor
    """[k] which of the n have a known true answer; none if no metric asks."""
    truth: Tensor
    """[k, C, H, W] the true answers."""


@dataclass(frozen=True)
class Metric:
    """A measurement of translations to one domain."""

    compute: Callable[["Measure", Translated], Values]
    missing: Callable[["Measure"], str]
    """What the data lack for it, in words; empty if nothing."""


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
    def extractor(self) -> extractor.Extractor:
        """Of the features that sets of images are compared by."""
        name = self.protocol.features
        return extractor.extractor(name, self.classifier if name == "classifier" else None)

    def real_features(self, domain: str) -> Tensor:
        """[M, D] of real train images: those of a domain, or any where domains are attributes."""
        key = domain if self.task.exclusive else ""
        if key not in self._real:
            rows = torch.arange(len(self.train.labels))
            if key:
                rows = self.train.labels[:, self.task.domains.index(domain)].nonzero()[:, 0]
            self._real[key] = self.extractor(self.train.images[rows[: self.protocol.reference]])
        return self._real[key]

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

    def __call__(self, translator: Translator, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Measure a translator.

        Returns:
            metrics: values by name; per_domain: the same per target domain; protocol: one line; n: input images.
        """
        per_domain: dict[str, Values] = {}
        weights: dict[str, int] = {}
        for domain, rows, codes in targets(self.task, self.test.labels):
            if not len(rows):  # all inputs are of this domain
                continue
            progress(f"translating to {domain}")
            translated = self._translate(translator, domain, rows, codes)
            values: Values = {}
            for name in self.metrics:
                values |= METRICS[name].compute(self, translated)
            per_domain[domain], weights[domain] = values, len(rows)
        metrics: Values = {}
        for name in dict.fromkeys(name for values in per_domain.values() for name in values):
            pairs = [(values[name], weights[d]) for d, values in per_domain.items() if name in values]
            metrics[name] = sum(v * n for v, n in pairs) / sum(n for _, n in pairs)
        metrics |= self._real_values()
        if "reverse_accuracy" in self.metrics:
            progress("training a classifier on translations")
            metrics["reverse_accuracy"] = self._reverse(translator)
        n = len(self.test.images)
        return {"metrics": metrics, "per_domain": per_domain, "protocol": self._text(n), "n": n}

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
            masks = mask if style == 0 else masks
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
            real = predict(self.classifier, self.test.images)
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


def _domain_accuracy(measure: Measure, t: Translated) -> Values:
    """By the classifier of the domains; with attributes also of the one that was to change, and of the others."""
    logits = predict(measure.classifier, t.outputs.flatten(0, 1))
    wanted = measure.domain(t.codes)
    wanted = wanted.repeat(len(t.outputs), *[1] * (wanted.ndim - 1))
    values = {"domain_accuracy": accuracy(logits, wanted)}
    if not measure.task.exclusive:
        column = measure.task.domains.index(t.domain)
        others = [k for k in range(len(measure.task.domains)) if k != column]
        values["changed_accuracy"] = accuracy(logits[:, [column]], wanted[:, [column]])
        if others:
            values["kept_accuracy"] = accuracy(logits[:, others], wanted[:, others])
    return values


def _content_accuracy(measure: Measure, t: Translated) -> Values:
    """Of each content label, by the classifier of the content."""
    logits = predict(measure.content_classifier, t.outputs.flatten(0, 1)).split(measure.content_classes, 1)
    return {
        f"{name}_accuracy": accuracy(part, labels[t.rows].repeat(len(t.outputs)))
        for (name, labels), part in zip(measure.content.items(), logits, strict=True)
    }


def _identity_distance(measure: Measure, t: Translated) -> Values:
    """Between input and translation, on the features of the classifier of the content."""
    before, after = (embed(measure.content_classifier, images) for images in (t.x, t.outputs.flatten(0, 1)))
    return {"identity_distance": identity_distance(before.repeat(len(t.outputs), 1), after)}


def _diversity(measure: Measure, t: Translated) -> Values:
    """Of the pixels of one input's translations."""
    return {"diversity": pixel_diversity(t.outputs) if len(t.outputs) > 1 else 0.0}


def _confidence(measure: Measure, t: Translated) -> Values:
    """What translation makes of each content label: how often it is misread, how much less sure it is (UDIT)."""
    net, classes = measure.content_classifier, measure.content_classes
    before, after = (predict(net, images).split(classes, 1) for images in (t.x, t.outputs.flatten(0, 1)))
    styles, values = len(t.outputs), {}
    for (name, labels), x, y in zip(measure.content.items(), before, after, strict=True):
        wanted = labels[t.rows].repeat(styles)
        values[f"{name}_misclassified"] = misclassification_rate(y, wanted)
        values[f"{name}_confidence_drop"] = drop_in_confidence(x.repeat(styles, 1), y, wanted)
    return values


def _distribution(measure: Measure, t: Translated) -> Values:
    """Frechet and kernel distance of the first style's translations to real images, on one set of features."""
    name = measure.protocol.features
    real, fake = measure.real_features(t.domain), measure.extractor(t.outputs[0])
    return {
        extractor.frechet_name(name): frechet_distance(fake, real),
        extractor.kernel_name(name): kernel_distance(fake, real),
    }


def _no_features(measure: Measure) -> str:
    if missing := extractor.lacking(measure.protocol.features):
        return missing
    fewest = min(len(rows) for _, rows, _ in targets(measure.task, measure.test.labels))
    least = measure.protocol.least
    return "" if fewest >= least else f"at least {least} inputs for every target domain, there are {fewest}"


def _counterfactual(measure: Measure, t: Translated) -> Values:
    """Mean |difference| of [-1, 1] pixels to the true answer: everywhere, where the image must change, elsewhere.

    `truth_l1_untouched` is that of the input itself: what doing nothing would give.
    """
    if not len(t.known):
        return {}
    x, outputs = t.x[t.known], t.outputs[:, t.known]
    region = changed_region(x, t.truth)
    error = (outputs - t.truth).abs().mean(2, keepdim=True)
    inside, outside = inside_outside(error.flatten(0, 1), region.repeat(len(outputs), 1, 1, 1))
    return {
        "truth_l1": error.double().mean().item(),
        "truth_l1_inside": inside.nanmean().item(),
        "truth_l1_outside": outside.nanmean().item(),
        "truth_l1_untouched": (x - t.truth).abs().double().mean().item(),
    }


def _mask_iou(measure: Measure, t: Translated) -> Values:
    """Of the method's mask with the pixels that must change; and what a mask drawn at random would reach."""
    if t.masks is None or not len(t.known):
        return {}
    region = changed_region(t.x[t.known], t.truth)
    share = region.double().mean((1, 2, 3))
    chance = (share / (2 - share))[share > 0].mean()
    return {"mask_iou": mask_iou(t.masks[t.known], region).nanmean().item(), "mask_iou_chance": chance.item()}


def _no_values(measure: Measure, t: Translated) -> Values:
    """For metrics of all translations together."""
    return {}


def _lpips_diversity(measure: Measure, t: Translated) -> Values:
    """LPIPS between the styles of one input."""
    if len(t.outputs) < 2:
        return {"lpips_diversity": 0.0}
    metric = lpips.published(measure.protocol.lpips)
    values = lpips.diversity(t.outputs, metric, measure.protocol.pairs, measure.protocol.seed)
    return {"lpips_diversity": values.mean().item()}


def _no_lpips(measure: Measure) -> str:
    if measure.task.size < lpips.SMALLEST:
        return f"images of at least {lpips.SMALLEST} pixels"
    return lpips.lacking(measure.protocol.lpips)


def _no_content(measure: Measure) -> str:
    return "" if measure.content else "labels of content: attributes that are no domain"


def _no_truth(measure: Measure) -> str:
    return "" if measure.knows_truth else "true answers: a rendered world, or images that share a group"


def _nothing(measure: Measure) -> str:
    return ""


METRICS: dict[str, Metric] = {
    "domain_accuracy": Metric(_domain_accuracy, _nothing),
    "content_accuracy": Metric(_content_accuracy, _no_content),
    "identity_distance": Metric(_identity_distance, _no_content),
    "diversity": Metric(_diversity, _nothing),
    "lpips_diversity": Metric(_lpips_diversity, _no_lpips),
    "counterfactual": Metric(_counterfactual, _no_truth),
    "mask_iou": Metric(_mask_iou, _no_truth),
    "confidence": Metric(_confidence, _no_content),
    "distribution": Metric(_distribution, _no_features),
    "reverse_accuracy": Metric(_no_values, _nothing),
}
"""What can be measured, by name."""

NEEDS_TRUTH = {"counterfactual", "mask_iou"}
"""Metrics that compare with true answers."""
