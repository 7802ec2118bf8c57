"""What the claims on streets in several modalities share: runs that are trained once, and their numbers."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from claim import HERE, Values, changed, kept, picture, trained
from torch import Tensor

from dragoman import load, recipes
from dragoman.data.modality import Modality, pack, unpack
from dragoman.metrics.modal import MeasureScenes
from dragoman.metrics.protocol import Protocol, collect
from dragoman.report.scenes import looks

STEPS, SCENES, ROWS = 5000, 4000, 6
"""Of every run: steps, scenes of all seen sets together, and rows of them in a batch, as published. So the oracle,
whose one set has everything, sees the same scenes as all others, and all modalities of each."""
STARGAN_ROWS = 12
"""Of StarGAN, of which a row is one random translation instead of all."""
UNSEEN = "depth to segmentation"
SCALE = "64 x 64 streets, width 16"
PROTOCOL = (
    f"{SCENES:,} scenes, half of them of each seen set, {ROWS} a step; those of the sets are different pictures along "
    "one street; 400 test scenes of another part of it; miou: depth to segmentation, pixels of all scenes together; "
    "the learning rate of mix-and-match is a fifth for the last fifth of the steps, with pseudo-pairs or without; its "
    "RGB encoder starts from random weights if a row does not say otherwise, in the thesis from pretrained ones"
)
OTHERS = (
    "the oracle sees the same scenes, all with everything; CycleGAN, StarGAN and pix2pix have learning rates that fall "
    f"linearly to 0 over the last half of the steps; StarGAN has {STARGAN_ROWS} rows a step, for a row is one random "
    "translation"
)

RUNS = HERE.parent / "runs" / "evidence" / "modalities"


def run(recipe: str, name: str = "", data: Mapping[str, Any] | None = None, seed: int = 0, **method: Any) -> Path:
    """The folder of a recipe's run with the budget of all claims, perhaps with other settings, trained once."""
    settings = {"seen": recipes.find(recipe).data.seen, "images": SCENES} | dict(data or {})
    rows = STARGAN_ROWS if recipe.startswith("modal_stargan") else ROWS
    experiment = changed(recipe, STEPS, settings, method, batch_size=rows, evaluate_every=STEPS // 10, seed=seed)
    trained(experiment, RUNS / (name or recipe))
    return RUNS / (name or recipe)


def numbers(folder: Path) -> dict[str, Values]:
    """The metrics of every translation, "SOURCE to TARGET"."""
    return json.loads((folder / "metrics.json").read_text())["per_domain"]


def of_rgb(folder: Path, source: str, target: str) -> Values:
    """The metrics of the code of one modality alone, decoded with the indices of the scene's RGB."""
    translator = load(folder / "model")
    translator.core.alpha = 1.0
    return _measure().values(translator, ("rgb", source), target)


def scenes(name: str, runs: Mapping[str, Path], sources: Sequence[str], target: str) -> None:
    """A claim's picture: test scenes, and what each run makes of them."""
    truth, shown = _scenes()
    columns = {m: looks(shown[m], truth[m]) for m in shown if m in ("rgb", *sources, target)}
    columns |= {row: made(folder, sources, target) for row, folder in runs.items()}
    picture(name, [list(images) for images in zip(*columns.values(), strict=True)], list(columns), 72)


def made(folder: Path, sources: Sequence[str], target: str) -> list[Tensor]:
    """What a run makes of the test scenes of the pictures, as it looks."""

    def draw() -> list[Tensor]:
        translator = load(folder / "model")
        truth, modalities = _scenes()[0], translator.task.modalities
        x = pack({source: truth[source] for source in sources}, modalities)
        given, wanted = (translator.code(names).expand(len(x), -1) for names in (sources, [target]))
        return looks(translator.modality(target), unpack(translator.translate(x, given, wanted), modalities)[target])

    return kept(folder / f"{'+'.join(sources)}-to-{target}.png", draw)


@cache
def _measure() -> MeasureScenes:
    return MeasureScenes(recipes.find("mix_and_match.streets").data.open("test"), Protocol())


@cache
def _scenes() -> tuple[dict[str, Tensor], dict[str, Modality]]:
    """A few test scenes in all modalities, and what these are."""
    data = recipes.find("mix_and_match.streets_four").data  # which has all of them
    modalities = data.task.modalities
    return unpack(collect(data.open("test"), 8, 0).images, modalities), {m.name: m for m in modalities}
