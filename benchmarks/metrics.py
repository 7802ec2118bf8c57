"""What it costs to compare sets of images: SqueezeNet features, Frechet and kernel distance, LPIPS.

Half of the images are compared with the other half. Where SqueezeNet's weights are not on this machine they are random,
which costs the same. Exits with 1 if all together take over a minute.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import torch
import tyro
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file

from dragoman.engine.runtime import processor
from dragoman.errors import UserError
from dragoman.metrics.extractor import extractor
from dragoman.metrics.frechet import frechet_distance
from dragoman.metrics.kernel import kernel_distance
from dragoman.metrics.lpips import SMALLEST, published
from dragoman.nets.frozen import PUBLISHED, build, missing

LIMIT = 60.0
T = TypeVar("T")


def random_weights(folder: Path) -> None:
    """Let random weights be found where the published ones would be."""
    path = folder / PUBLISHED["squeezenet"].items[0].name
    path.parent.mkdir()
    save_file({key: value.contiguous() for key, value in build("squeezenet").state_dict().items()}, path)
    os.environ["DRAGOMAN_DATA"] = str(folder)


def measure(images: int, size: int) -> dict[str, float]:
    """Seconds of each metric, of `images` images of `size` pixels.

    Raises:
        UserError: there is no torchmetrics, inside which LPIPS's linear weights ship.
    """
    x = torch.rand(images, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    half = images // 2
    seconds: dict[str, float] = {}

    def timed(name: str, compute: Callable[[], T]) -> T:
        begin = time.perf_counter()
        result = compute()
        seconds[name] = time.perf_counter() - begin
        return result

    squeezenet, metric = extractor("squeezenet"), published("squeeze")
    squeezenet(x[:8])  # the first convolution of each shape is slow
    features = timed("SqueezeNet features", lambda: squeezenet(x))
    timed("Frechet distance", lambda: frechet_distance(features[:half], features[half:]))
    timed("kernel distance", lambda: kernel_distance(features[:half], features[half:]))
    timed("LPIPS", lambda: metric(x[:half], x[half : 2 * half]))
    return seconds


def main(images: int = 2000, size: int = 64, file: Annotated[Path | None, tyro.conf.arg(name="json")] = None) -> int:
    """Measure the metrics on this processor.

    Args:
        images: How many, compared half with half.
        size: Their height and width in pixels.
        file: Where to write the numbers as well.

    Returns:
        1 if they take over a minute together; 2 for a mistake in the arguments.
    """
    try:
        if images < 4 or size < SMALLEST:
            raise UserError(f"--images must be at least 4 and --size at least {SMALLEST}")
        with tempfile.TemporaryDirectory() as folder:
            kind = "random" if missing("squeezenet") else "published"
            if kind == "random":
                random_weights(Path(folder))
            seconds = measure(images, size)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    where = processor(torch.device("cpu"))
    table = Table("metric", "s", "images / s", title=f"{images} images of {size} x {size} on {where}")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.2f}", f"{images / value:.0f}")
    total = sum(seconds.values())
    table.add_row("all", f"{total:.2f}", f"{images / total:.0f}")
    console = Console()
    console.print(table)
    note = f"{torch.get_num_threads()} threads, {kind} weights; at most {LIMIT:.0f} s are allowed"
    console.print(note, highlight=False)
    if file:
        result = {"images": images, "size": size, "weights": kind, "threads": torch.get_num_threads(),
                  "processor": where, "torch": torch.__version__, "seconds": seconds}  # fmt: skip
        file.write_text(json.dumps(result, indent=2) + "\n")
    return int(total > LIMIT)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
