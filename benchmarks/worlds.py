"""How many images a second the worlds give, in memory on one core and as files on all of them.

Run: .venv/bin/python benchmarks/worlds.py
"""

import tempfile
import time
from pathlib import Path

import cv2
import tyro

from dragoman import worlds
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets
from dragoman.worlds.world import World


def main(images: int = 400) -> None:
    """Print a table.

    Args:
        images: Images of each world that are written; a quarter of them are drawn in memory.
    """
    print(f"{'world':10} {'size':>5} {'drawn /s, one core':>20} {'written /s, all cores':>22}")
    for name, size, kind in (("faces", 64, "images"), ("streets", 64, "modalities"), ("streets", 256, "modalities")):
        world: World = (Faces if name == "faces" else Streets)(size=size, images=images, test_images=1, set=kind)
        print(f"{name:10} {size:5} {drawn(world):20.0f} {written(world):22.0f}", flush=True)


def drawn(world: World) -> float:
    """Images with all their labels."""
    cv2.setNumThreads(1)
    world.draw(world.scene("train", 0))  # lays out the route
    start = time.perf_counter()
    for index in range(world.images // 4):
        world.draw(world.scene("train", index))
    return world.images // 4 / (time.perf_counter() - start)


def written(world: World) -> float:
    """The same as a data set folder."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        worlds.make(world, Path(folder) / "made")
        return world.images / (time.perf_counter() - start)


if __name__ == "__main__":
    tyro.cli(main)
