"""Every recipe of a published setting takes training steps at its full size: do losses stay finite, does all learn?

Run: .venv/bin/python evidence/paper_steps.py [RECIPE ...] (two hours on one core; resumes when stopped; only recipes
named on the command line are computed, and the table is written when all are there). Images are noise and all weights
random, those of VGG19 too, so nothing is needed but memory: 24 GiB.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from claim import Claim, Values
from torch.nn.functional import one_hot

from dragoman import methods, recipes
from dragoman.data.batch import Batch, Task
from dragoman.data.dataset import Images
from dragoman.data.modal import ModalFolder
from dragoman.data.modality import Modality, ordered, pack
from dragoman.engine.method import Method
from dragoman.engine.runtime import Runtime
from dragoman.nets.frozen import PUBLISHED as NETWORKS
from dragoman.nets.frozen import build
from dragoman.plan import peak_gib, tried
from dragoman.run import AnyExperiment

PUBLISHED = [name for name in recipes.names() if name.partition(".")[2].startswith("paper")]
FEWER = {
    "mine_gan.paper_biggan": 16, "mine_gan.paper_progressive": 1, "progressive_gan.paper": 1,
    "transfer_gan.paper_biggan": 16,
}  # fmt: skip
"""Rows of a batch, where those of the recipe take more memory than that."""
DOMAINS = {"transfer_gan.paper_conditional": 10, "transfer_gan.paper_biggan": 1000}
"""How many, where the folder decides and it is not two, or five attributes."""
MODALITIES = {
    "rgb": Modality(name="rgb"), "depth": Modality(name="depth", kind="depth", furthest=10),
    "depth_gray": Modality(name="depth_gray", channels=1), "nir": Modality(name="nir", channels=1),
    "segmentation": Modality(name="segmentation", kind="segmentation", classes=tuple(map(str, range(13)))),
}  # fmt: skip


def main() -> None:
    """Measure every recipe, each in a process of its own, whose memory that is."""
    claim = Claim(
        "paper_steps", docs="evidence.md", recipe="every recipe named paper", paper={}, scale="published sizes",
        protocol="two updates, at least, by every phase of every stage, on noise, with random weights, in fp32; rows: "
        "of a batch, fewer than published where memory asks for it (FEWER in the script); parameters: of all networks; "
        "moved: share of the trained networks whose weights changed; memory_gib: most that the process held",
    )  # fmt: skip
    for recipe in PUBLISHED:
        if sys.argv[1:] == [recipe] or claim.has(recipe):
            claim.row(recipe, 0, 2, partial(measured, recipe))
        elif not sys.argv[1:] or recipe in sys.argv[1:]:
            subprocess.run([sys.executable, __file__, recipe], check=True)
            claim.row(recipe, 0, 2, partial(measured, recipe))
    if all(map(claim.has, PUBLISHED)):
        everything = all(row["metrics"]["moved"] == 1 for row in claim.rows)
        claim.write({"all losses and gradients are finite and every trained network learns": everything})


def measured(recipe: str, _: Path) -> Values:
    """A recipe's steps; losses or gradients that are not finite end them with an error."""
    experiment = recipes.find(recipe)
    experiment = experiment.model_copy(update={"train": experiment.train.model_copy(update={"precision": "fp32"})})
    kind = methods.find(recipe.partition(".")[0])
    torch.manual_seed(0)
    task = task_of(experiment, kind)
    built = kind(experiment.method, task)
    before, rows = weights(built), FEWER.get(recipe, experiment.train.batch_size)

    def stream(split: str, stage: int, first: int) -> Iterator[Batch]:
        return repeat(noise(task, rows))

    runtime = Runtime.start()
    with TemporaryDirectory() as folder:
        file = Path(folder) / NETWORKS["vgg19"].items[0].name
        file.parent.mkdir()
        torch.save(build("vgg19").state_dict(), file)
        os.environ["DRAGOMAN_DATA"] = folder
        tried(experiment, built, stream, runtime)
    moved = [before[name] != after for name, after in weights(built).items() if name not in built.frozen]
    return {
        "rows": rows, "parameters": sum(p.numel() for p in built.parameters()), "moved": sum(moved) / len(moved),
        "memory_gib": peak_gib(runtime),
    }  # fmt: skip


def task_of(experiment: AnyExperiment, kind: type[Method]) -> Task:
    """What a recipe's data would be, which for most of them is a matter of a folder."""
    data = experiment.data
    if isinstance(data, ModalFolder):
        seen = tuple(map(ordered, data.seen or (("rgb", "segmentation"),)))
        chosen = tuple(MODALITIES[name] for name in ordered(name for names in seen for name in names))
        return Task(domains=tuple(m.name for m in chosen), exclusive=False, size=data.size,
                    channels=sum(m.channels for m in chosen), modalities=chosen, seen=seen)  # fmt: skip
    if hasattr(data, "task"):
        return data.task
    if isinstance(data, Images):
        return Task(domains=("images",), size=data.size)
    exclusive = kind.by_domain or kind.generates
    count = DOMAINS.get(experiment.recipe, 2 if exclusive else 5)
    return Task(domains=data.domains or tuple(map(str, range(count))), exclusive=exclusive, size=data.size)


def noise(task: Task, rows: int) -> Batch:
    """A batch of noise as a stream has it: of every domain, or every seen set of modalities, equally many rows."""
    if not task.modalities:
        label = torch.eye(len(task.domains))[torch.arange(rows) * len(task.domains) // rows]
        label = label if task.exclusive else torch.randint(2, label.shape).float()
        return Batch(image=torch.rand(rows, task.channels, task.size, task.size) * 2 - 1, label=label,
                     index=torch.arange(rows))  # fmt: skip
    parts = []
    for names in task.seen:
        made = {
            m.name: one_hot(torch.randint(m.channels, (rows // len(task.seen), task.size, task.size))).movedim(3, 1)
            if m.classes
            else torch.rand(rows // len(task.seen), m.channels, task.size, task.size) * 2 - 1
            for m in task.modalities
            if m.name in names
        }
        parts.append(pack(made, task.modalities).float())
    label = torch.tensor([[float(m.name in names) for m in task.modalities] for names in task.seen])
    return Batch(image=torch.cat(parts), label=label.repeat_interleave(rows // len(task.seen), 0))


def weights(built: Method) -> dict[str, float]:
    """A number by network that changes with its weights, of those that have any."""
    return {
        name: sum(p.detach().double().abs().sum().item() for p in net.parameters())
        for name, net in built.named_children()
        if any(True for _ in net.parameters())
    }


if __name__ == "__main__":
    main()
