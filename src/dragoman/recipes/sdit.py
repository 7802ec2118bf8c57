"""SDIT: the published setting, two-core settings, and the rows of Table 6.1 and Fig. 6.6."""

from typing import Any

from dragoman.data.dataset import Folder
from dragoman.methods.sdit import SDITConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.digits import Digits
from dragoman.worlds.faces import Faces
from dragoman.worlds.streets import Streets

OnPhotos = Experiment[SDITConfig, Folder]
OnDigits = Experiment[SDITConfig, Digits]
OnFaces = Experiment[SDITConfig, Faces]
OnStreets = Experiment[SDITConfig, Streets]

SCENES: dict[str, Any] = {"n_critic": 1, "w_rec": 50.0, "w_idt": 50.0, "w_fake": 4.0}
"""For images with more in them than a digit: more steps of G, and colours held by the identity loss."""


def paper() -> OnPhotos:
    """The published setting: 128 x 128 faces with attributes, batch 16, 200,000 steps (thesis 6.4)."""
    return OnPhotos(
        recipe="sdit.paper", method=SDITConfig(), data=Folder(size=128),
        train=Train(steps=200_000, batch_size=16, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnPhotos:
    """Your own folder (--data.root DIR): folders are domains, 64 x 64, a network that also trains on a CPU."""
    return OnPhotos(
        recipe="sdit.folder", method=_small(d_layers=5), data=Folder(size=64, load_size=72),
        train=Train(steps=10_000, batch_size=16, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def digits() -> OnDigits:
    """Handwritten digits in four colours, 32 x 32, a few minutes on two cores."""
    return _digits("digits")


def digits_no_cin() -> OnDigits:
    """Table 6.1, "SDIT w/o CIN (Atten)": attention only, no latent code."""
    return _digits("digits_no_cin", cin="none", w_lat=0.0)


def digits_no_attention() -> OnDigits:
    """Table 6.1, "SDIT w/o Atten (L_LAT > 0)"."""
    return _digits("digits_no_attention", attention=False)


def digits_no_latent() -> OnDigits:
    """Table 6.1, "SDIT (L_LAT = 0)"."""
    return _digits("digits_no_latent", w_lat=0.0)


def digits_no_attention_no_latent() -> OnDigits:
    """Table 6.1, "SDIT w/o Atten (L_LAT = 0)"; also (gamma, beta) of Fig. 6.6."""
    return _digits("digits_no_attention_no_latent", attention=False, w_lat=0.0)


def digits_gamma() -> OnDigits:
    """Fig. 6.6, (gamma, beta = 0): CIN alone, only the scale depends on z."""
    return _digits("digits_gamma", attention=False, w_lat=0.0, cin="gamma")


def digits_beta() -> OnDigits:
    """Fig. 6.6, (gamma = 1, beta): CIN alone, only the shift depends on z."""
    return _digits("digits_beta", attention=False, w_lat=0.0, cin="beta")


def faces() -> OnFaces:
    """Drawn faces with six attributes, 32 x 32, a quarter of an hour on two cores."""
    return _faces("faces")


def faces_no_cin() -> OnFaces:
    """Table 6.1, "SDIT w/o CIN (Atten)", on drawn faces."""
    return _faces("faces_no_cin", cin="none", w_lat=0.0)


def faces_no_attention() -> OnFaces:
    """Table 6.1, "SDIT w/o Atten (L_LAT > 0)", on drawn faces."""
    return _faces("faces_no_attention", attention=False)


def faces_no_latent() -> OnFaces:
    """Table 6.1, "SDIT (L_LAT = 0)", on drawn faces."""
    return _faces("faces_no_latent", w_lat=0.0)


def faces_no_attention_no_latent() -> OnFaces:
    """Table 6.1, "SDIT w/o Atten (L_LAT = 0)", on drawn faces."""
    return _faces("faces_no_attention_no_latent", attention=False, w_lat=0.0)


def streets() -> OnStreets:
    """A drawn street in four weathers, 64 x 64, half an hour on two cores."""
    return OnStreets(
        recipe="sdit.streets", method=_small(d_layers=5, **SCENES), data=Streets(size=64, images=8000),
        train=Train(steps=6000, batch_size=8, ema_decay=0.995, save_every=1000),
    )  # fmt: skip


def tiny() -> OnDigits:
    """Two steps' worth of everything, for tests."""
    method = SDITConfig(width=4, blocks=2, cin_blocks=1, d_layers=3, n_critic=2, z_dim=4, w_rec=30.0, w_lat=10.0)
    return OnDigits(
        recipe="sdit.tiny", method=method, data=Digits(size=16, variants=1),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip


def _small(**changes: Any) -> SDITConfig:
    """A quarter of the published width, fewer blocks, one strided convolution, and rates and weights for a short run.

    With two strided convolutions the bottleneck of so small an image is 4 x 4 pixels a cell: the reconstruction is then
    as happy with shuffled or inverted strokes, which is what it learns from every other seed.
    """
    settings: dict[str, Any] = {
        "width": 16, "downs": 1, "blocks": 2, "cin_blocks": 2, "n_critic": 2, "lr": 1e-3, "w_rec": 30.0,
        "w_lat": 50.0, "w_lat_d": 2.0,
    }  # fmt: skip
    return SDITConfig(**settings | changes)


def _digits(name: str, **changes: Any) -> OnDigits:
    return OnDigits(
        recipe=f"sdit.{name}", method=_small(**{"d_layers": 4} | changes), data=Digits(),
        train=Train(steps=800, batch_size=16, ema_decay=0.99),
    )  # fmt: skip


def _faces(name: str, **changes: Any) -> OnFaces:
    return OnFaces(
        recipe=f"sdit.{name}", method=_small(d_layers=4, **SCENES | changes), data=Faces(size=32, images=8000),
        train=Train(steps=4000, batch_size=16, ema_decay=0.995),
    )  # fmt: skip
