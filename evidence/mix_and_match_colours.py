"""Mix-and-match networks between eleven colours, Fig. 4.5 of the thesis: only pairs with blue are ever trained.

Run: .venv/bin/python evidence/mix_and_match_colours.py (an hour on two cores; resumes when stopped). Needs MNIST.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from claim import HERE, Claim, Values, changed, trained
from torch import Tensor

from dragoman import load, recipes
from dragoman.inference.translator import Translator
from dragoman.metrics.classification import accuracy, predict
from dragoman.metrics.protocol import Samples, collect
from dragoman.nets.classifier import Classifier, train_classifier
from dragoman.report.grids import grid

ANCHOR = "blue"
INPUTS, IMAGES, CLASSIFIER_STEPS = 440, 8000, 1000
"""Test images; real train images that the classifiers learn from, and for how long."""
DATA = {"source": "mnist"}
"""Not what the recipe would take where MNIST is missing: its stand-in has 130 train digits of a colour."""
ROWS = {  # recipe, and whether unseen pairs go through the anchor (4.3.1)
    "mix_and_match": ("mix_and_match_domains.colours", False),
    "cascade": ("mix_and_match_domains.colours", True),
    "no_autoencoders": ("mix_and_match_domains.colours_no_autoencoders", False),
}


class Judge:
    """Classifiers of the colour and of the digit, trained on real images, and the test images to translate."""

    def __init__(self) -> None:
        data = recipes.find("mix_and_match_domains.colours").data.model_copy(update=DATA)
        real, self.test = collect(data.open("train"), IMAGES, 0), collect(data.open("test"), INPUTS, 0)
        self.domains = data.task.domains
        self.source, self.digit = self.test.labels.argmax(1), self.test.attributes["digit"]
        self.colour_of = self._fit(real, real.labels.argmax(1), len(self.domains))
        self.digit_of = self._fit(real, real.attributes["digit"], 10)

    def _fit(self, real: Samples, targets: Tensor, classes: int) -> Classifier:
        return train_classifier(real.images, targets, classes, steps=CLASSIFIER_STEPS)

    def real(self) -> Values:
        """On the test images themselves."""
        x = self.test.images
        return {
            "accuracy_real": accuracy(predict(self.colour_of, x), self.source),
            "digit_real": accuracy(predict(self.digit_of, x), self.digit),
        }

    def __call__(self, translator: Translator, cascaded: bool) -> Values:
        """Every test image to every other colour, from the colour it is known to have; seen and unseen pairs apart."""
        count, anchor = len(self.domains), self.domains.index(ANCHOR)
        rows = torch.arange(len(self.source)).repeat_interleave(count)
        target = torch.arange(count).repeat(len(self.source))
        other = self.source[rows] != target
        rows, target = rows[other], target[other]
        source = self.source[rows]
        seen, values = (source == anchor) | (target == anchor), {}
        for name, chosen in (("seen", seen), ("unseen", ~seen)):
            x, a, b = self.test.images[rows[chosen]], source[chosen], target[chosen]
            if cascaded and name == "unseen":
                via = torch.full_like(a, anchor)
                x, a = between(translator, x, a, via), via
            y = between(translator, x, a, b)
            values[f"accuracy_{name}"] = accuracy(predict(self.colour_of, y), b)
            values[f"digit_{name}"] = accuracy(predict(self.digit_of, y), self.digit[rows[chosen]])
        read = translator.classify(self.test.images).argmax(1)
        return values | {"source_accuracy": (read == self.source).double().mean().item()}


@torch.no_grad()
def between(translator: Translator, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Images [N, C, H, W] of known domains [N] in others."""
    parts = zip(x.split(256), source.split(256), target.split(256), strict=True)
    return torch.cat([translator.core.between(*part) for part in parts])


def main() -> None:
    """Train, measure, compare, draw."""
    judge = Judge()
    claim = Claim(
        "mix_and_match_colours", docs="mix_and_match_domains.md", paper={},
        recipe=", ".join(dict.fromkeys(recipe for recipe, _ in ROWS.values())),
        scale="32 x 32 MNIST in eleven colours, width 16",
        protocol=f"{len(judge.source)} test images, each to every other colour from the colour it is known to have; "
        f"accuracy: share in the wanted colour, digit: share still the same digit, by two CNNs, {CLASSIFIER_STEPS} "
        f"steps on {IMAGES} real train images; seen: from or to {ANCHOR}; unseen: all others, in the cascade by way of "
        f"{ANCHOR}; source_accuracy: share of test images whose own colour the model reads off rightly",
    )  # fmt: skip
    for row, (recipe, cascaded) in ROWS.items():
        experiment, run = changed(recipe, recipes.find(recipe).train.steps, DATA, {}), claim.work / recipe

        def measured(_: Path, experiment=experiment, run=run, cascaded=cascaded) -> Values:
            return judge(load(trained(experiment, run)), cascaded)

        claim.row(row, 0, experiment.train.steps, measured)
    claim.row("real", 0, 0, lambda _: judge.real())
    picture(claim, judge)
    m, alone, cascade = (
        lambda name, row=row: claim.mean(row, name) for row in ("mix_and_match", "no_autoencoders", "cascade")
    )
    chance = 1 / len(judge.domains)
    claim.write({
        "Fig. 4.5: unseen pairs give the wanted colour at least 90 % as often as seen ones":
            m("accuracy_unseen") >= 0.9 * m("accuracy_seen"),
        f"Fig. 4.5: at least eight times as often as by chance ({chance:.3f})": m("accuracy_unseen") >= 8 * chance,
        "Fig. 4.5: unseen pairs keep the digit at least 90 % as often as seen ones":
            m("digit_unseen") >= 0.9 * m("digit_seen"),
        "4.3.1: they keep the digit as often as the cascade, within 2 points":
            m("digit_unseen") >= cascade("digit_unseen") - 0.02,
        "4.3.2: without autoencoders unseen pairs lose the digit more often": m("digit_unseen") > alone("digit_unseen"),
    })  # fmt: skip


def picture(claim: Claim, judge: Judge) -> None:
    """As Fig. 4.5: a test image of each colour in all others; inputs framed red, seen translations blue."""
    translator, count = load(claim.work / ROWS["mix_and_match"][0] / "model"), len(judge.domains)
    anchor, red, blue, white = judge.domains.index(ANCHOR), (1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (1.0, 1.0, 1.0)
    lines = []
    for a in range(count):
        own = (judge.source == a).nonzero()[:, 0]
        image = judge.test.images[own[a % len(own)]]
        target = torch.arange(count)
        made = between(translator, image.expand(count, -1, -1, -1), torch.full((count,), a), target)
        lines.append([
            framed(image, red) if a == b else framed(y, blue if anchor in (a, b) else white) for b, y in enumerate(made)
        ])  # fmt: skip
    (HERE / "results").mkdir(exist_ok=True)
    grid(lines, judge.domains, lines[0][0].shape[-1] * 2).save(HERE / "results" / f"{claim.name}.png")


def framed(image: Tensor, colour: tuple[float, float, float]) -> Tensor:
    """An image [3, H, W] in a frame of two pixels."""
    inside = F.pad(torch.ones_like(image[:1]), (2,) * 4)
    return torch.where(inside > 0, F.pad(image, (2,) * 4), torch.tensor(colour)[:, None, None])


if __name__ == "__main__":
    main()
