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
        UserError: a file of the folder is missing, damaged or was edited; a ValueError that says which.
    """
    from dragoman.model import load_model

    return load_model(Path(path)).to(device)
