"""What a run shows of its model, as pictures, warnings and numbers: of a translator, and of a sampler."""

from functools import cached_property
from typing import Any

import torch
from PIL import Image

from dragoman.data.batch import Task
from dragoman.data.dataset import Dataset
from dragoman.engine.hooks import collapse, symptoms
from dragoman.inference.sampler import GeneratorCore, Sampler
from dragoman.inference.translator import Core, Translator
from dragoman.metrics.features import Kept
from dragoman.metrics.generation import MeasureSamples
from dragoman.metrics.measure import Measure
from dragoman.metrics.protocol import Protocol, collect, targets
from dragoman.report.grids import generated, translations

Pictures = dict[str, Image.Image]


class Translations:
    """Held-out images in every domain."""

    def __init__(self, task: Task, data: Dataset, test: Dataset, protocol: Protocol):
        self.task, self.data, self.test, self.protocol = task, data, test, protocol
        probe = collect(test, 8, 0)  # now, so that images that cannot be read are noticed before training
        pairs = [(rows[:2], codes[:2]) for _, rows, codes in targets(task, probe.labels)]
        rows, codes = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        self._probe = probe.images[rows], codes

    @cached_property
    def measure(self) -> Measure:
        """With its classifiers, for all measurements of a run."""
        return Measure(self.data, self.test, self.protocol)

    def pictures(self, core: Core, count: int = 8, seed: int = 0) -> Pictures:
        """A grid of translations, and the masks if the method has some."""
        probe = collect(self.test, count, seed)
        grid, masks = translations(Translator(core, self.task), probe.images, probe.labels)
        return {"grid": grid} if masks is None else {"grid": grid, "masks": masks}

    def warnings(self, core: Core) -> list[str]:
        """What is wrong with translations, in words."""
        images, codes = self._probe
        device = next(core.parameters()).device
        styles = core.sample_style(codes.to(device), torch.Generator().manual_seed(0))
        outputs = core(images.to(device, memory_format=torch.channels_last), codes.to(device), styles)[0].float().cpu()
        return symptoms(images, outputs)

    def numbers(self, core: Core, kept: Kept | None = None) -> dict[str, Any]:
        """What `Measure` finds."""
        return self.measure(Translator(core, self.task), kept=kept)


class Generations:
    """Images of every domain, made from noise."""

    def __init__(self, task: Task, data: Dataset, test: Dataset, protocol: Protocol):
        self.task, self.data, self.test, self.protocol = task, data, test, protocol
        self._real = collect(test, 16, 0).images  # now, so that images that cannot be read are noticed before training

    @cached_property
    def measure(self) -> MeasureSamples:
        """With its classifier, for all measurements of a run."""
        return MeasureSamples(self.data, self.test, self.protocol)

    def pictures(self, core: GeneratorCore, count: int = 8, seed: int = 0) -> Pictures:
        """A grid: `count` images of each domain, or `count` rows of eight where there is one."""
        total = count * (len(self.task.domains) if len(self.task.domains) > 1 else 8)
        return {"grid": generated(Sampler(core, self.task), total, seed)}

    def warnings(self, core: GeneratorCore) -> list[str]:
        """What is wrong with generated images, in words."""
        seeds, sampler = list(range(16)), Sampler(core, self.task)
        return collapse(self._real, sampler.generate(sampler.codes(seeds), seeds))

    def numbers(self, core: GeneratorCore, kept: Kept | None = None) -> dict[str, Any]:
        """What `MeasureSamples` finds."""
        return self.measure(Sampler(core, self.task), kept)
