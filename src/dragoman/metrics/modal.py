"""Measuring a translator between modalities: every translation that the data know the answer of (thesis 4.6.1)."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from dragoman.data.dataset import Dataset
from dragoman.data.maps import LEAST
from dragoman.data.modality import UNLABELLED, Modality, known, pack, unpack
from dragoman.errors import UserError
from dragoman.inference.modal import ModalTranslator
from dragoman.metrics.alignment import Alignment
from dragoman.metrics.depth import DepthErrors
from dragoman.metrics.footprint import footprint
from dragoman.metrics.protocol import Protocol, collect
from dragoman.metrics.segmentation import Confusion
from dragoman.metrics.structural import WIDTHS, psnr, ssim

Values = dict[str, float]
BATCH = 32
"""Scenes at once."""
NAMED = 20
"""Most bad scenes that a result names."""


class MeasureScenes:
    """The metrics of translators between modalities on a split: each one alone to each other, and all others together.

    A segmentation has `miou`, `accuracy` and `iou/CLASS`; a depth `delta_1` to `delta_3`, `rmse` in metres and
    `rmse_log`; an image `l1` in [0, 2], `psnr` in dB and `ssim`. Pixels without a label or a depth do not count.
    Of a method with a latent space that modalities share, a translation from one also has `alignment`: the mean cosine
    of the codes of source and target (Eq. 4.16).
    """

    def __init__(self, test: Dataset, protocol: Protocol):
        """`test` is what is measured on, at most `protocol.inputs` scenes of it."""
        self.protocol = protocol
        self.test = collect(test, protocol.inputs, protocol.seed)

    def __call__(self, translator: ModalTranslator, status: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        """Measure a translator.

        Args:
            translator: The model.
            status: Called with what is being measured.

        Returns:
            As `Measure`: metrics, per_domain (by "SOURCE to TARGET" or "SOURCE+SOURCE to TARGET"), protocol, n,
            n_per_domain, left_out, model; and `unseen`, the names of the translations that no training scene showed.

        Raises:
            UserError: no scene has two modalities, or those of the data are not the model's.
        """
        modalities, theirs = translator.task.modalities, self.test.data.task.modalities
        ours, others = ([(m.name, m.channels, m.classes) for m in each] for each in (modalities, theirs))
        if ours != others:
            raise UserError(f"the data have {_described(theirs)}; the model {_described(modalities)}")
        names = [m.name for m in modalities]
        pairs: list[tuple[tuple[str, ...], str]] = [((source,), target) for source, target in permutations(names, 2)]
        if len(names) > 2:
            pairs += [(tuple(name for name in names if name != target), target) for target in names]
        per_domain, counts, unseen, left_out = dict[str, Values](), dict[str, int](), list[str](), list[str]()
        for sources, target in pairs:
            title = f"{'+'.join(sources)} to {target}"
            if not translator.knows(sources, target):
                left_out.append(f"{title}: the model does not know this translation")
                continue
            rows = self._rows(translator, (*sources, target))
            if not len(rows):
                left_out.append(f"{title}: no scene has these modalities")
                continue
            status(title)
            values = self.values(translator, sources, target)
            if not values:
                left_out.append(f"{title}: nothing is known of the {target} of any scene")
                continue
            per_domain[title], counts[title] = values, len(rows)
            if len(sources) == 1 and not any({*sources, target} <= {*seen} for seen in translator.task.seen):
                unseen.append(title)
        if not per_domain:
            raise UserError("no scene has two modalities that the model translates between; name them in "
                            "metadata.jsonl")  # fmt: skip
        bad = list(dict.fromkeys(self.test.bad))
        return {
            "metrics": _means(per_domain, unseen),
            "per_domain": per_domain,
            "unseen": unseen,
            "protocol": f"{len(self.test.rows)} {self.protocol.split} scenes, each modality to each other, and all "
            "others together to each"
            + (", as far as the model knows these" if translator.core.pairs else "")
            + f"; never seen together: {', '.join(unseen) or 'none'}; depth and segmentation: "
            "pixels of all scenes together; images: means over scenes",
            "n": len(self.test.rows),
            "n_per_domain": counts,
            "left_out": left_out + bad[:NAMED] + ([f"and {len(bad) - NAMED} more scenes"] if len(bad) > NAMED else []),
            "model": asdict(self._cost(translator)),
        }

    def _rows(self, translator: ModalTranslator, names: Sequence[str]) -> Tensor:
        """Which scenes have all of these modalities."""
        needed = translator.code(names)
        return ((self.test.labels >= needed).all(1)).nonzero()[:, 0]

    def values(self, translator: ModalTranslator, sources: Sequence[str], target: str) -> Values:
        """The numbers of one translation, from modalities together to one; none if nothing is known of the target."""
        modalities, wanted_one = translator.task.modalities, translator.modality(target)
        given, wanted = translator.code(sources), translator.code([target])
        made, true, latents = [], [], []
        for part in self._rows(translator, (*sources, target)).split(BATCH):
            truth = unpack(self.test.images[part], modalities)
            x = pack({name: truth[name] for name in sources}, modalities)
            y = translator.translate(x, given.expand(len(x), -1), wanted.expand(len(x), -1))
            made.append(unpack(y, modalities)[target])
            true.append(truth[target])
            if len(sources) == 1:
                latents.append([translator.latent(name, truth[name]) for name in (*sources, target)])
        measure = {"segmentation": _segmentation, "depth": _depth, "image": _image}[wanted_one.kind]
        found = measure(wanted_one, torch.cat(made), torch.cat(true))
        return found | _alignment(latents) if found and latents else found

    def _cost(self, translator: ModalTranslator) -> Any:
        """Of translating one modality of one scene to another."""
        x, (first, second, *_) = self.test.images[:1].to(translator.device), translator.domains
        source, target = (translator.core.pairs or [(first, second)])[0]
        return footprint(translator.core, x, *(translator.code([name])[None].to(x) for name in (source, target)))


def _described(modalities: Sequence[Modality]) -> str:
    sizes = (f"{len(m.classes)} classes" if m.classes else f"{m.channels} channels" for m in modalities)
    return ", ".join(f"{m.name} ({size})" for m, size in zip(modalities, sizes, strict=True)) or "no modalities"


def _segmentation(modality: Modality, y: Tensor, truth: Tensor) -> Values:
    """Of probabilities and one-hot truth [N, classes, H, W]."""
    labelled = known(modality, truth)[:, 0]
    if not labelled.any():
        return {}
    confusion = Confusion(modality.channels)
    confusion.update(y.argmax(1), truth.argmax(1).masked_fill(~labelled, UNLABELLED))
    iou = confusion.iou()
    there = [number for number in range(modality.channels) if not iou[number].isnan()]
    each = {f"iou/{modality.classes[number]}": iou[number].item() for number in there}
    return {"miou": confusion.compute(), "accuracy": confusion.accuracy()} | each


def _depth(modality: Modality, y: Tensor, truth: Tensor) -> Values:
    """Of depths [N, 1, H, W], -1 where the truth is unknown."""
    if not known(modality, truth).any():
        return {}
    errors = DepthErrors()
    metres = [(depth.double() + 1) / 2 * modality.furthest for depth in (y, truth)]
    errors.update(metres[0].clamp(min=LEAST), metres[1])
    return errors.compute()


def _alignment(latents: Sequence[Sequence[Tensor | None]]) -> Values:
    """Of the codes of two modalities, batch by batch; none without a shared space, or where a code is all 0."""
    alignment = Alignment()
    for a, b in latents:
        if a is None or b is None or not (a.flatten(1).any(1).all() and b.flatten(1).any(1).all()):
            return {}
        alignment.update(a, b)
    return {"alignment": alignment.compute()}


def _image(modality: Modality, y: Tensor, truth: Tensor) -> Values:
    """Of images [N, C, H, W] in [-1, 1]."""
    values = {"l1": (y - truth).abs().double().mean().item(), "psnr": psnr(y, truth).mean().item()}
    if min(y.shape[2:]) >= WIDTHS["gaussian"]:
        values["ssim"] = ssim(y, truth).mean().item()
    return values


def _means(per_domain: dict[str, Values], unseen: Sequence[str]) -> Values:
    """Over the seen and the unseen translations of one modality, and over those of several, each metric's mean."""
    kinds = {"several": [title for title in per_domain if "+" in title.partition(" to ")[0]], "unseen": [*unseen]}
    kinds["seen"] = [title for title in per_domain if title not in {*kinds["several"], *unseen}]
    found: Values = {}
    for kind in ("seen", "unseen", "several"):
        for name in dict.fromkeys(name for title in kinds[kind] for name in per_domain[title] if "/" not in name):
            values = [per_domain[title][name] for title in kinds[kind] if name in per_domain[title]]
            found[f"{kind}_{name}"] = sum(values) / len(values)
    return found
