"""What every rendered world shares: scenes by number, their pictures, and the same scenes in another domain."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor
from tyro.conf import arg

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig
from dragoman.data.image import from_uint8
from dragoman.data.manifest import Box, Row
from dragoman.data.modality import Colour
from dragoman.errors import UserError

SPLITS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class View:
    """A picture and all that is known of it, from one geometry."""

    image: np.ndarray
    """[H, W, 3] uint8."""
    modalities: dict[str, np.ndarray] = field(default_factory=dict)
    """Further pictures [H, W] of the same pixels by name: depth (float32, metres), and as uint8 nir, segmentation
    (class numbers) and instances (k where the k-th box, from 1, is seen, else 0)."""
    boxes: list[dict[str, Any]] = field(default_factory=list)
    """Instances: {"class": name, "box": [left, top, right, bottom]} in pixels, right and bottom exclusive."""
    pose: tuple[float, float, float] | None = None
    """x and y in metres and heading in radians."""


class BuiltIn(DataConfig):
    """Images that come with the library."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """What there is to translate between, without opening anything."""


class World(BuiltIn):
    """Images drawn from nothing but a seed and their number; every scene can be drawn in every domain.

    A world defines `domains`, `draw_scene`, `code`, `attributes`, `to` and `draw`. A scene is plain frozen data that
    says everything about a picture except its resolution.
    """

    size: int = Field(64, ge=16, le=512)
    """Height and width in pixels; a multiple of the network's stride."""
    images: Annotated[int, arg(aliases=("--n",))] = Field(10_000, ge=1)
    """Images of the train split."""
    test_images: int = Field(1_000, ge=1)
    """Images of the test split, of other scenes."""
    seed: int = Field(0, ge=0)
    """Of everything."""
    set: str = "images"
    """What the scenes are: images (unpaired), pairs (every scene in every domain, aligned), or a set of this world."""

    sets: ClassVar[tuple[str, ...]] = ("images", "pairs")
    classes: ClassVar[tuple[str, ...]] = ()
    """Names of the numbers in its segmentation."""
    palette: ClassVar[tuple[Colour, ...]] = ()
    """A colour for each."""

    @field_validator("set")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in cls.sets:
            raise ValueError(f"set must be one of {', '.join(cls.sets)}, got {value!r}")
        return value

    @property
    @abstractmethod
    def domains(self) -> tuple[tuple[str, ...], bool]:
        """The domains' names, and whether they exclude each other (else they are binary attributes)."""

    @abstractmethod
    def draw_scene(self, split: str, index: int) -> Any:
        """Scene number `index` of a split: every random choice, nothing rendered."""

    @abstractmethod
    def code(self, scene: Any) -> tuple[int, ...]:
        """The domain code of a scene, 0 or 1 per domain."""

    @abstractmethod
    def attributes(self, scene: Any) -> dict[str, int]:
        """What is not a domain and must survive a translation: class numbers from 0 on, by name."""

    @abstractmethod
    def to(self, scene: Any, code: Sequence[int]) -> Any:
        """The same scene in the domain of another code: its exact counterfactual; itself for its own code."""

    @abstractmethod
    def draw(self, scene: Any) -> View:
        """The picture of a scene at this world's size, with its labels."""

    @property
    def task(self) -> Task:
        """What there is to translate between."""
        names, exclusive = self.domains
        return Task(domains=names, exclusive=exclusive, size=self.size)

    def scene(self, split: str, index: int) -> Any:
        """Scene number `index` of a split in this world's set."""
        if self.set != "pairs":
            return self.draw_scene(split, index)
        number, variant = self.pair(index)
        scene = self.draw_scene(split, number)
        return self.to(scene, self._variants(scene)[variant])

    def pair(self, index: int) -> tuple[int, int]:
        """In the set "pairs": which scene an image shows, and in which of its variants."""
        names, exclusive = self.domains
        return divmod(index, len(names) + (not exclusive))

    def _variants(self, scene: Any) -> list[tuple[int, ...]]:
        """Codes of a scene's aligned images: every exclusive domain, or itself and each attribute flipped."""
        names, exclusive = self.domains
        count = len(names)
        if exclusive:
            return [tuple(int(i == k) for i in range(count)) for k in range(count)]
        own = self.code(scene)
        return [own] + [tuple(int(v != (i == k)) for i, v in enumerate(own)) for k in range(count)]

    def open(self, split: str) -> "Rendered":
        """The images of a split, drawn when they are asked for.

        Raises:
            UserError: the split is unknown.
        """
        return Rendered(self, split)


class Rendered:
    """A split of a world. Pictures are kept in memory, as bytes, while they fit."""

    MEMORY = 2**30

    def __init__(self, world: World, split: str):
        if split not in SPLITS:
            raise UserError(f"a world has no split {split!r}; there is: {', '.join(SPLITS)}")
        self.world, self.split, self.task = world, split, world.task
        self.scenes = [
            world.scene(split, i) for i in range(world.images if split == "train" else world.test_images)
        ]  # fmt: skip
        self.labels = torch.tensor([world.code(scene) for scene in self.scenes], dtype=torch.float32)
        facts = [world.attributes(scene) for scene in self.scenes]
        self.attributes = {name: torch.tensor([fact[name] for fact in facts]) for name in facts[0]}
        self._cache: dict[int, np.ndarray] = {}
        self._most = self.MEMORY // (3 * world.size**2)

    def __len__(self) -> int:
        return len(self.scenes)

    def name(self, index: int) -> str:
        """The number."""
        return f"image {index}"

    def load(self, index: int, rng: np.random.Generator | None = None) -> Tensor:
        """As it is: a world draws as many images as it is asked for, so nothing is augmented."""
        image = self._cache.get(index)
        if image is None:
            image = self.view(index).image
            if len(self._cache) < self._most:
                self._cache[index] = image
        return from_uint8(image)

    def view(self, index: int) -> View:
        """A picture with everything that is known of it."""
        return self.world.draw(self.scenes[index])

    def about(self, index: int) -> Row:
        """Pose and boxes."""
        view = self.view(index)
        return Row(file_name=self.name(index), pose=view.pose, boxes=[Box.model_validate(box) for box in view.boxes])

    def counterfactual(self, index: int, code: Tensor) -> Tensor:
        """Exactly the image [C, size, size] in [-1, 1] that a translation to a domain code [K] should give."""
        scene = self.world.to(self.scenes[index], [int(value) for value in code])
        return from_uint8(self.world.draw(scene).image)


def generator(seed: int, split: str, index: int, *purpose: int) -> np.random.Generator:
    """The random numbers of one scene. Take `random()` only: its stream is the same in every version of numpy."""
    key = np.random.SeedSequence([seed, SPLITS.index(split), index, *purpose]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
