"""How many images a second the worlds give, in memory on one core and as files on all of them.

Run: .venv/bin/python benchmarks/worlds.py
"""

import tempfile
import time
from pathlib import Path

import cv2

from dragoman import worlds
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets
from dragoman.worlds.world import World

N = 400


def main() -> None:
    """Print a table."""
    print(f"{'world':10} {'size':>5} {'drawn /s, one core':>20} {'written /s, all cores':>22}")
    for name, size, kind in (("faces", 64, "images"), ("streets", 64, "modalities"), ("streets", 256, "modalities")):
        world: World = (Faces if name == "faces" else Streets)(size=size, images=N, test_images=1, set=kind)
        print(f"{name:10} {size:5} {drawn(world):20.0f} {written(world):22.0f}", flush=True)


def drawn(world: World) -> float:
    """Images with all their labels."""
    cv2.setNumThreads(1)
    world.draw(world.scene("train", 0))  # lays out the route
    start = time.perf_counter()
    for index in range(1, N // 4):
        world.draw(world.scene("train", index))
    return (N // 4 - 1) / (time.perf_counter() - start)


def written(world: World) -> float:
    """The same as a data set folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        worlds.make(world, Path(folder) / "made")
        return N / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
