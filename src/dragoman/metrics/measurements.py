"""What can be measured of translations to one domain, by name, and what the data must have for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.data.manifest import Box
from dragoman.data.pairing import Reach
from dragoman.metrics.classification import accuracy, drop_in_confidence, embed, misclassification_rate, predict
from dragoman.metrics.counterfactual import inside_outside
from dragoman.metrics.diversity import pixel_diversity
from dragoman.metrics.extractor import frechet_name, kernel_name, lacking
from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.identity import identity_distance
from dragoman.metrics.kernel import kernel_distance
from dragoman.metrics.lpips import LPIPS, SMALLEST, published
from dragoman.metrics.lpips import diversity as lpips_diversity
from dragoman.metrics.lpips import lacking as lpips_lacking
from dragoman.metrics.mask import changed_region, mask_iou
from dragoman.metrics.protocol import targets
from dragoman.metrics.retrieval import nearest, recall_over_distance
from dragoman.metrics.sift import sift_distance
from dragoman.metrics.structural import ssim, ssim_map

if TYPE_CHECKING:
    from dragoman.metrics.measure import Measure

Values = dict[str, float]

METRES = (5, 10, 25)
"""Within which a place counts as found again."""


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
    """[n, 1, H, W] of the first style, if the method has masks that mark what it changes."""
    known: Tensor
    """[k] which of the n have a known true answer; none if no metric asks."""
    truth: Tensor
    """[k, C, H, W] the true answers."""
    features: dict[str, Tensor] = field(default_factory=dict)
    """[n, D] of the first style, by the name of what computed them: once for all metrics."""


@dataclass(frozen=True)
class Metric:
    """A measurement of translations to one domain."""

    compute: Callable[["Measure", Translated], Values]
    missing: Callable[["Measure"], str]
    """What the data lack for it, in words; empty if nothing."""


def _domain_accuracy(measure: "Measure", t: Translated) -> Values:
    """By the classifier of the domains; with attributes also of the one that was to change, and of the others."""
    features = embed(measure.classifier, t.outputs.flatten(0, 1))
    t.features["classifier"] = features[: len(t.rows)]
    logits = measure.classifier.head(features)
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


def _content_accuracy(measure: "Measure", t: Translated) -> Values:
    """Of each content label, by the classifier of the content."""
    logits = predict(measure.content_classifier, t.outputs.flatten(0, 1)).split(measure.content_classes, 1)
    return {
        f"{name}_accuracy": accuracy(part, labels[t.rows].repeat(len(t.outputs)))
        for (name, labels), part in zip(measure.content.items(), logits, strict=True)
    }


def _identity_distance(measure: "Measure", t: Translated) -> Values:
    """Between input and translation, on the features of the classifier of the content."""
    before, after = (embed(measure.content_classifier, images) for images in (t.x, t.outputs.flatten(0, 1)))
    return {"identity_distance": identity_distance(before.repeat(len(t.outputs), 1), after)}


def _diversity(measure: "Measure", t: Translated) -> Values:
    """Of the pixels of one input's translations."""
    return {"diversity": pixel_diversity(t.outputs) if len(t.outputs) > 1 else 0.0}


def _confidence(measure: "Measure", t: Translated) -> Values:
    """What translation makes of each content label: how often it is misread, how much less sure it is (UDIT)."""
    net, classes = measure.content_classifier, measure.content_classes
    before, after = (predict(net, images).split(classes, 1) for images in (t.x, t.outputs.flatten(0, 1)))
    styles, values = len(t.outputs), {}
    for (name, labels), x, y in zip(measure.content.items(), before, after, strict=True):
        wanted = labels[t.rows].repeat(styles)
        values[f"{name}_misclassified"] = misclassification_rate(y, wanted)
        values[f"{name}_confidence_drop"] = drop_in_confidence(x.repeat(styles, 1), y, wanted)
    return values


def _distribution(measure: "Measure", t: Translated) -> Values:
    """Frechet and kernel distance of the first style's translations to real images, on one set of features."""
    name = measure.protocol.features
    real, fake = measure.real_features(t.domain), measure.features(t)
    return {
        frechet_name(name): frechet_distance(fake, real),
        kernel_name(name): kernel_distance(fake, real),
    }


def _no_features(measure: "Measure") -> str:
    if missing := lacking(measure.protocol.features):
        return missing
    fewest = min(len(rows) for _, rows, _ in targets(measure.task, measure.test.labels))
    least = measure.protocol.least
    return "" if fewest >= least else f"at least {least} inputs for every target domain, there are {fewest}"


def _counterfactual(measure: "Measure", t: Translated) -> Values:
    """To the true answer: mean |difference| of [-1, 1] pixels, SSIM, and LPIPS where its weights are here; each also
    where the image must change (inside) and elsewhere (outside).

    `truth_l1_untouched` is that of the input itself: what doing nothing would give.
    """
    if not len(t.known):
        return {}
    x, outputs = t.x[t.known], t.outputs[:, t.known].flatten(0, 1)
    styles = len(t.outputs)
    truth, region = t.truth.repeat(styles, 1, 1, 1), changed_region(x, t.truth).repeat(styles, 1, 1, 1)
    error = (outputs - truth).abs().mean(1, keepdim=True)
    maps, values = {"l1": error, "ssim": ssim_map(outputs, truth)}, {"truth_l1": error.double().mean().item()}
    values["truth_ssim"] = ssim(outputs, truth).mean().item()
    if not _no_lpips(measure):
        distances, maps["lpips"] = _lpips_to(truth, outputs, published(measure.protocol.lpips))
        values["truth_lpips"] = distances.mean().item()
    for name, per_pixel in maps.items():
        for side, mean in zip(("inside", "outside"), inside_outside(per_pixel, region), strict=True):
            values[f"truth_{name}_{side}"] = mean.nanmean().item()
    return values | {"truth_l1_untouched": (x - t.truth).abs().double().mean().item()}


def _lpips_to(truth: Tensor, outputs: Tensor, metric: LPIPS) -> tuple[Tensor, Tensor]:
    """Distances [N] and their maps [N, 1, H, W], from one pass."""
    distances, maps = [], []
    for a, b in zip(truth.split(64), outputs.split(64), strict=True):
        found = metric.features(a), metric.features(b)
        distances.append(metric.distance(*found))
        maps.append(metric.map(*found, truth.shape[2:]))
    return torch.cat(distances), torch.cat(maps)


def _mask_iou(measure: "Measure", t: Translated) -> Values:
    """Of the method's mask with the pixels that must change; and what a mask drawn at random would reach."""
    if t.masks is None or not len(t.known):
        return {}
    region = changed_region(t.x[t.known], t.truth)
    share = region.double().mean((1, 2, 3))
    chance = (share / (2 - share))[share > 0].mean()
    return {"mask_iou": mask_iou(t.masks[t.known], region).nanmean().item(), "mask_iou_chance": chance.item()}


def _sift(measure: "Measure", t: Translated) -> Values:
    """SIFT distance to the real image of the target domain that was taken nearest, where one is in reach."""
    gallery = measure.of_domain(t.domain)
    metres, degrees = measure.apart(t.rows, gallery)
    reach = Reach()
    near = torch.where(degrees <= reach.max_angle, metres, torch.inf).min(1)
    pairs = (near.values <= reach.max_distance).nonzero()[:, 0]
    if not len(pairs):
        return {}
    partners = measure.test.images[gallery[near.indices[pairs]]]
    distance, unmatched = sift_distance(t.outputs[0][pairs], partners, measure.protocol.enlarge)
    found = {} if distance != distance else {"sift_distance": distance}
    return found | {"sift_unmatched": unmatched}


def _recall(measure: "Measure", t: Translated) -> Values:
    """Share of inputs whose nearest real image of the target domain shows a place within some metres, if translated
    first and if not (weakly paired 6.2)."""
    gallery = measure.of_domain(t.domain)
    if not len(gallery):
        return {}
    features, (metres, _) = measure.extractor(measure.test.images[gallery]), measure.apart(t.rows, gallery)
    values: Values = {}
    for suffix, queries in (("", measure.features(t)), ("_untranslated", measure.extractor(t.x))):
        _, found = nearest(queries, features, 1)
        shares = recall_over_distance(metres.gather(1, found)[:, 0], METRES)
        values |= {f"recall_{d}m{suffix}": share for d, share in zip(METRES, shares, strict=True)}
    return values


def _instances(measure: "Measure", t: Translated) -> Values:
    """Frechet distance of the translated instances, cut out by their boxes, to real ones of the target domain."""
    fake = crops(t.outputs[0], [measure.test.data.about(measure.test.rows[r]).boxes for r in t.rows.tolist()])
    real = measure.real_instances(t.domain)
    if min(len(fake), len(real)) < measure.protocol.least:
        return {}
    name = frechet_name(measure.protocol.features)
    return {f"{name}_instances": frechet_distance(measure.extractor(fake), real)}


def crops(images: Tensor, boxes: list[list[Box]]) -> Tensor:
    """What the boxes of each image [N, C, H, W] show, resized to the images' size: [M, C, H, W]."""
    size = images.shape[2:]
    parts = []
    for image, mine in zip(images, boxes, strict=True):
        for box in mine:
            left, top, right, bottom = (round(side) for side in box.box)
            part = image[None, :, max(top, 0) : bottom, max(left, 0) : right]
            if part.numel():
                parts.append(F.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True))
    return torch.cat(parts) if parts else images[:0]


def _no_poses(measure: "Measure") -> str:
    if not measure.task.exclusive:
        return "exclusive domains"
    return lacking(measure.protocol.features) or ("" if len(measure.poses) else "poses of the images")


def _no_boxes(measure: "Measure") -> str:
    if not measure.task.exclusive:
        return "exclusive domains"
    about = (measure.test.data.about(row) for row in measure.test.rows[:20])
    return lacking(measure.protocol.features) or ("" if any(row.boxes for row in about) else "boxes of instances")


def _no_values(measure: "Measure", t: Translated) -> Values:
    """For metrics of all translations together."""
    return {}


def _lpips_diversity(measure: "Measure", t: Translated) -> Values:
    """LPIPS between the styles of one input."""
    if len(t.outputs) < 2:
        return {"lpips_diversity": 0.0}
    metric = published(measure.protocol.lpips)
    values = lpips_diversity(t.outputs, metric, measure.protocol.pairs, measure.protocol.seed)
    return {"lpips_diversity": values.mean().item()}


def _no_lpips(measure: "Measure") -> str:
    if measure.task.size < SMALLEST:
        return f"images of at least {SMALLEST} pixels"
    return lpips_lacking(measure.protocol.lpips)


def _no_content(measure: "Measure") -> str:
    return "" if measure.content else "labels of content: attributes that are no domain"


def _no_truth(measure: "Measure") -> str:
    return "" if measure.knows_truth else "true answers: a rendered world, or images that share a group"


def _nothing(measure: "Measure") -> str:
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
    "sift": Metric(_sift, _no_poses),
    "recall": Metric(_recall, _no_poses),
    "instances": Metric(_instances, _no_boxes),
    "reverse_accuracy": Metric(_no_values, _nothing),
}
"""What can be measured, by name."""

NEEDS_TRUTH = {"counterfactual", "mask_iou"}
"""Metrics that compare with true answers."""
