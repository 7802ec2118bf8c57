"""Multi-domain image-to-image translation: five published systems so far, and their baselines, behind one engine."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.inference.modal import ModalTranslator
    from dragoman.inference.sampler import Sampler
    from dragoman.inference.translator import Translator

__version__ = "0.1.0"


def load(path: str | Path, device: str = "cpu") -> "Translator | ModalTranslator":
    """A trained model as a translator, between modalities if it was trained on these.

    Example: `dragoman.load("runs/demo/model")("photo.jpg", to="red", seed=3).image.save("out.png")`.
    Example: `dragoman.load("runs/rooms/model")({"depth": "depth.png"}, to="segmentation").save("out.png")`.

    Args:
        path: The model folder that training wrote (`runs/<name>/model`).
        device: Where to run it.

    Raises:
        UserError: a file of the folder is missing, damaged or was edited, or the device is not there; a ValueError
            that says which.
    """
    from dragoman.errors import UserError
    from dragoman.inference.sampler import Sampler

    found = _load(path, device)
    if isinstance(found, Sampler):
        raise UserError(f"{path} makes images from noise; use dragoman generate or dragoman.load_sampler, and for its "
                        "numbers the metrics.json of its run")  # fmt: skip
    return found


def load_sampler(path: str | Path, device: str = "cpu") -> "Sampler":
    """A trained model that makes images from noise.

    Example: `dragoman.load_sampler("runs/mnist/model")("7", seed=3).save("7.png")`.

    Args:
        path: The model folder that training wrote (`runs/<name>/model`).
        device: Where to run it.

    Raises:
        UserError: as for `load`.
    """
    from dragoman.errors import UserError
    from dragoman.inference.sampler import Sampler

    found = _load(path, device)
    if not isinstance(found, Sampler):
        raise UserError(f"{path} translates images and makes none from noise; use dragoman translate, or dragoman.load")
    return found


def _load(path: str | Path, device: str) -> "Translator | ModalTranslator | Sampler":
    from dragoman.errors import UserError, one_line
    from dragoman.model import load_model

    found = load_model(Path(path))
    try:
        return found.to(device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {device!r} cannot be used here: {one_line(error)}; use cpu") from None
