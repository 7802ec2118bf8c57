"""Mix-and-match networks, Table 4.1 of the thesis: colour images from opponent channels.

Run: .venv/bin/python evidence/mix_and_match_opponent.py (about an hour on two cores; resumes when stopped).
"""

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
from dragoman.worlds.digits import ELEVEN, Digits
from dragoman.worlds.world import SPLITS

FIRST, SECOND = "red_green", "green_blue"
"""Theta_1, which was seen with the image, and Theta_2, which was not (Eq. 4.14)."""
STEPS, BATCH, CLASSIFIER_STEPS = 4000, 8, 1000
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


def main() -> None:
    """Draw the images, train with and without pseudo-pairs, measure, compare, draw."""
    world = Digits(size=32, colours="eleven")
    domains = list(ELEVEN)
    real = collect(world.open("train"), 8000, 0)
    judge = train_classifier(real.images, real.labels.argmax(1), len(domains), steps=CLASSIFIER_STEPS)
    claim = Claim(
        "mix_and_match_opponent", docs="mix_and_match.md", recipe="mix_and_match.opponents", paper=PAPER,
        scale="32 x 32 digits in eleven colours, width 16",
        protocol="R - G and G - B of the images of half of the train digits, R - G and RGB of those of the others, "
        f"batch {BATCH}; accuracy: share of the colour images made of all test images, of digits that are in no train "
        f"image, whose colour a CNN recognises, which was trained {CLASSIFIER_STEPS} steps on real train images; real: "
        "of the test images themselves; black, grey and white are all but alike in both channels, so that of three "
        "such images one is right by chance, and nine of eleven (0.82) is what can be hoped for; without "
        "pseudo-pairs and with them a run each",
    )  # fmt: skip
    root = claim.work / "digits"
    draw(world, root)
    data = {"root": root, "size": 32, "load_size": None, "flip": False}

    def run(w_pseudo: float) -> Path:
        experiment = changed("mix_and_match.opponents", STEPS, data, {"w_pseudo": w_pseudo}, batch_size=BATCH)
        return trained(experiment, claim.work / f"w_pseudo-{w_pseudo:g}")

    test = collect(world.open("test"), 1000, 0)
    lines = [[*test.images[:16]]]
    for row, (w_pseudo, given) in ROWS.items():

        def measured(_: Path, w_pseudo=w_pseudo, given=given) -> Values:
            made = coloured(load(run(w_pseudo)), test, given)
            apart = (made - test.images).square().mean().item()
            return {"accuracy": accuracy(predict(judge, made), test.labels.argmax(1)), "mse": apart}

        claim.row(row, 0, STEPS, measured, claim.work / f"w_pseudo-{w_pseudo:g}")
        lines.append([*coloured(load(run(w_pseudo)), test, given)[:16]])
    claim.row("real", 0, 0, lambda _: {"accuracy": accuracy(predict(judge, test.images), test.labels.argmax(1))})
    picture(claim.name, lines)
    a = {row: claim.mean(row, "accuracy") for row in ROWS}
    claim.write({
        "Table 4.1: the unseen translation is worse than the seen one": a["zero_pair"] < a["seen"],
        "Table 4.1: pseudo-pairs improve the unseen translation": a["pseudo_pairs"] > a["zero_pair"],
        "Table 4.1: both channels are better than the seen one": a["multimodal"] > a["seen"],
        "Table 4.1: pseudo-pairs improve both channels": a["multimodal_pseudo"] > a["multimodal"],
    })  # fmt: skip


def draw(world: Digits, root: Path) -> None:
    """A folder of the digits. File n of the train split is in seen set n modulo 2: so the shades of two digits take
    turns, and all shades of a digit are in one set."""
    for split in SPLITS:
        data = world.open(split)
        digits = len(data.ink)
        for index in range(len(data)):
            shade, digit = divmod(index, digits)
            path = root / split / f"{digit // 2:05d}-{shade}-{digit % 2}.png"
            if digit < digits // 2 * 2 and not path.exists():  # one without a partner would shift all after it
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
