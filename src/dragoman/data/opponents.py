"""Colour images as three modalities, two of them opponent channels (thesis 4.5.3, Eq. 4.14)."""

from pathlib import Path

import torch
from pydantic import Field

from dragoman.data.batch import Task
from dragoman.data.dataset import DataConfig, Images
from dragoman.data.image import to_uint8
from dragoman.data.manifest import UNSET
from dragoman.data.modal import Maps, ModalDataset
from dragoman.data.modality import COLOUR, Modality, ordered

SEEN = (("red_green", "green_blue"), ("red_green", COLOUR))
NAMES = ordered(name for names in SEEN for name in names)


class Opponents(DataConfig):
    """A folder of colour images. Of half of them R - G and G - B are seen, of the others R - G and the image."""

    root: Path = UNSET
    """The data set's folder."""
    size: int = Field(128, ge=16)
    """Height and width of a training image in pixels; a multiple of the network's stride."""
    load_size: int | None = Field(None, ge=16)
    """Shorter side after resizing, before a random crop of `size`; `size` itself if not given."""
    flip: bool = True
    """Mirror half of the training images."""

    @property
    def task(self) -> Task:
        """What there is to translate between, without opening anything."""
        modalities = tuple(Modality(name=name, channels=3 if name == COLOUR else 1) for name in NAMES)
        return Task(
            domains=NAMES, exclusive=False, size=self.size, channels=5, load_size=self.load_size,
            modalities=modalities, seen=tuple(map(ordered, SEEN)),
        )  # fmt: skip

    def open(self, split: str) -> "OpponentsDataset":
        """The images of a split.

        Raises:
            UserError: there are none.
        """
        return OpponentsDataset(self, split)


class OpponentsDataset(ModalDataset):
    """A split of a folder of colour images. Image n of the train split shows set n modulo 2, others everything."""

    def __init__(self, config: Opponents, split: str):
        self.images = Images(root=config.root, size=config.task.shorter_side).open(split)
        sets = SEEN if split == "train" else (NAMES,)
        rows = [[float(name in names) for name in NAMES] for names in sets]
        super().__init__(config.task, torch.tensor([rows[n % len(rows)] for n in range(len(self.images))]), config.flip)

    def name(self, index: int) -> str:
        """The path."""
        return self.images.name(index)

    def maps(self, index: int) -> Maps:
        """The middle square of the image; differences of channels are halved, so that they fit the same range."""
        image = to_uint8(self.images.load(index))
        red, green, blue = image[:, None].int()
        made = {COLOUR: image, "red_green": _halved(red - green), "green_blue": _halved(green - blue)}
        return {m.name: made[m.name] for m in self.shown(index)}


def _halved(difference: torch.Tensor) -> torch.Tensor:
    return ((difference + 255) // 2).to(torch.uint8)
