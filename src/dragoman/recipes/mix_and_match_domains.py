"""Mix-and-match networks between domains: the published settings, and settings for a CPU."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.mix_and_match_domains import MixAndMatchDomainsConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.digits import ELEVEN, Digits

OnPhotos = Experiment[MixAndMatchDomainsConfig, Folder]
OnDigits = Experiment[MixAndMatchDomainsConfig, Digits]

COLOURS = ("blue", *(name for name in ELEVEN if name != "blue"))
"""The eleven colour names, the anchor first."""
STYLES = ("photo", "monet", "vangogh", "ukiyoe", "cezanne")
"""The anchor first."""
SMALL: dict[str, Any] = {"width": 16, "downs": 1, "blocks": 2, "d_layers": 3, "lr": 1e-3}
"""A narrow network with one pooling, and a learning rate for a short run."""


def paper() -> OnPhotos:
    """The published setting for coloured objects: eleven colours, 128 x 128, four images of each a step."""
    return OnPhotos(
        recipe="mix_and_match_domains.paper", method=MixAndMatchDomainsConfig(), data=Folder(size=128, domains=COLOURS),
        train=Train(steps=200_000, batch_size=44, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_styles() -> OnPhotos:
    """The published setting for artworks: photos and four styles, 256 x 256, four images of each a step."""
    return OnPhotos(
        recipe="mix_and_match_domains.paper_styles", method=MixAndMatchDomainsConfig(),
        data=Folder(size=256, domains=STYLES),
        train=Train(steps=200_000, batch_size=20, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR) of five domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="mix_and_match_domains.folder", method=MixAndMatchDomainsConfig(**SMALL),
        data=Folder(size=64, load_size=72),
        train=Train(steps=5000, batch_size=10, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def colours() -> OnDigits:
    """Handwritten digits in the eleven colours, 32 x 32: only pairs with blue are seen (Fig. 4.5)."""
    return _colours("colours")


def colours_no_autoencoders() -> OnDigits:
    """The same by adversarial loss and way back alone."""
    return _colours("colours_no_autoencoders", w_auto=0)


def tiny() -> OnDigits:
    """Two steps' worth of everything, for tests."""
    method = MixAndMatchDomainsConfig(anchor="green", width=4, downs=1, blocks=1, d_layers=2)
    return OnDigits(
        recipe="mix_and_match_domains.tiny", method=method, data=Digits(size=16, variants=1),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip


def _colours(name: str, **changes: Any) -> OnDigits:
    return OnDigits(
        recipe=f"mix_and_match_domains.{name}", method=MixAndMatchDomainsConfig(**SMALL | {"anchor": "blue"} | changes),
        data=Digits(colours="eleven", source="auto"), train=Train(steps=5000, batch_size=11, ema_decay=0.995),
    )  # fmt: skip
