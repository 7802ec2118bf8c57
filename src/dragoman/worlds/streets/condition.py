"""Season, time and weather: what light falls on a street and what lies on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Look:
    """One draw from a condition. Light is linear: red, green, blue, near infrared, where 1 shows a white wall white."""

    day: np.ndarray
    """[4] light from the whole sky."""
    zenith: np.ndarray
    """[4] the sky above."""
    horizon: np.ndarray
    """[4] the sky at the horizon, and what fades into it."""
    sun: np.ndarray | None = None
    """[3] unit vector towards the sun, if it casts shadows."""
    sunlight: np.ndarray | None = None
    """[4] light on a wall that faces it."""
    clouds: float = 0.0
    """Share of the sky that they cover."""
    cloud: np.ndarray | None = None
    """[4] their brightest colour."""
    relief: float = 0.3
    """How much darker they are at their thickest."""
    drift: float = 0.0
    """Moves the clouds, and the puddles."""
    fog: float = 0.0
    """Extinction per metre."""
    wet: float = 0.0
    """Of the ground, 0 to 1."""
    rain: float = 0.0
    """Streaks in the air, 0 to 1."""
    flakes: float = 0.0
    """Of snow in the air, 0 to 1."""
    snow: tuple[float, float, float, float] = (0, 0, 0, 0)
    """Share covered of road, pavement, grass, and what is above the ground."""
    green: bool = True
    """Trees are in leaf."""
    lamps: float = 0.0
    """Street lamps, 0 to 1."""
    beams: float = 0.0
    """Head and tail lights of cars, 0 to 1."""
    lit: float = 0.0
    """Share of windows with light in them."""
    gain: tuple[float, float, float] = (1, 1, 1)
    """Of the camera, by colour."""


def _grey(value: float, warm: float = 0.0, near: float = 0.8) -> np.ndarray:
    """[4] a grey, warmer (redder) or colder; near infrared as a share of it."""
    return np.array([value * (1 + warm), value, value * (1 - warm), value * near])


def _towards(azimuth: float, elevation: float) -> np.ndarray:
    """[3] from degrees; 0 is along the street, 90 to its left."""
    a, e = np.radians(azimuth), np.radians(elevation)
    return np.round(np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)]) * 2**20) / 2**20


def _sunny(r: list[float], azimuth: tuple[float, float], elevation: tuple[float, float], haze: float = 0.0,
           green: bool = True, warm: float = 0.0, power: float = 1.5) -> Look:  # fmt: skip
    """A clear day with the sun between these azimuths and elevations, in degrees."""
    a, e = (low + (high - low) * v for (low, high), v in zip((azimuth, elevation), r, strict=False))
    bright = 0.92 + 0.16 * r[2]
    low = max(0.0, 1 - e / 50)  # a low sun is redder and gives less
    sun = np.array([1.0, 0.93 - 0.1 * low, 0.82 - 0.3 * low, 0.95]) * power * bright
    blue = np.array([0.16, 0.34, 0.7, 0.06]) * (1 - haze) + np.array([0.5, 0.56, 0.6, 0.2]) * haze
    pale = np.array([0.55, 0.68, 0.85, 0.14]) * (1 - haze) + np.array([0.86, 0.8, 0.68, 0.3]) * haze
    pale = pale * np.array([1 + warm, 1, 1 - warm, 1])
    return Look(
        day=np.array([0.3, 0.35, 0.43, 0.28]) * bright * (1 + 0.4 * haze), zenith=blue * bright, horizon=pale * bright,
        sun=_towards(a, e), sunlight=sun * (1 - 0.3 * haze), clouds=0.05 + 0.3 * r[3],
        cloud=_grey(0.95, near=0.5), relief=0.25, drift=r[4] * 500, fog=0.0008 + 0.004 * haze, green=green,
        gain=(1 + warm * 0.5, 1, 1 - warm * 0.5),
    )  # fmt: skip


def _overcast(r: list[float], level: float = 0.62, warm: float = -0.03, relief: float = 0.25, fog: float = 0.003,
              green: bool = True, **more: Any) -> Look:  # fmt: skip
    """A grey day; `level` is the brightness of its sky."""
    bright = level * (0.93 + 0.14 * r[0])
    sky = _grey(bright, warm, 0.3)
    look = Look(
        day=_grey(bright * 1.15, warm, 0.7), zenith=sky * 0.82, horizon=sky * 1.02, clouds=1.0, cloud=sky,
        relief=relief, drift=r[1] * 500, fog=fog * (0.8 + 0.4 * r[2]), green=green,
    )  # fmt: skip
    return replace(look, **more)


def _rain(r: list[float], green: bool = True, level: float = 0.4) -> Look:
    """A wet, dull day with streaks in the air and lights on."""
    return _overcast(r, level, -0.06, 0.45, 0.007, green, wet=0.85 + 0.15 * r[3], rain=0.6 + 0.4 * r[4],
                     beams=0.55, lit=0.12, gain=(0.97, 1.0, 1.05))  # fmt: skip


def _night(r: list[float], green: bool = True, wet: float = 0.0, rain: float = 0.0) -> Look:
    """Dark, but for lamps, windows and cars."""
    dim = 0.85 + 0.3 * r[0]
    sky = np.array([0.011, 0.011, 0.018, 0.006]) * dim
    return Look(
        day=np.array([0.014, 0.017, 0.029, 0.011]) * dim, zenith=sky * 0.5,
        horizon=sky * np.array([2.2, 1.7, 1.3, 1.5]), clouds=0.7, cloud=sky * 1.9, relief=0.5, drift=r[1] * 500,
        fog=0.002 + 0.006 * rain, wet=wet, rain=rain, green=green,
        lamps=0.85 + 0.3 * r[2], beams=1.0, lit=0.18 + 0.2 * r[3],
    )  # fmt: skip


CONDITIONS: dict[str, Callable[[list[float]], Look]] = {
    "sunny": lambda r: _sunny(r, (40, 150) if r[7] < 0.5 else (-150, -40), (28, 58)),
    "night": lambda r: _night(r, wet=0.25 * (r[6] < 0.3)),
    "cloudy": lambda r: _overcast(r),
    "rainy": _rain,
    "WNO": lambda r: _night(r, green=False),
    "WNR": lambda r: _night(r, green=False, wet=1.0, rain=0.7 + 0.3 * r[5]),
    "WDSn": lambda r: _overcast(r, 0.66, -0.05, 0.12, 0.003, False, snow=(0.5 + 0.25 * r[3], 0.93, 0.97, 0.9),
                                flakes=r[4] if r[5] < 0.6 else 0.0),
    "WDO-1": lambda r: _overcast(r, 0.66, -0.01, 0.08, 0.002, False),
    "WDO-2": lambda r: _overcast(r, 0.4, -0.12, 0.6, 0.004, False, wet=0.55, gain=(0.94, 1.0, 1.1)),
    "WDSu": lambda r: _sunny(r, (20, 60), (12, 19), 0.12, False, 0.05, 1.9),
    "WDO-3": lambda r: _overcast(r, 0.72, 0.04, 0.3, 0.005, False, snow=(0.2, 0.4, 0.55, 0.45), gain=(1.05, 1.0, 0.93)),
    "SDS-1": lambda r: _sunny(r, (-85, -50), (48, 60)),
    "SDO": lambda r: _overcast(r, 0.6, -0.02),
    "SDS-2": lambda r: _sunny(r, (115, 150), (26, 36), 0.35, True, 0.07),
    "SDR": _rain,
}  # fmt: skip
"""Every condition by name: a look from eight random numbers. Names of eleven as in the weakly-paired paper, Table 1."""

WEATHER4 = ("sunny", "night", "cloudy", "rainy")
"""The domains of the cross-granularity paper, Table 1."""

ROBOTCAR11 = ("WNO", "WNR", "WDSn", "WDO-1", "WDO-2", "WDSu", "WDO-3", "SDS-1", "SDO", "SDS-2", "SDR")
"""The domains of the weakly-paired paper, Table 1, in its order."""

NIGHTS = ("night", "WNO", "WNR")
"""Conditions in the dark."""


def draw(name: str, random: np.ndarray) -> Look:
    """A look of a condition from eight numbers in [0, 1)."""
    return CONDITIONS[name](random.tolist())
