"""Tasks and scenes of a few modalities, for the tests of methods that translate between them."""

import torch

from dragoman.data.batch import Batch, Task
from dragoman.data.modality import Modality, pack

RGB, DEPTH = Modality(name="rgb"), Modality(name="depth", kind="depth", furthest=10)
NIR = Modality(name="nir", channels=1)
SEG = Modality(name="segmentation", kind="segmentation", classes=("floor", "wall", "chair"))
PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))


def task_of(*modalities: Modality, seen=PAIRS, size: int = 16) -> Task:
    return Task(domains=tuple(m.name for m in modalities), exclusive=False, size=size,
                channels=sum(m.channels for m in modalities), modalities=modalities, seen=seen)  # fmt: skip


THREE = task_of(RGB, DEPTH, SEG)
FOUR = task_of(RGB, DEPTH, NIR, SEG, seen=(("rgb", "segmentation"), ("rgb", "depth", "nir")))


def block_scenes(task: Task = THREE, rows: int = 2) -> Batch:
    """Rows of every set, whose scenes are blocks of one class, one depth and one colour each."""
    draw = torch.Generator().manual_seed(5)
    images, labels = [], []
    for names in task.seen:
        number = torch.randint(3, (rows, 1, 4, 4), generator=draw).repeat_interleave(4, 2).repeat_interleave(4, 3)
        own = {
            "rgb": torch.cat([number == k for k in range(3)], 1) * 1.6 - 0.8,
            "depth": number / 2 - 0.5,
            "nir": number * 0.8 - 0.9,
            "segmentation": torch.cat([number == k for k in range(3)], 1).float(),
        }
        own["depth"][:, :, :2] = -1
        own["segmentation"][:, :, -2:] = 0
        images.append(pack({name: own[name] for name in names}, task.modalities))
        labels.append(torch.tensor([[float(m.name in names) for m in task.modalities]] * rows))
    return Batch(image=torch.cat(images), label=torch.cat(labels))


def random_scenes(task: Task = THREE, rows: int = 2) -> Batch:
    """Rows of every set, with an unknown strip in every depth and an unlabelled one in every segmentation."""
    draw = torch.Generator().manual_seed(5)
    images, labels = [], []
    for names in task.seen:
        own = {m.name: torch.rand(rows, m.channels, 16, 16, generator=draw) * 1.8 - 0.9 for m in task.modalities}
        own["segmentation"] = torch.eye(3)[own["segmentation"].argmax(1)].permute(0, 3, 1, 2).clone()
        own["depth"][:, :, :3] = -1
        own["segmentation"][:, :, -2:] = 0
        images.append(pack({name: own[name] for name in names}, task.modalities))
        labels.append(torch.tensor([[float(m.name in names) for m in task.modalities]] * rows))
    return Batch(image=torch.cat(images), label=torch.cat(labels))
