"""Pictures of what a translator does: inputs beside their translations, and the masks."""

from collections.abc import Sequence
from textwrap import wrap

import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from torch import Tensor

from dragoman.data.image import to_pil
from dragoman.inference.sampler import Sampler
from dragoman.inference.translator import Translator


def grid(rows: Sequence[Sequence[Tensor | None]], header: Sequence[str] = (), cell: int = 64) -> Image.Image:
    """One picture of images [C, H, W] in [-1, 1]: a row of cells (None is blank) per sequence, a name over each."""
    titles = [wrap(name.replace("_", " "), cell // 6) for name in header]
    gap, top = 2, 2 + 12 * max(map(len, titles), default=0) if header else 0
    width, height = max(map(len, rows)) * (cell + gap) + gap, len(rows) * (cell + gap) + gap + top
    canvas = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(canvas)
    for column, words in enumerate(titles):
        draw.text((gap + column * (cell + gap), 1), "\n".join(words), fill=(0, 0, 0), spacing=1)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            if image is None:
                continue
            scaled = F.interpolate(image[None].float(), (cell, cell), mode="nearest")[0]
            canvas.paste(to_pil(scaled), (gap + x * (cell + gap), top + gap + y * (cell + gap)))
    return canvas


def translations(
    translator: Translator, images: Tensor, labels: Tensor | None = None, styles: int = 3, seed: int = 0
) -> tuple[Image.Image, Image.Image | None]:
    """Every image in every domain, in `styles` styles; and the masks of the first style, if there are any.

    With attributes, every image with each attribute flipped. A translator that is `one_way` leaves the cells of an
    image's own domain blank.

    Args:
        translator: The model.
        images: [N, C, H, W] in [-1, 1].
        labels: [N, K] the codes of the images; attributes are read off the images where they are not given.
        styles: Per image and domain, for methods that sample one.
        seed: Of the first style.
    """
    task = translator.task
    styles = styles if translator.core.style_dim else 1
    if labels is None:
        labels = torch.zeros(len(images), len(task.domains)) if task.exclusive else translator.classify(images)
    rows: list[list[Tensor | None]] = [[image] for image in images]
    masks: list[list[Tensor | None]] = [[image] for image in images]
    for number, domain in enumerate(task.domains):
        if task.exclusive:
            codes = task.code(domain).expand(len(images), -1)
        else:
            codes = labels.clone()
            codes[:, number] = 1 - codes[:, number]
        shown = [not (translator.core.one_way and own) for own in labels[:, number].tolist()]
        for s in range(styles):
            style = torch.stack([translator.style(code, seed + s) for code in codes])
            output, mask = translator.translate(images, codes, style)
            for row, image, show in zip(rows, output, shown, strict=True):
                row.append(image if show else None)
            if mask is not None and s == 0:
                for line, image, attention, show in zip(masks, output, mask, shown, strict=True):
                    line += [image, attention * 2 - 1] if show else [None, None]
    domains = list(task.domains)
    names = ["input"] + [d if s == 0 else "" for d in domains for s in range(styles)]
    cell = max(64, min(128, images.shape[-1]))
    picture = grid(rows, names, cell)
    if len(masks[0]) == 1:
        return picture, None
    return picture, grid(masks, ["input"] + [n for d in domains for n in (d, "mask")], cell)


def generated(sampler: Sampler, count: int, seed: int = 0, label: str | None = None) -> Image.Image:
    """`count` generated images, seeds from `seed` on; a row for each domain, or eight to a row of one domain alone."""
    domains = [label] if label is not None else list(sampler.domains)
    cell = max(32, min(128, sampler.task.size))
    if len(domains) == 1:
        images = sampler.generate(sampler.codes([0] * count, domains[0]), range(seed, seed + count))
        return grid([list(part) for part in images.split(8)], cell=cell)
    each = range(seed, seed + max(1, count // len(domains)))
    return grid([list(sampler.generate(sampler.codes([0] * len(each), d), each)) for d in domains], cell=cell)
