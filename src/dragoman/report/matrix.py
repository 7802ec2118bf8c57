"""Sources in the styles of exemplars: one picture of image files (EGSC-IT Fig. 9)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.data.image import BadImage, read, write
from dragoman.errors import UserError
from dragoman.inference.files import BATCH_PIXELS, known_code, listed
from dragoman.inference.scale import Scale
from dragoman.inference.translator import Translator
from dragoman.report.grids import grid

MOST = 16
"""Sources, and exemplars, in one picture."""
NAME = "matrix.png"


@dataclass
class Matrix:
    """A written picture and what it shows."""

    path: Path
    sources: list[Path] = field(default_factory=list)
    """Of its rows; each stands in the first column."""
    exemplars: list[Path] = field(default_factory=list)
    """Of its columns; each stands in the first row."""
    failed: dict[str, str] = field(default_factory=dict)
    """One line for each bad image, by path."""


def write_matrix(
    translator: Translator,
    inputs: Sequence[Path],
    exemplars: Path,
    out: Path,
    to: str,
    *,
    scale: Scale = "train",
    warn: Callable[[str], None] = lambda _: None,
) -> Matrix:
    """Write `out/matrix.png`: source i in the style of exemplar j, the first `MOST` of each by name.

    Args:
        translator: A model that takes exemplars.
        inputs: Files and folders with the sources, of any sizes.
        exemplars: A folder.
        out: The output folder; nothing else is written there.
        to: The target domain or attributes.
        scale: Of sources and exemplars; see `Translator.rescale`.
        warn: Called with a line for each bad image, and with how many there was no place for.

    Raises:
        UserError: the method takes no exemplar, no image can be read, or the picture cannot be written.
    """
    done = Matrix(out / NAME)
    known = translator.code(to, given=torch.zeros(len(translator.domains)))  # a mistake is found before any work
    if not exemplars.is_dir():
        raise UserError(f"no folder {exemplars}; give a folder of exemplars")
    looks = _first(translator, "exemplars", [exemplars], done, scale, warn)
    translator.style(known, exemplar=next(iter(looks.values()))[0], scale=scale)
    sources = _first(translator, "sources", inputs, done, scale, warn)
    done.exemplars, done.sources = list(looks), list(sources)
    cell = max(64, min(128, translator.task.size))
    rows: list[list[Tensor | None]] = [[None, *(_fitted(look, cell) for look in looks.values())]]
    styles: dict[tuple[float, ...], Tensor] = {}
    for path, x in sources.items():
        code = translator.code(to, x[0], known_code(path, translator))
        if (key := tuple(code.tolist())) not in styles:
            styles[key] = torch.stack([translator.style(code, exemplar=y[0], scale=scale) for y in looks.values()])
        row: list[Tensor | None] = [_fitted(x, cell)]
        for part in styles[key].split(max(1, BATCH_PIXELS // (x.shape[2] * x.shape[3]))):
            n = len(part)
            output, _ = translator.translate(x.expand(n, -1, -1, -1), code.expand(n, -1), part)
            row += [_fitted(image[None], cell) for image in output]
        rows.append(row)
    write(grid(rows, cell=cell), done.path)
    return done


def _first(
    translator: Translator, what: str, given: Sequence[Path], done: Matrix, scale: Scale, warn: Callable[[str], None]
) -> dict[Path, Tensor]:
    """The first images [1, C, H, W] by name that can be read, as the network sees them."""
    named = sorted((name, path) for path, name in listed(given, done.path.parent))
    paths = [path for _, path in named if path.resolve() != done.path.resolve()]
    found: dict[Path, Tensor] = {}
    over = len(paths)
    for path in paths:
        if len(found) == MOST:
            break
        over -= 1
        try:
            found[path] = translator.rescale(scale, read(path, translator.task.channels).tensor[None])
        except BadImage as error:
            done.failed[str(path)] = str(error)
            warn(str(error))
    if not found:
        raise UserError(f"none of {len(paths)} {what} can be read; give folders with .jpg or .png files")
    if over:
        warn(f"{over} {what} left out: the picture has place for the first {MOST}")
    return found


def _fitted(x: Tensor, cell: int) -> Tensor:
    """An image [1, C, H, W] whole in a square cell [C, cell, cell], white around it."""
    height, width = x.shape[2:]
    factor = cell / max(height, width)
    shape = [max(1, round(side * factor)) for side in (height, width)]
    if factor < 1:
        x = F.interpolate(x, shape, mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
    else:
        x = F.interpolate(x, shape, mode="nearest")  # as `grid`: pixels are enlarged, not blurred
    top, left = (cell - shape[0]) // 2, (cell - shape[1]) // 2
    return F.pad(x, (left, cell - shape[1] - left, top, cell - shape[0] - top), value=1.0)[0]
