"""Generated images as files, and a picture of them all."""

from collections.abc import Callable, Sequence
from pathlib import Path

from dragoman.data.image import read, to_pil, write
from dragoman.inference.files import remember
from dragoman.inference.sampler import BATCH, Sampler
from dragoman.report.grids import grid

SHOWN = 64
"""Most images in the grid."""


def write_samples(
    sampler: Sampler,
    out: Path,
    seeds: Sequence[int],
    label: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write the image of each seed as OUT/SEED.png, and OUT/grid.png of the first 64; files that are there stay.

    Args:
        sampler: The model.
        out: The folder; it remembers model and label, so that different ones do not mix.
        seeds: Of the images.
        label: The domain; the domains in turn if not given.
        advance: Called with the number of images dealt with.

    Returns:
        The files, the grid last.

    Raises:
        UserError: an unknown domain, images of another model in the folder, or it cannot be written.
    """
    codes = sampler.codes(seeds, label)
    remember(out, {"model": sampler.facts.get("sha256"), "label": label})
    files = [out / f"{seed:06d}.png" for seed in seeds]
    todo = [number for number, path in enumerate(files) if not path.exists()]
    advance(len(files) - len(todo))
    for start in range(0, len(todo), BATCH):
        part = todo[start : start + BATCH]
        for number, image in zip(part, sampler.generate(codes[part], [seeds[i] for i in part]), strict=True):
            write(to_pil(image), files[number])
        advance(len(part))
    shown = [read(path, sampler.task.channels).tensor for path in files[:SHOWN]]
    rows = [shown[start : start + 8] for start in range(0, len(shown), 8)]
    write(grid(rows, cell=max(32, min(128, sampler.task.size))), out / "grid.png")
    return [*files, out / "grid.png"]
