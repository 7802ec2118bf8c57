"""A street through a town, in every season, time and weather, with all labels from one geometry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from dragoman.data.modality import Colour
from dragoman.worlds.drawing import opencv
from dragoman.worlds.streets import camera, condition, traffic
from dragoman.worlds.streets.camera import Camera, Frame
from dragoman.worlds.streets.condition import NIGHTS, ROBOTCAR11, WEATHER4
from dragoman.worlds.streets.figures import place
from dragoman.worlds.streets.layout import KINDS, LANE, street
from dragoman.worlds.streets.look import radiance
from dragoman.worlds.streets.mesh import CLASSES, PALETTE, Mesh
from dragoman.worlds.streets.photo import STYLES, develop
from dragoman.worlds.streets.route import STRETCHES, exact
from dragoman.worlds.world import SPLITS, View, World, generator

DAY_NIGHT = ("day", "night")
"""Two domains: sunny and cloudy days, and nights."""

LEAST = 8 / 64**2
"""Visible pixels, as a share of the image, from which on an object is an instance."""

BIAS = 21
"""The set "biased" repeats after so many images: 10 real days, 10 synthetic nights, 1 synthetic day."""

_PLACE, _POSE, _TRAFFIC, _CHOICES, _LIGHT = range(5)


@dataclass(frozen=True)
class Scene:
    """A picture apart from its size."""

    s: float
    """Metres along the route."""
    pose: tuple[float, float, float]
    """x and y in metres and heading in radians."""
    traffic: int
    """Number of its density."""
    key: tuple[int, int, int]
    """Seed, split and index, from which traffic and light are drawn."""
    weather: str
    """Name of its condition."""
    style: str
    """Name of its style."""
    domain: int
    """Number of its domain."""


class Streets(World):
    """A street drive in four weathers, eleven seasons and times, day and night, or two rendering styles.

    Depth, segmentation and instances are the same in every condition: those of trees in leaf and a street without snow.
    """

    conditions: Literal["weather4", "robotcar11", "day_night", "sim_real"] = "weather4"
    """Domains: sunny, night, cloudy, rainy; eleven of season, time and weather; day, night; synthetic, real,
    each with sunny and cloudy days, and nights."""
    style: Literal["synthetic", "real", "both"] = "synthetic"
    """Clean as from a renderer, or as from a camera; not when the domains are the styles."""
    pose_noise: float = Field(0.5, ge=0, le=5)
    """In the set weak-pairs: metres by which poses at one place differ at most, along and across the street."""
    heading_noise: float = Field(0.035, ge=0, le=0.5)
    """In the set weak-pairs: radians by which their headings differ at most."""

    sets: ClassVar[tuple[str, ...]] = ("images", "pairs", "weak-pairs", "boxes", "modalities", "biased")
    classes: ClassVar[tuple[str, ...]] = CLASSES
    palette: ClassVar[tuple[Colour, ...]] = tuple((int(r), int(g), int(b)) for r, g, b in PALETTE)

    @model_validator(mode="after")
    def _one_meaning(self) -> "Streets":
        if self._styled and self.style != "synthetic":
            raise ValueError(f"style must be left out where the domains are the styles, got {self.style!r}")
        return self

    @property
    def _styled(self) -> bool:
        return self.conditions == "sim_real" or self.set == "biased"

    @property
    def domains(self) -> tuple[tuple[str, ...], bool]:
        """The conditions' names, or the styles' in the set biased; exclusive."""
        if self._styled:
            return STYLES, True
        return {"weather4": WEATHER4, "robotcar11": ROBOTCAR11, "day_night": DAY_NIGHT}[self.conditions], True

    def draw_scene(self, split: str, index: int) -> Scene:
        """Scene number `index`: a pose, its traffic, and a condition.

        In the set weak-pairs, images K * place to K * place + K - 1 show one place in each of the K domains.
        In the set biased, real images show days and of eleven synthetic ones ten show nights (UDIT, Table 5.1); the
        test split shows real days only.
        """
        count = len(self.domains[0])
        weak = self.set == "weak-pairs"
        number, variant = divmod(index, count) if weak else (index, None)
        s, aside, turn = self._stand(split, number, spread=weak)
        key = (self.seed, SPLITS.index(split), index)
        if weak:
            along, across, round_ = (_random(key, _POSE).random(3) * 2 - 1).tolist()
            s += self.pose_noise * along
            aside += self.pose_noise * across
            turn += self.heading_noise * round_
        chances = _random(key, _CHOICES).random(4).tolist()
        density = int(chances[1] * len(traffic.DENSITIES))
        domain = int(chances[0] * count) if variant is None else variant
        weathers = self._weathers(domain)
        if self.set == "biased":
            turn_of = index % BIAS if split == "train" else 0
            domain = STYLES.index("real" if turn_of < 10 else "synthetic")
            weathers = [name for name in weathers if (name in NIGHTS) == (10 <= turn_of < BIAS - 1)]
        course = street(self.seed).route
        x, y = course.at(s, aside - LANE)
        pose = (exact(x), exact(y), exact(course.heading_at(s) + turn))
        weather = weathers[int(chances[3] * len(weathers))]
        return Scene(s, pose, density, key, weather, self._style(domain, chances[2]), domain)

    def _stand(self, split: str, number: int, spread: bool) -> tuple[float, float, float]:
        """Where a camera is: along the street, to the left of its lane, and turned to the left."""
        low, high = STRETCHES[split]
        r = generator(self.seed, split, number, _PLACE).random(3)
        if spread:  # places of weak pairs lie apart: multiples of the golden ratio leave no two near each other
            r[0] = (number * 0.6180339887498949 + float(generator(self.seed, split, 0, _PLACE, 1).random())) % 1
        return low + (high - low) * float(r[0]), 0.5 * float(r[1]) - 0.25, 0.05 * float(r[2]) - 0.025

    def _weathers(self, domain: int) -> Sequence[str]:
        """Conditions that a domain shows."""
        if self.conditions == "robotcar11":
            return ROBOTCAR11 if self.set == "biased" else ROBOTCAR11[domain : domain + 1]
        if self.conditions == "weather4":
            return WEATHER4 if self.set == "biased" else WEATHER4[domain : domain + 1]
        if self._styled:
            return ("sunny", "cloudy", "night")
        return ("night",) if domain == 1 else ("sunny", "cloudy")

    def _style(self, domain: int, chance: float) -> str:
        if self._styled:
            return STYLES[domain]
        return STYLES[int(chance < 0.5)] if self.style == "both" else self.style

    def code(self, scene: Scene) -> tuple[int, ...]:
        """One-hot."""
        return tuple(int(scene.domain == k) for k in range(len(self.domains[0])))

    def attributes(self, scene: Scene) -> dict[str, int]:
        """What can be seen and is not the domain: kind of street, density of traffic, a crossing ahead, a bend.

        Also the style if it varies, and the weather where the domains are the styles (in the set biased the time).
        """
        town = street(self.seed)
        turn = town.route.heading_at(scene.s + 60) - town.route.heading_at(scene.s)
        facts = {
            "street": KINDS.index(town.section(scene.s + 15).kind),
            "traffic": scene.traffic,
            "crossing": int(town.crossing(scene.s + 12, scene.s + 42) is not None),
            "bend": 1 + int(turn > 0.06) - int(turn < -0.06),
        }
        if self.set == "biased":
            facts["night"] = int(scene.weather in NIGHTS)
        elif self._styled:
            facts["weather"] = self._weathers(0).index(scene.weather)
        elif self.style == "both":
            facts["style"] = STYLES.index(scene.style)
        return facts

    def to(self, scene: Scene, code: Sequence[int]) -> Scene:
        """The same place, pose and traffic in another condition, or in the other style."""
        domain = list(code).index(1)
        if domain == scene.domain:
            return scene
        if self._styled:
            return replace(scene, domain=domain, style=STYLES[domain])
        weathers, chance = self._weathers(domain), float(_random(scene.key, _CHOICES).random(4)[3])
        return replace(scene, domain=domain, weather=weathers[int(chance * len(weathers))])

    def draw(self, scene: Scene) -> View:
        """The picture, its depth, near infrared, segmentation and instances, and boxes of what moves and of signs.

        Raises:
            UserError: opencv is missing.
        """
        opencv()
        seen = self.frame(scene)
        number = list(condition.CONDITIONS).index(scene.weather)
        random = _random(scene.key, _LIGHT, number)
        look = condition.draw(scene.weather, random.random(8))
        town = street(self.seed)
        near = town.lamps[(town.lamps[:, 0] > scene.s - 15) & (town.lamps[:, 0] < scene.s + 80), 1:]
        real = scene.style == "real"
        light, glow = radiance(seen, look, near - (seen.camera.x, seen.camera.y, 0), 1.0 if real else 0.45)
        image, nir = develop(light, glow, look, self.size, real, random)
        labels, boxes = self._labels(seen)
        return View(image=image, modalities=labels | {"nir": nir}, boxes=boxes, pose=scene.pose)

    def frame(self, scene: Scene) -> Frame:
        """What the camera sees of place and traffic, whatever the condition."""
        x, y, heading = scene.pose
        cos, sin = exact(math.cos(heading)), exact(math.sin(heading))
        eye = Camera(x, y, cos, sin, self.size, max(-(-128 // self.size), 2 if self.size <= 256 else 1))
        town = street(self.seed)
        numbers = _random(scene.key, _TRAFFIC).random(800)
        moving = traffic.draw(town, scene.s, scene.traffic, numbers)
        stands = np.flatnonzero((town.end > scene.s - 12) & (town.begin < scene.s + 96))
        parts = [camera.backdrop(eye, self.seed), town.mesh.take(stands)]
        if moving:
            parts.append(place(moving, int(town.mesh.thing.max()) + 1))
        return camera.frame(eye, Mesh.join(parts))

    def _labels(self, seen: Frame) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
        """Depth, segmentation and instances of one fine pixel in each pixel, above and left of its middle; boxes."""
        import cv2

        fine = seen.camera.fine
        first = (fine - 1) // 2
        surface = seen.seen()[first::fine, first::fine]
        right, down = (rays[first::fine] for rays in seen.camera.rays())
        labels = np.concatenate([[0], seen.surfaces.label]).astype(np.uint8)
        things = np.concatenate([[0], seen.surfaces.thing])[surface]
        classes = labels[surface]
        numbers, counts = np.unique(things, return_counts=True)
        instances = np.zeros(surface.shape, np.uint8)
        boxes: list[dict[str, Any]] = []
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            if number == 0 or count < LEAST * self.size**2 or len(boxes) == 255:
                continue
            mask = things == number
            left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
            instances[mask] = len(boxes) + 1
            name = CLASSES[int(classes[mask][0])]
            boxes.append({"class": name, "box": [left, top, left + width, top + height]})
        depth = seen.depth(surface, right, down)
        return {"depth": depth, "segmentation": classes, "instances": instances}, boxes


def _random(key: tuple[int, int, int], *purpose: int) -> np.random.Generator:
    """The random numbers of a scene for one purpose."""
    seed, split, index = key
    return generator(seed, SPLITS[split], index, *purpose)
