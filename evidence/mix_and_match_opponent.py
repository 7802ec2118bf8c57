"""Mix-and-match networks, Table 4.1 of the thesis: colour images from opponent channels.

Run: .venv/bin/python evidence/mix_and_match_opponent.py (half an hour on one core; resumes when stopped).
"""

from itertools import product
from pathlib import Path

import torch
from claim import Claim, Values, changed, picture, trained
from torch import Tensor

from dragoman import load
from dragoman.data.image import to_pil, write
from dragoman.data.modality import COLOUR, pack, unpack
from dragoman.inference.modal import ModalTranslator
from dragoman.metrics.classification import accuracy, predict
from dragoman.metrics.protocol import Samples, collect
from dragoman.nets.classifier import train_classifier
from dragoman.worlds.faces import CONTENT, Faces
from dragoman.worlds.world import SPLITS

COLOURS = ("background", "clothes", "skin")
"""What the classifiers recognise: all that is told apart by colour alone. Pictures of one colour on a plain ground
would not do: instance norm leaves no trace of how strong a difference is that all of a picture has."""
FIRST, SECOND = "red_green", "green_blue"
"""Theta_1, which was seen with the image, and Theta_2, which was not (Eq. 4.14)."""
STEPS, BATCH, CLASSIFIER_STEPS = 4000, 8, 1000
SEEDS = (0, 1)
ROWS = {  # weight of pseudo-pairs, and what the image is made from
    "seen": (0.0, (FIRST,)),
    "zero_pair": (0.0, (SECOND,)),
    "pseudo_pairs": (100.0, (SECOND,)),
    "multimodal": (0.0, (FIRST, SECOND)),
    "multimodal_pseudo": (100.0, (FIRST, SECOND)),
}
PAPER = {  # Table 4.1, ten kinds of flowers
    "seen": {"accuracy": 0.75}, "zero_pair": {"accuracy": 0.365}, "pseudo_pairs": {"accuracy": 0.575},
    "multimodal": {"accuracy": 0.775}, "multimodal_pseudo": {"accuracy": 0.805},
}  # fmt: skip


class Judge:
    """A classifier for each thing that has a colour, trained on real images."""

    def __init__(self, real: Samples) -> None:
        self.of = {
            name: train_classifier(real.images, real.attributes[name], CONTENT[name], steps=CLASSIFIER_STEPS)
            for name in COLOURS
        }

    def __call__(self, images: Tensor, truth: Samples) -> Values:
        """Accuracy on images that show what the samples do, of each and their mean."""
        found = {name: accuracy(predict(cnn, images), truth.attributes[name]) for name, cnn in self.of.items()}
        return {"accuracy": sum(found.values()) / len(found)} | found


def main() -> None:
    """Draw the images, train with and without pseudo-pairs, measure, compare, draw."""
    world = Faces(size=32)
    judge = Judge(collect(world.open("train"), 4000, 0))
    claim = Claim(
        "mix_and_match_opponent", docs="mix_and_match.md", recipe="mix_and_match.opponents", paper=PAPER,
        scale="32 x 32 drawn faces, width 16",
        protocol="R - G and G - B of half of the train images, R - G and RGB of the others, batch "
        f"{BATCH}; accuracy: of the colour images made of all test images, by CNNs of what has a colour "
        f"({', '.join(COLOURS)}: their mean), each trained {CLASSIFIER_STEPS} steps on real train images; real: of the "
        "test images themselves; mse: to them; without pseudo-pairs and with them a run of each seed",
    )  # fmt: skip
    root = claim.work / "faces"
    draw(world, root)
    data = {"root": root, "size": 32, "load_size": None, "flip": False}

    def run(w_pseudo: float, seed: int) -> Path:
        method = {"w_pseudo": w_pseudo}
        experiment = changed("mix_and_match.opponents", STEPS, data, method, batch_size=BATCH, seed=seed)
        return trained(experiment, place(claim, w_pseudo, seed))

    test = collect(world.open("test"), 1000, 0)
    lines = [[*test.images[:16]]]
    for (row, (w_pseudo, given)), seed in product(ROWS.items(), SEEDS):

        def measured(_: Path, w_pseudo=w_pseudo, given=given, seed=seed) -> Values:
            made = coloured(load(run(w_pseudo, seed)), test, given)
            return judge(made, test) | {"mse": (made - test.images).square().mean().item()}

        claim.row(row, seed, STEPS, measured, place(claim, w_pseudo, seed))
        if not seed:
            lines.append([*coloured(load(run(w_pseudo, seed)), test, given)[:16]])
    claim.row("real", 0, 0, lambda _: judge(test.images, test))
    picture(claim.name, lines)
    a = {row: claim.mean(row, "accuracy") for row in ROWS}
    claim.write({
        "Table 4.1: the unseen translation is worse than the seen one": a["zero_pair"] < a["seen"],
        "Table 4.1: pseudo-pairs improve the unseen translation": a["pseudo_pairs"] > a["zero_pair"],
        "Table 4.1: both channels are better than the seen one": a["multimodal"] > a["seen"],
        "Table 4.1: pseudo-pairs improve both channels": a["multimodal_pseudo"] > a["multimodal"],
    })  # fmt: skip


def place(claim: Claim, w_pseudo: float, seed: int) -> Path:
    """Where a run is."""
    return claim.work / (f"w_pseudo-{w_pseudo:g}" + (f"-{seed}" if seed else ""))


def draw(world: Faces, root: Path) -> None:
    """A folder of the faces. Every one is another person: so what is seen of one set says nothing of the other."""
    for split in SPLITS:
        data = world.open(split)
        for index in range(len(data)):
            path = root / split / f"{index:05d}.png"
            if not path.exists():
                write(to_pil(data.load(index)), path)


def coloured(translator: ModalTranslator, test: Samples, given: tuple[str, ...]) -> Tensor:
    """Colour images [N, 3, H, W] made from opponent channels of real ones."""
    red, green, blue = ((channel[:, None] + 1) / 2 for channel in test.images.unbind(1))
    parts = {FIRST: red - green, SECOND: green - blue}
    modalities = translator.task.modalities
    x = pack({name: parts[name] for name in given}, modalities)
    codes = [translator.code(names).expand(len(x), -1) for names in (given, [COLOUR])]
    parts = zip(x.split(100), *(code.split(100) for code in codes), strict=True)
    return torch.cat([unpack(translator.translate(*part), modalities)[COLOUR] for part in parts])


if __name__ == "__main__":
    main()
