"""What a run shows of its model, as pictures, warnings and numbers: of a translator, of one between modalities, and of
a sampler."""

from functools import cached_property
from itertools import permutations
from typing import Any

import torch
from PIL import Image

from dragoman.data.batch import Task
from dragoman.data.dataset import Dataset
from dragoman.data.modality import pack, unpack
from dragoman.engine.hooks import collapse, collapsed, symptoms
from dragoman.inference.modal import ModalCore, ModalTranslator
from dragoman.inference.sampler import GeneratorCore, Sampler
from dragoman.inference.translator import Core, Translator
from dragoman.metrics.features import Kept
from dragoman.metrics.generation import MeasureSamples
from dragoman.metrics.measure import Measure
from dragoman.metrics.modal import MeasureScenes
from dragoman.metrics.protocol import Protocol, collect, targets
from dragoman.report.grids import generated, translations
from dragoman.report.scenes import scenes

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


class Scenes:
    """Held-out scenes, each modality translated to each other."""

    def __init__(self, task: Task, data: Dataset, test: Dataset, protocol: Protocol):
        self.task, self.test, self.protocol = task, test, protocol
        self._probe = collect(test, 16, 0)  # now, so that scenes that cannot be read are noticed before training

    @cached_property
    def measure(self) -> MeasureScenes:
        """With its scenes, for all measurements of a run."""
        return MeasureScenes(self.test, self.protocol)

    def pictures(self, core: ModalCore, count: int = 8, seed: int = 0) -> Pictures:
        """A grid of scenes and translations."""
        probe = collect(self.test, count, seed)
        return {"grid": scenes(ModalTranslator(core, self.task), probe.images, probe.labels)}

    def warnings(self, core: ModalCore) -> list[str]:
        """What is wrong with the seen translations, in words: all results of one are almost the same."""
        translator, modalities, found = ModalTranslator(core, self.task), self.task.modalities, []
        truth = unpack(self._probe.images, modalities)
        for source, target in dict.fromkeys(pair for names in self.task.seen for pair in permutations(names, 2)):
            rows = (self._probe.labels >= translator.code([source, target])).all(1).nonzero()[:, 0]
            if len(rows) < 2 or not translator.knows([source], target):
                continue
            x = pack({source: truth[source][rows]}, modalities)
            codes = [translator.code([name]).expand(len(x), -1) for name in (source, target)]
            if collapsed(truth[target][rows], unpack(translator.translate(x, *codes), modalities)[target]):
                found.append(f"{source} to {target}: every scene gives almost the same (collapse): lower the learning "
                             f"rate or raise the weight of {target}")  # fmt: skip
        return found

    def numbers(self, core: ModalCore, kept: Kept | None = None) -> dict[str, Any]:
        """What `MeasureScenes` finds; it has no features to keep."""
        return self.measure(ModalTranslator(core, self.task))


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
