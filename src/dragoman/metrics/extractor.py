"""Features of images by which sets of images are compared (Frechet and kernel distances)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dragoman.errors import suggest
from dragoman.nets.classifier import Classifier
from dragoman.nets.frozen import frozen, missing
from dragoman.nets.inception import SIZE as INCEPTION_SIZE

NETWORKS = ("squeezenet", "inception")
"""Published networks that give features; `classifier` is one trained on the data at hand."""

CLASSIFIER = "classifier of the data, trained on real images"
"""Its features in words."""

SQUEEZENET_SIZE = 224
"""What it was trained on. Shown 64 pixels as they are, it does not see a checkerboard of amplitude 0.06."""


@dataclass(frozen=True)
class Extractor:
    """A frozen network and what is done to images before it."""

    name: str
    dim: int
    """Length of the features."""
    text: str
    """The features in words, to be stated beside every distance."""
    batch: int
    """Images at once: as many as a processor's cache serves best."""
    network: Callable[[Tensor], Tensor]
    """Of one batch."""

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """[N, 3 or 1, H, W] in [-1, 1] to [N, dim], float32.

        Raises:
            ValueError: no images, or values that cannot be [-1, 1].
        """
        if images.ndim != 4 or len(images) == 0:
            raise ValueError(f"features need images [N, C, H, W], at least one, got {list(images.shape)}")
        if not images.abs().max() <= 1.01:  # NaN included
            raise ValueError(f"features need images in [-1, 1], got values up to {images.abs().max().item():.3g}")
        batches = (part.float().contiguous(memory_format=torch.channels_last) for part in images.split(self.batch))
        return torch.cat([self.network(batch) for batch in batches])


def extractor(name: str, classifier: Classifier | None = None) -> Extractor:
    """The features of a name.

    squeezenet: mean over places of the last layer (fire9) of SqueezeNet 1.1, 512 numbers.
    inception: pool3 of the Inception v3 of the FID, 2048 numbers, on images rounded to 8 bits as in a file. Images of
        up to 299 pixels are resized by the network as TensorFlow 1 did, which published distances do too; larger
        ones are first shrunk without aliasing.
    classifier: what `classifier`, trained on the data at hand, computes before its last layer.

    Raises:
        ValueError: an unknown name, or a classifier where there is none to be, or none where it is needed.
        UserError: the weights are not on this machine.
    """
    if name not in (*NETWORKS, "classifier"):
        raise ValueError(f"no features {name!r}; {suggest(name, [*NETWORKS, 'classifier'])}")
    if (name == "classifier") != (classifier is not None):
        raise ValueError("features named classifier need a classifier, and no others take one")
    if classifier is not None:
        return Extractor(name, classifier.head.in_features, CLASSIFIER, 256, classifier.features)
    if name == "squeezenet":
        squeezenet = frozen("squeezenet", ["fire9"])
        text = f"SqueezeNet 1.1, mean of fire9, images resized to {SQUEEZENET_SIZE} (bicubic, antialiased)"
        return Extractor(name, 512, text, 8, lambda x: squeezenet(_resize(x, SQUEEZENET_SIZE))[0].mean((2, 3)))
    inception = frozen("inception", ["pool3"])

    def pool3(x: Tensor) -> Tensor:
        if max(x.shape[2:]) > INCEPTION_SIZE:
            x = _resize(x, INCEPTION_SIZE)
        found: Tensor = inception((x * 127.5 + 127.5).round() / 127.5 - 1)[0]
        return found

    text = f"Inception v3 of 2015-12-05, pool3, images resized to {INCEPTION_SIZE}"
    return Extractor(name, 2048, text, 8, pool3)


def lacking(name: str) -> str:
    """In words what is missing for features; empty if all is here."""
    return missing(name) if name in NETWORKS else ""


def frechet_name(name: str) -> str:
    """What a Frechet distance on these features is called: fid on Inception's, else fd_ and the features' name."""
    return "fid" if name == "inception" else f"fd_{name}"


def kernel_name(name: str) -> str:
    """What a kernel distance on these features is called: kid on Inception's, else kd_ and the features' name."""
    return "kid" if name == "inception" else f"kd_{name}"


def _resize(x: Tensor, size: int) -> Tensor:
    resized = F.interpolate(x, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp(-1, 1).contiguous(memory_format=torch.channels_last)
