"""The translator: what leaves a training run, and the only thing that metrics, reports and users see."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from dragoman.data.image import Picture, read, to_pil
from dragoman.errors import UserError, suggest
from dragoman.inference.model import Model
from dragoman.inference.scale import Scale, inner_shape, pad

Source = Path | str | Image.Image | np.ndarray


class Core(nn.Module):
    """The translation itself, tensors only, so that it exports."""

    stride: int = 4
    """Height and width must be multiples of this."""
    smallest: int = 16
    """Least height and width; smaller images are padded to it."""
    style_dim: int = 0
    """S; 0 for a deterministic translator."""
    one_way: ClassVar[bool] = False
    """Translates to a domain only from the other one (methods between two domains)."""
    mask_marks_change: ClassVar[bool] = True
    """The mask, if there is one, is larger where the input is changed more; False of masks that mean something else."""

    def forward(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """Translate.

        Args:
            x: [N, C, H, W] in [-1, 1].
            c: [N, K] target domain codes.
            s: [N, S] styles.

        Returns:
            The image [N, C, H, W] in [-1, 1] and, where the method has one, its mask [N, 1, H, W] in [0, 1]:
            of where it changed the input, if `mask_marks_change`.
        """
        raise NotImplementedError

    def sample_style(self, c: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A random style [N, S] for each target code [N, K]."""
        return torch.randn(len(c), self.style_dim, generator=generator).to(c)

    def encode_style(self, exemplar: Tensor, c: Tensor) -> Tensor:
        """The style [N, S] of exemplars [N, C, H, W], for methods that have one.

        Raises:
            UserError: the method takes no exemplar.
        """
        raise UserError(f"this model takes no exemplar; {'use a seed instead' if self.style_dim else 'leave it out'}")

    def classify(self, x: Tensor) -> Tensor:
        """Logits [N, K] of the domains of images [N, C, H, W], for methods whose discriminator tells them.

        Raises:
            UserError: the method has no classifier.
        """
        raise UserError("this model has no classifier to read the input's attributes; name every attribute")


@dataclass(frozen=True)
class Translation:
    """One translated image."""

    image: Image.Image
    """Of exactly the input's size."""
    mask: Image.Image | None
    """The method's own mask (white is 1), for methods that have one: SDIT's is of where it changed the input."""


class Translator(Model[Core]):
    """A trained model that takes what people have: a path, a PIL image or an array of any size.

    Example: `dragoman.load("runs/demo/model")("photo.jpg", to="red", seed=3).image.save("out.png")`.
    """

    def __call__(
        self,
        image: Source,
        to: str,
        *,
        exemplar: Source | None = None,
        seed: int = 0,
        given: Tensor | None = None,
        scale: Scale = "train",
    ) -> Translation:
        """Translate one image.

        Args:
            image: A path, a PIL image, or an array [H, W(, C)] of uint8, uint16 or floats in [-1, 1].
            to: The target domain; with attributes what to set, for example "smiling,no-hat".
            exemplar: An image whose style to take, for methods that can.
            seed: Of the random style, if no exemplar is given.
            given: With attributes, the input's own code [K]; read off the image if not given.
            scale: Of the input and the exemplar; see `rescale`.

        Raises:
            UserError: an unknown domain, an unreadable image, an exemplar where none is possible.
        """
        picture = read(image, self.task.channels)
        code = self.code(to, picture.tensor, given)
        style_of = None if exemplar is None else read(exemplar, self.task.channels).tensor
        style = self.style(code, seed, style_of, scale)
        output, mask = self.translate_at(scale, picture.tensor[None], code[None], style[None])
        return self.finish(picture, output[0], None if mask is None else mask[0])

    def finish(self, picture: Picture, output: Tensor, mask: Tensor | None) -> Translation:
        """PIL images of an output [C, H, W] and mask [1, H, W], in the format the picture came in."""
        return Translation(
            to_pil(output, picture.alpha, picture.depth), None if mask is None else to_pil(mask * 2 - 1)
        )  # fmt: skip

    def code(self, to: str, image: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        """The target code [K] that `to` names.

        Args:
            to: One domain; or, when domains are attributes, names separated by commas, "no-" before a name unsets it.
            image: [C, H, W]; with attributes, what `to` does not name is read off it by the model's classifier.
            given: [K]; with attributes, the input's known code, used instead of the classifier.

        Raises:
            UserError: an unknown name.
        """
        if self.task.exclusive:
            return self.task.code(self._known(to))
        wanted: dict[str, float] = {}
        for word in filter(None, (word.strip() for word in to.split(","))):
            unset = _plain(word).startswith("no-") and _plain(word) not in map(_plain, self.domains)
            name = self._known(word[3:] if unset else word)
            if wanted.setdefault(name, float(not unset)) == float(unset):
                raise UserError(f"--to both sets and unsets {name}: {to!r}; name it once")
        if not wanted:
            raise UserError(f"--to is empty; name attributes of {', '.join(self.domains)}")
        if given is None and len(wanted) < len(self.domains):
            if image is None:
                raise UserError("the input's own attributes are needed: give the image or its code")
            given = self.classify(image[None])[0]
        code = torch.zeros(len(self.domains)) if given is None else given.clone().float()
        for name, value in wanted.items():
            code[self.domains.index(name)] = value
        return code

    def _known(self, name: str) -> str:
        for domain in self.domains:
            if _plain(domain) == _plain(name):
                return domain
        raise UserError(f"unknown domain {name!r} in --to; {suggest(name, list(self.domains))}")

    @torch.no_grad()
    def classify(self, x: Tensor) -> Tensor:
        """The domain codes [N, K], 0 or 1, that the model's own classifier reads off images [N, C, H, W]."""
        size = (self.task.size, self.task.size)
        logits = self.core.classify(_resize(x.to(self.device), size).clamp(-1, 1)).float().cpu()
        if self.task.exclusive:
            return F.one_hot(logits.argmax(1), logits.shape[1]).float()
        return (logits > 0).float()

    @torch.no_grad()
    def style(self, code: Tensor, seed: int = 0, exemplar: Tensor | None = None, scale: Scale = "train") -> Tensor:
        """The style [S] of an exemplar, else the seed's; the same wherever it is computed.

        Args:
            code: [K] the target code.
            seed: Of the random style, if no exemplar is given.
            exemplar: [C, H, W] in [-1, 1], any height and width.
            scale: The exemplar's, with the same meaning as for inputs; see `rescale`.

        Raises:
            UserError: an exemplar where the method takes none, or an unknown scale.
        """
        if exemplar is not None:
            padded, _ = pad(self.rescale(scale, exemplar[None]), self.core.stride, self.core.smallest)
            return self.core.encode_style(padded.to(self.device), code[None].to(self.device))[0].cpu()
        return self.core.sample_style(code[None], torch.Generator().manual_seed(seed))[0]

    def rescale(self, scale: Scale, x: Tensor) -> Tensor:
        """Images as the network is to see them.

        Args:
            scale: "train" resizes images so that their shorter side is what it was in training, because the statistics
                that instance norms see depend on the scale; what is finer than that scale is lost. "native" leaves the
                images as they are.
            x: [N, C, H, W] in [-1, 1].

        Raises:
            UserError: the scale is neither.
        """
        inner = inner_shape(scale, self.task, x.shape[-2:])
        return x if list(x.shape[-2:]) == inner else _resize(x, inner).clamp(-1, 1)

    def translate_at(self, scale: Scale, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """`translate` at a scale the network knows, and back to the input's size.

        Args:
            scale: See `rescale`.
            x, c, s: As for `translate`.

        Raises:
            UserError: an unknown scale.
        """
        shape, inner = x.shape[-2:], self.rescale(scale, x)
        image, mask = self.translate(inner, c, s)
        if inner.shape == x.shape:
            return image, mask
        return _resize(image, shape).clamp(-1, 1), None if mask is None else _resize(mask, shape).clamp(0, 1)

    @torch.no_grad()
    def translate(self, x: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor | None]:
        """Translate a batch of one size.

        Args:
            x: [N, C, H, W] in [-1, 1], any height and width.
            c: [N, K] target codes.
            s: [N, S] styles.

        Returns:
            The images [N, C, H, W] in [-1, 1] and the masks [N, 1, H, W] in [0, 1] or None, on the CPU.
        """
        padded, (top, left) = pad(x, self.core.stride, self.core.smallest)
        padded = padded.to(self.device, memory_format=torch.channels_last)
        image, mask = self.core(padded, c.to(self.device), s.to(self.device))
        window = (..., slice(top, top + x.shape[-2]), slice(left, left + x.shape[-1]))
        return image[window].float().cpu(), None if mask is None else mask[window].float().cpu()


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def _resize(x: Tensor, shape: Sequence[int]) -> Tensor:
    return F.interpolate(x, tuple(shape), mode="bicubic", antialias=True, align_corners=False)
