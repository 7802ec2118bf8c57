"""The translator between modalities: colour images, depths, segmentations and others of one scene."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dragoman.data.image import to_pil, write, write_whole
from dragoman.data.maps import ARRAY, LEAST, PER_METRE, Source, encode, indexed, read_map, resized
from dragoman.data.modality import UNLABELLED, Modality, pack, unpack
from dragoman.errors import UserError, suggest
from dragoman.inference.model import Model
from dragoman.inference.scale import Scale, inner_shape, pad


class ModalCore(nn.Module):
    """The translation between modalities itself, tensors only, so that it exports."""

    stride: int = 4
    """Height and width must be multiples of this."""
    smallest: int = 16
    """Least height and width; smaller images are padded to it."""
    pairs: Sequence[tuple[str, str]] | None = None
    """The translations (source, target) that it knows, each from one modality alone; if not given, any from any."""

    def forward(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """Translate.

        Args:
            x: [N, sum C, H, W] packed; what is not given is ignored.
            given: [N, K] which modalities each row gives, one or more.
            c: [N, K] which modalities are wanted.

        Returns:
            [N, sum C, H, W] packed, of which the wanted parts are filled: images and depths in [-1, 1], of a
            segmentation probabilities. No row depends on another.
        """
        raise NotImplementedError

    def latent(self, name: str, x: Tensor) -> Tensor | None:
        """The code [N, ...] of pictures [N, C, H, W] of a modality in a space that all share, if there is one."""
        return None


def alike(given: Tensor, c: Tensor, modalities: Sequence[Modality]) -> Iterator[tuple[Tensor, list[str], list[str]]]:
    """The rows that give and want the same, to be translated together, with the names of what they give and want.

    Args:
        given, c: [N, K] as of `ModalCore`.
        modalities: What the columns are.
    """
    plans = torch.stack([given, c], 1) > 0
    for plan in plans.unique(dim=0):
        rows = (plans == plan).all(2).all(1).nonzero()[:, 0]
        sources, targets = ([m.name for m, on in zip(modalities, flags, strict=True) if on] for flags in plan)
        yield rows, sources, targets


def readable(modality: Modality, y: Tensor) -> Tensor:
    """A network's output [N, C, H, W] as a core returns it: probabilities of a segmentation, else values in [-1, 1]."""
    return y.float().softmax(1) if modality.kind == "segmentation" else y.float().clamp(-1, 1)


@dataclass(frozen=True)
class Prediction:
    """A picture of a modality that a model made, of exactly the size of what it was made from."""

    modality: Modality
    tensor: Tensor
    """[C, H, W] as `Modality`; of a segmentation probabilities, of which the largest counts."""

    @property
    def metres(self) -> np.ndarray:
        """Of a depth: [H, W] float32, above 0."""
        depth = (self.tensor[0].float() + 1) / 2 * self.modality.furthest
        return depth.clamp(LEAST, self.modality.furthest).numpy()

    @property
    def numbers(self) -> np.ndarray:
        """Of a segmentation: class numbers [H, W] uint8, 255 where no class has a probability."""
        numbers = self.tensor.argmax(0).masked_fill(self.tensor.sum(0) <= 0, UNLABELLED)
        return numbers.to(torch.uint8).numpy()

    @property
    def image(self) -> Image.Image:
        """As it is written: an image, a depth of 16 bits with 256 to the metre, class numbers with the palette."""
        if self.modality.kind == "image":
            return to_pil(self.tensor)
        if self.modality.kind == "depth":
            values = np.minimum(np.round(self.metres * PER_METRE), 65535).astype(np.uint16)
            return Image.fromarray(values)
        return indexed(self.numbers, self.modality.palette)

    def save(self, path: Path | str) -> None:
        """Write it whole or not at all; a depth also as .npy, float32 in metres.

        Raises:
            UserError: the place cannot be written, or the format would change the values of a depth or segmentation.
        """
        path = Path(path)
        if self.modality.kind == "depth" and path.suffix.lower() == ARRAY:
            buffer = io.BytesIO()
            np.save(buffer, self.metres)
            write_whole(path, buffer.getvalue())
            return
        if self.modality.kind != "image" and path.suffix.lower() != ".png":
            also = f" or {ARRAY}" if self.modality.kind == "depth" else ""
            raise UserError(f"cannot write {path}: a {self.modality.kind} must be .png{also}")
        write(self.image, path)


class ModalTranslator(Model[ModalCore]):
    """A trained model between modalities.

    Example: `dragoman.load("runs/rooms/model")({"depth": "depth.png"}, to="segmentation").save("classes.png")`.
    """

    def __call__(self, inputs: Mapping[str, Source], to: str, *, scale: Scale = "train") -> Prediction:
        """Translate one scene.

        Args:
            inputs: One or several of its pictures by modality, of one size: paths, PIL images or arrays as `read_map`
                takes them.
            to: The modality that is wanted.
            scale: See `translate_at`.

        Raises:
            UserError: an unknown modality, an unreadable picture, pictures of different sizes, or a translation that it
                does not know.
        """
        target = self.modality(to)
        parts = {name: values[None] for name, values in self.read(inputs).items()}
        return Prediction(target, self.translate_at(scale, parts, target.name)[0])

    def modality(self, name: str) -> Modality:
        """The modality that a name, in any spelling, means.

        Raises:
            UserError: there is none.
        """
        plain = name.lower().replace("_", "-")
        for modality in self.task.modalities:
            if modality.name.lower().replace("_", "-") == plain:
                return modality
        raise UserError(f"unknown modality {name!r}; {suggest(name, list(self.domains))}")

    def knows(self, names: Iterable[str], to: str) -> bool:
        """Whether it can translate modalities, together, to one."""
        pair = (*(self.modality(name).name for name in names), self.modality(to).name)
        return self.core.pairs is None or pair in self.core.pairs

    def need(self, names: Sequence[str], to: str) -> None:
        """Do nothing if it can translate modalities, together, to one.

        Raises:
            UserError: it cannot, or a modality is unknown.
        """
        if not self.knows(names, to):
            known = ", ".join(f"{source} to {target}" for source, target in self.core.pairs or ())
            raise UserError(f"this model does not translate {'+'.join(names)} to {to}; it knows {known}")

    def read(self, inputs: Mapping[str, Source]) -> dict[str, Tensor]:
        """The pictures [C, H, W] of one scene, by modality, as `Modality` has them.

        Raises:
            UserError: there is none, one is of an unknown modality or unreadable, or their sizes differ.
        """
        if not inputs:
            raise UserError(f"nothing to translate; give pictures of {', '.join(self.domains)}")
        found: dict[str, Tensor] = {}
        for name, source in inputs.items():
            modality = self.modality(name)
            values = encode(modality, read_map(source, modality))
            (height, width), first = values.shape[1:], next(iter(found.values()), values).shape[1:]
            if (height, width) != first:
                called = source if isinstance(source, str | Path) else f"the {modality.name}"
                raise UserError(f"{called}: {width} x {height} pixels, but the {next(iter(found))} has {first[1]} x "
                                f"{first[0]}; give a scene one size")  # fmt: skip
            found[modality.name] = values
        return found

    @torch.no_grad()
    def latent(self, name: str, x: Tensor) -> Tensor | None:
        """As that of `ModalCore`, of any height and width, on the CPU."""
        padded, _ = pad(x, self.core.stride, self.core.smallest)
        found = self.core.latent(name, padded.to(self.device, memory_format=torch.channels_last))
        return None if found is None else found.float().cpu()

    def code(self, names: Iterable[str]) -> Tensor:
        """The code [K] of some modalities."""
        chosen = {self.modality(name).name for name in names}
        return torch.tensor([float(name in chosen) for name in self.domains])

    def translate_at(self, scale: Scale, parts: Mapping[str, Tensor], to: str) -> Tensor:
        """Translate scenes of one size at a scale that the network knows, and back to their size.

        Args:
            scale: "train" resizes so that the shorter side is what it was in training, images by a filter, depths and
                segmentations by their nearest pixels; "native" leaves the size as it is.
            parts: [N, C, H, W] by modality.
            to: The modality that is wanted.

        Returns:
            [N, C, H, W] of the wanted modality, on the CPU.

        Raises:
            UserError: an unknown modality or scale, or a translation that it does not know.
        """
        self.need([*parts], to)
        modalities, target = self.task.modalities, self.modality(to)
        shape = next(iter(parts.values())).shape[-2:]
        inner = inner_shape(scale, self.task, shape)
        x = pack({m.name: resized(m.kind, parts[m.name], inner) for m in modalities if m.name in parts}, modalities)
        given, wanted = (self.code(names).expand(len(x), -1) for names in (parts, [to]))
        return resized(target.kind, unpack(self.translate(x, given, wanted), modalities)[target.name], shape)

    @torch.no_grad()
    def translate(self, x: Tensor, given: Tensor, c: Tensor) -> Tensor:
        """Translate a batch of one size, of any height and width: arguments and result as those of `ModalCore`."""
        padded, (top, left) = pad(x, self.core.stride, self.core.smallest)
        padded = padded.to(self.device, memory_format=torch.channels_last)
        y: Tensor = self.core(padded, given.to(self.device), c.to(self.device))
        return y[..., top : top + x.shape[-2], left : left + x.shape[-1]].float().cpu()
