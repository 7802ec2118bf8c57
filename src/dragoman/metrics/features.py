"""What metrics ask of the features they get, and what is kept of them."""

from dataclasses import dataclass, field

from torch import Tensor

CONSTANT = 1e-12
"""Share of the mean's square below which a variance is rounding: no two samples differ by a millionth."""


@dataclass
class Kept:
    """Features that a measurement computes for its metrics anyway, kept to be looked at."""

    most: int
    """Of each group."""
    text: str = ""
    """What computed them, and of which real images."""
    real: dict[str, Tensor] = field(default_factory=dict)
    """[at most `most`, D] of real images, by domain; under "" where domains are attributes."""
    translated: dict[str, Tensor] = field(default_factory=dict)
    """[at most `most`, D] of translations, by target."""


def samples(features: Tensor, least: int, name: str = "features") -> Tensor:
    """Features [N, D] as float64 on the CPU, so that bf16 and fp16 lose nothing more.

    Raises:
        ValueError: they are not [N, D], not finite, or fewer than `least`.
    """
    if features.ndim != 2:
        raise ValueError(f"{name} must be [N, D], got {list(features.shape)}")
    if len(features) < least:
        raise ValueError(f"at least {least} {name} are needed, got {len(features)}")
    values = features.detach().cpu().double()
    if not values.isfinite().all():
        raise ValueError(f"{name} must be finite, got nan or inf")
    return values


def check_varied(mean: Tensor, variance: Tensor, name: str = "features") -> None:
    """Raise ValueError if all samples are the same, given their mean [D] and variance [D] in float64."""
    if variance.sum() <= CONSTANT * mean.square().sum():
        raise ValueError(f"all {name} are the same: a distance between sets needs samples that differ")


def pair(x: Tensor, y: Tensor, least: int = 2) -> tuple[Tensor, Tensor]:
    """Two sets of features [N, D], [M, D] as `samples`, each varied and both of one size.

    Raises:
        ValueError: too few, constant, not finite, or of different D.
    """
    x, y = samples(x, least), samples(y, least)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"features must be of one size, got {x.shape[1]} and {y.shape[1]}")
    for features in (x, y):
        check_varied(features.mean(0), features.var(0))
    return x, y
