"""A picture of what a translator between modalities does: scenes beside their translations."""

from itertools import permutations

import torch
from PIL import Image
from torch import Tensor

from dragoman.data.modality import Modality, known, pack, unpack
from dragoman.inference.modal import ModalTranslator
from dragoman.report.grids import grid


def looks(modality: Modality, x: Tensor) -> Tensor:
    """A modality [N, C, H, W] as images [N, 3, H, W] in [-1, 1].

    Depth as grey, near is light; segmentation in the palette's colours; what is unknown or unlabelled is black.
    """
    if modality.kind == "image":
        return x.expand(-1, 3, -1, -1)
    if modality.kind == "depth":
        return torch.where(known(modality, x), -x, -1).expand(-1, 3, -1, -1)
    colours = modality.colours.to(x)[x.argmax(1)].permute(0, 3, 1, 2)
    return torch.where(known(modality, x), colours, -1)


def scenes(translator: ModalTranslator, images: Tensor, labels: Tensor) -> Image.Image:
    """A row for each scene: its pictures, then each of them translated to each other modality, as the model can.

    Args:
        translator: The model.
        images: [N, sum C, H, W], packed.
        labels: [N, K] which modalities each scene has; others, and translations from them, are left blank.
    """
    modalities = translator.task.modalities
    truth = unpack(images, modalities)
    rows: list[list[Tensor | None]] = [[] for _ in images]
    header = []
    for number, m in enumerate(modalities):
        header.append(m.name)
        for row, picture, has in zip(rows, looks(m, truth[m.name]), labels[:, number].tolist(), strict=True):
            row.append(picture if has else None)
    seen = [{*names} for names in translator.task.seen]
    for source, target in permutations(modalities, 2):
        if not translator.knows([source.name], target.name):
            continue
        new = not any({source.name, target.name} <= names for names in seen)
        header.append(f"{source.name[:3]}-{target.name[:3]}{'*' if new else ''}")
        codes = [translator.code([m.name]).expand(len(images), -1) for m in (source, target)]
        y = translator.translate(pack({source.name: truth[source.name]}, modalities), *codes)
        has = labels[:, modalities.index(source)].tolist()
        for row, picture, given in zip(rows, looks(target, unpack(y, modalities)[target.name]), has, strict=True):
            row.append(picture if given else None)
    return grid(rows, header, max(64, min(128, images.shape[-1])))
