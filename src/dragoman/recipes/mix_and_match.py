"""Mix-and-match networks: the published settings, drawn streets, and the ablations of Tables 4.2 and 4.3."""

from typing import Any

from dragoman.data.modal import ModalFolder
from dragoman.data.opponents import Opponents
from dragoman.methods.mix_and_match import MixAndMatchConfig
from dragoman.recipes.experiment import Experiment, Train
from dragoman.worlds.streets.modalities import StreetsModalities

OnFolder = Experiment[MixAndMatchConfig, ModalFolder]
OnOpponents = Experiment[MixAndMatchConfig, Opponents]
OnStreets = Experiment[MixAndMatchConfig, StreetsModalities]

PAIRS = (("rgb", "depth"), ("rgb", "segmentation"))
SMALL: dict[str, Any] = {
    "width": 16, "blocks": (2, 2, 2), "d_layers": 3, "start": "random", "lr": 1e-3, "lr_pseudo": 2e-4,
}  # fmt: skip
"""A narrow network with three poolings, and learning rates for a short run."""
ALONE: dict[str, Any] = {"autoencoders": False, "w_latent": 0, "noise": 0, "w_pseudo": 0}
"""The seen translations and nothing that aligns them."""


def paper() -> OnFolder:
    """The published setting for SceneNet RGB-D and SUN RGB-D: 256 x 256, three of each pair a step, 500,000 steps."""
    return OnFolder(
        recipe="mix_and_match.paper", method=MixAndMatchConfig(), data=ModalFolder(size=256, seen=PAIRS),
        train=Train(steps=500_000, batch_size=6, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_forest() -> OnFolder:
    """The published setting for Freiburg Forest: pairs with segmentation, triplets with depth and near infrared."""
    seen = (("rgb", "segmentation"), ("rgb", "depth_gray", "nir"))
    return OnFolder(
        recipe="mix_and_match.paper_forest", method=MixAndMatchConfig(), data=ModalFolder(size=256, seen=seen),
        train=Train(steps=500_000, batch_size=6, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def paper_opponents() -> OnOpponents:
    """The published setting for opponent channels of flowers, 128 x 128, batch 4 (Table 4.1, A.3.3)."""
    method = MixAndMatchConfig(network="resnet", blocks=(1, 1, 1), start="random")
    return OnOpponents(
        recipe="mix_and_match.paper_opponents", method=method, data=Opponents(size=128),
        train=Train(steps=500_000, batch_size=4, log_every=100, grid_every=5000, save_every=5000),
    )  # fmt: skip


def folder() -> OnFolder:
    """Your own folder (--data.root DIR) of modalities, 64 x 64, a network that also trains on a CPU."""
    return OnFolder(
        recipe="mix_and_match.folder", method=MixAndMatchConfig(**SMALL), data=ModalFolder(size=64, load_size=72),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def opponents() -> OnOpponents:
    """Table 4.1 on your own folder of colour images (--data.root DIR), 64 x 64, also on a CPU."""
    method = MixAndMatchConfig(
        network="resnet", width=16, blocks=(1, 1), resblocks=3, d_layers=3, start="random", lr=1e-3, lr_pseudo=2e-4,
        w_latent=0.3, noise=0.1,  # more of both, and codes vanish in the noise before anything is learnt
    )  # fmt: skip
    return OnOpponents(
        recipe="mix_and_match.opponents", method=method, data=Opponents(size=64, load_size=72),
        train=Train(steps=5000, batch_size=8, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip


def streets() -> OnStreets:
    """Drawn streets, 64 x 64: depth and segmentation never seen together, with pseudo-pairs (Table 4.3, last row)."""
    return _streets("streets")


def streets_four() -> OnStreets:
    """Four modalities, as Table 4.8: pairs with segmentation, triplets with depth and near infrared."""
    return _streets("streets_four", seen=(("rgb", "segmentation"), ("rgb", "depth", "nir")))


def streets_oracle() -> OnStreets:
    """Tables 4.4 and 4.5, "Oracle": every scene in all three modalities."""
    return _streets("streets_oracle", seen=(("rgb", "depth", "segmentation"),))


def streets_cascade() -> OnStreets:
    """Tables 4.4 and 4.5, "D -> R -> S" with pooling indices: unseen translations as a chain of seen ones."""
    return _streets("streets_cascade", **ALONE, cascade=True)


def streets_cascade_skip() -> OnStreets:
    """Table 4.4, "D -> R -> S" with skip connections."""
    return _streets("streets_cascade_skip", **ALONE, cascade=True, side="skip")


def streets_seen() -> OnStreets:
    """Table 4.3, first row: no autoencoders, latent consistency, noise or pseudo-pairs."""
    return _streets("streets_seen", **ALONE)


def streets_autoencoders() -> OnStreets:
    """Table 4.3, second row: with autoencoders."""
    return _streets("streets_autoencoders", w_latent=0, noise=0, w_pseudo=0)


def streets_latent() -> OnStreets:
    """Table 4.3, third row: with autoencoders and latent consistency."""
    return _streets("streets_latent", noise=0, w_pseudo=0)


def streets_noise() -> OnStreets:
    """Table 4.3, fourth row, and Table 4.2, "pooling indices": all but pseudo-pairs."""
    return _streets("streets_noise", w_pseudo=0)


def streets_skip() -> OnStreets:
    """Table 4.2, "skip connections"."""
    return _streets("streets_skip", side="skip", w_pseudo=0)


def streets_no_side() -> OnStreets:
    """Table 4.2, no side information."""
    return _streets("streets_no_side", side="none", w_pseudo=0)


def streets_pretrained() -> OnStreets:
    """Table 4.2, "pretrained": the RGB encoder starts from a small imitation of VGG19."""
    return _streets("streets_pretrained", start="vgg19_distilled", w_pseudo=0)


def tiny() -> OnStreets:
    """Two steps' worth of everything, for tests."""
    return OnStreets(
        recipe="mix_and_match.tiny",
        method=MixAndMatchConfig(width=4, blocks=(1, 1), d_layers=2, start="random"),
        data=StreetsModalities(size=16, images=8, test_images=8),
        train=Train(steps=4, batch_size=4, ema_decay=0.9, precision="fp32", log_every=1, grid_every=2, save_every=2),
    )  # fmt: skip


def _streets(name: str, seen: tuple[tuple[str, ...], ...] = PAIRS, **changes: Any) -> OnStreets:
    return OnStreets(
        recipe=f"mix_and_match.{name}", method=MixAndMatchConfig(**SMALL | changes),
        data=StreetsModalities(size=64, images=4000, seen=seen),
        train=Train(steps=5000, batch_size=12, ema_decay=0.995, grid_every=1000, save_every=1000),
    )  # fmt: skip
