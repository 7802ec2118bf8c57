"""Generated images as files, and a picture of them all."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dragoman.data.image import read, to_pil, write
from dragoman.inference.files import remember
from dragoman.inference.sampler import BATCH, Sampler
from dragoman.report.grids import grid

SHOWN = 64
"""Most images in the grid."""


@dataclass(frozen=True)
class Written:
    """What became of the seeds."""

    files: list[Path]
    """One per seed, and the grid last."""
    made: int
    """How many were not there already."""
    seconds: float
    """To make those, without writing them."""

    @property
    def seconds_per_image(self) -> float:
        """In batches of `BATCH`; 0 if none had to be made."""
        return self.seconds / self.made if self.made else 0.0


def write_samples(
    sampler: Sampler,
    out: Path,
    seeds: Sequence[int],
    label: str | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write the image of each seed as OUT/SEED.png, and OUT/grid.png of the first 64; files that are there stay.

    Args:
        sampler: The model.
        out: The folder; it remembers model and label, so that different ones do not mix.
        seeds: Of the images.
        label: The domain; the domains in turn if not given.
        advance: Called with the number of images dealt with.

    Returns:
        The files, and the time it took to make the images.

    Raises:
        UserError: an unknown domain, images of another model in the folder, or it cannot be written.
    """
    codes = sampler.codes(seeds, label)
    remember(out, {"model": sampler.facts.get("sha256"), "label": label})
    files = [out / f"{seed:06d}.png" for seed in seeds]
    todo = [number for number, path in enumerate(files) if not path.exists()]
    advance(len(files) - len(todo))
    seconds = 0.0
    for start in range(0, len(todo), BATCH):
        part = todo[start : start + BATCH]
        began = time.perf_counter()
        images = sampler.generate(codes[part], [seeds[i] for i in part])
        seconds += time.perf_counter() - began
        for number, image in zip(part, images, strict=True):
            write(to_pil(image), files[number])
        advance(len(part))
    shown = [read(path, sampler.task.channels).tensor for path in files[:SHOWN]]
    rows = [shown[start : start + 8] for start in range(0, len(shown), 8)]
    write(grid(rows, cell=max(32, min(128, sampler.task.size))), out / "grid.png")
    return Written([*files, out / "grid.png"], len(todo), seconds)
