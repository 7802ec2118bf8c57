"""Multi-domain image-to-image translation: nine published systems and their baselines behind one engine."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.inference.translator import Translator

__version__ = "0.1.0"


def load(path: str | Path, device: str = "cpu") -> "Translator":
    """A trained model as a translator.

    Example: `dragoman.load("runs/demo/model")("photo.jpg", to="red", seed=3).image.save("out.png")`.

    Args:
        path: The model folder that training wrote (`runs/<name>/model`).
        device: Where to run it.

    Raises:
        UserError: a file of the folder is missing, damaged or was edited, or the device is not there; a ValueError
            that says which.
    """
    from dragoman.errors import UserError, one_line
    from dragoman.model import load_model

    translator = load_model(Path(path))
    try:
        return translator.to(device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {device!r} cannot be used here: {one_line(error)}; use cpu") from None
