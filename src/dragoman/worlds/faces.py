"""Drawn faces: persons fixed by an identity vector, nine attributes to edit, fourteen to keep, exact edits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from pydantic import Field, field_validator

from dragoman.worlds.drawing import Canvas, ellipse, hsv, opencv
from dragoman.worlds.world import View, World, generator

ATTRIBUTES = ("bangs", "black_hair", "blond_hair", "brown_hair", "eyeglasses", "makeup", "male", "smiling", "young")
"""What can be a domain."""

HAIR = ("black_hair", "blond_hair", "brown_hair")
"""At most one is on; hair of none of the three colours is ginger."""

CONTENT = {
    "background": 4, "clothes": 4, "collar": 2, "earrings": 2, "eye_colour": 3, "eye_spacing": 2, "eyebrows": 2,
    "face_shape": 3, "hat": 3, "moustache": 2, "mouth": 2, "nose": 2, "pose": 3, "skin": 3,
}  # fmt: skip
"""What every edit leaves as it is: name -> number of classes."""

IDENTITY = 16
"""Length of the identity vector."""


@dataclass(frozen=True)
class Face:
    """A person with attributes: everything about a picture except its resolution."""

    attributes: tuple[int, ...]
    """0 or 1 for each of ATTRIBUTES."""
    content: tuple[int, ...]
    """A class for each of CONTENT."""
    identity: tuple[float, ...]
    """[IDENTITY] in [0, 1): every continuous trait of the person."""
    natural: int
    """The person's own hair colour: a place in HAIR, or 3 for ginger."""

    def __getitem__(self, name: str) -> int:
        if name in CONTENT:
            return self.content[list(CONTENT).index(name)]
        return self.attributes[ATTRIBUTES.index(name)]


class Faces(World):
    """Drawn faces: hair, gender, age, makeup, bangs, eyeglasses and smile can be edited, all else is content."""

    wanted: tuple[str, ...] = ("bangs", "blond_hair", "eyeglasses", "male", "smiling", "young")
    """The attributes that are domains; the others are content."""
    bias: float = Field(0.95, ge=0, le=1)
    """In the set "biased", the share of men among the train images without makeup (thesis, Table 5.1)."""

    sets: ClassVar[tuple[str, ...]] = ("images", "pairs", "biased")

    @field_validator("wanted")
    @classmethod
    def _known_attributes(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        if not wanted or len(set(wanted)) < len(wanted) or set(wanted) - set(ATTRIBUTES):
            raise ValueError(f"wanted must be distinct names of {', '.join(ATTRIBUTES)}, got {', '.join(wanted)}")
        return wanted

    @property
    def domains(self) -> tuple[tuple[str, ...], bool]:
        """The wanted attributes; in the set "biased" makeup and no_makeup, which exclude each other."""
        return (("makeup", "no_makeup"), True) if self.set == "biased" else (self.wanted, False)

    def draw_scene(self, split: str, index: int) -> Face:
        """Every image shows another person. Attributes and content are independent, but for the set "biased"."""
        rng = generator(self.seed, split, index)
        identity = tuple(float(v) for v in rng.random(IDENTITY))
        content = tuple(int(rng.random() * classes) for classes in CONTENT.values())
        bits = {name: int(rng.random() < 0.5) for name in ATTRIBUTES}
        natural = int(rng.random() * 4)
        bits |= {name: int(natural == k) for k, name in enumerate(HAIR)}
        if self.set == "biased":
            bits["makeup"] = 1 - index % 2
            bits["male"] = (index % 2) * int(split == "test" or rng.random() < self.bias)
        return Face(tuple(bits[name] for name in ATTRIBUTES), content, identity, natural)

    def code(self, scene: Face) -> tuple[int, ...]:
        """0 or 1 per domain."""
        if self.set == "biased":
            return (scene["makeup"], 1 - scene["makeup"])
        return tuple(scene[name] for name in self.wanted)

    def attributes(self, scene: Face) -> dict[str, int]:
        """The content, and the attributes that are no domains and cannot be changed by one that is."""
        wanted = {"makeup"} if self.set == "biased" else set(self.wanted)
        kept = [name for name in ATTRIBUTES if name not in (wanted | (set(HAIR) if wanted & set(HAIR) else set()))]
        return dict(zip(CONTENT, scene.content, strict=True)) | {name: scene[name] for name in kept}

    def to(self, scene: Face, code: Sequence[int]) -> Face:
        """The same person with other attributes.

        Of two hair colours the one wins that the face did not have: switching one on replaces the other. Without any,
        the person's own colour returns, or ginger if that was switched off.
        """
        names = ("makeup",) if self.set == "biased" else self.wanted
        bits = dict(zip(names, map(int, code), strict=False))
        if hair := set(names) & set(HAIR):
            on = [name for name in HAIR if bits.get(name)]
            chosen = [name for name in on if not scene[name]] or on
            if not chosen and scene.natural < len(HAIR) and HAIR[scene.natural] not in hair:
                chosen = [HAIR[scene.natural]]
            bits |= {name: int(name in chosen[:1]) for name in HAIR}
        return replace(scene, attributes=tuple(bits.get(name, scene[name]) for name in ATTRIBUTES))

    def draw(self, scene: Face) -> View:
        """The picture."""
        opencv()
        return View(image=_Portrait(scene, self.size).image())


SKIN = ((0.07, 0.30, 0.97), (0.065, 0.45, 0.80), (0.055, 0.55, 0.48))
IRIS = ((0.07, 0.75, 0.35), (0.58, 0.75, 0.80), (0.30, 0.70, 0.55))
CLOTHES = ((0.0, 0.75, 0.75), (0.60, 0.70, 0.70), (0.36, 0.65, 0.55), (0.12, 0.08, 0.55))
BACKGROUNDS = ((0.58, 0.25, 0.92), (0.12, 0.18, 0.93), (0.38, 0.28, 0.72), (0.85, 0.20, 0.62))
HAIR_COLOURS = {"black_hair": (0.08, 0.30, 0.13), "blond_hair": (0.125, 0.55, 0.93), "brown_hair": (0.065, 0.62, 0.40)}
GINGER = (0.045, 0.85, 0.78)


class _Portrait:
    """A face on a canvas. Coordinates are shares of the image's side, x to the right, y down."""

    def __init__(self, face: Face, size: int):
        self.face, self.v = face, face.identity
        self.paint = Canvas(size)
        self.cx = 0.5 + 0.02 * (self.v[0] - 0.5)
        self.cy = 0.53 + 0.02 * (self.v[1] - 0.5)
        self.width = (0.198, 0.242, 0.222)[face["face_shape"]] * (0.97 + 0.06 * self.v[2])
        self.height = (0.295, 0.242, 0.268)[face["face_shape"]] * (0.97 + 0.06 * self.v[3])
        self.turn = (face["pose"] - 1) * 0.038
        self.fx = self.cx + self.turn  # the middle of the features
        h, s, v = SKIN[face["skin"]]
        old = 1 - face["young"]
        self.skin = hsv(
            h + 0.01 * (self.v[4] - 0.5), s * (1 - 0.22 * old), v * (0.97 + 0.06 * self.v[5]) * (1 - 0.03 * old)
        )
        own = next((name for name in HAIR if face[name]), None)
        h, s, v = HAIR_COLOURS[own] if own else GINGER
        self.hair = hsv(h, s, v * (0.92 + 0.16 * self.v[6]))

    def image(self) -> np.ndarray:
        """[size, size, 3] uint8."""
        self.background()
        self.hair_behind()
        self.shoulders()
        self.head()
        self.cheeks()
        self.eyes()
        self.nose()
        self.mouth()
        self.age()
        self.hair_in_front()
        self.hat()
        self.brows()
        self.eyeglasses()
        self.earrings()
        return self.paint.image(light=(self.cx - 0.10, self.cy - 0.16), reach=0.62)

    def background(self) -> None:
        h, s, v = BACKGROUNDS[self.face["background"]]
        v *= 0.95 + 0.1 * self.v[7]
        base, other = hsv(h, s, v), hsv(h, s, v * 0.86)
        self.paint.fill([[0, 0], [1, 0], [1, 1], [0, 1]], base, shade=0.25)
        kind = self.face["background"]
        for k in range(8):
            t = (k + self.v[8]) / 8
            if kind == 0:  # clouds
                self.paint.fill(ellipse(t, 0.12 + 0.5 * ((k * 0.618) % 1), 0.09, 0.03), hsv(h, 0.08, 0.99), shade=0.1)
            elif kind == 1:  # stripes
                self.paint.fill([[t, 0], [t + 0.05, 0], [t + 0.05, 1], [t, 1]], other, shade=0.25)
            elif kind == 2:  # leaves
                for x in (0.04 + 0.1 * (k % 2), 0.90 + 0.08 * (k % 2)):
                    self.paint.fill(ellipse(x, t, 0.045, 0.085, turn=0.6 - 1.2 * (k % 2)), other, shade=0.25)
            else:  # bricks
                self.paint.line([[0, k / 8], [1, k / 8]], 0.012, other)
                for x in np.arange(0.125 * (k % 2), 1.1, 0.25):
                    self.paint.line([[x, k / 8], [x, (k + 1) / 8]], 0.012, other)

    def hair_behind(self) -> None:
        """Long hair of women to the shoulders, short hair of men close to the head."""
        top, w = self.cy - self.height, self.width
        dark = [0.72 * c for c in self.hair]
        if self.face["male"]:
            self.paint.fill(ellipse(self.cx, top + 0.15, w * 1.10, 0.185), self.hair, shade=0.6)
            return
        fall = self.cy + self.height * (0.92 + 0.2 * self.v[9])
        side = w * 1.42
        outline = [
            *ellipse(self.cx, top + 0.16, side * 0.93, 0.215, start=np.pi, stop=2 * np.pi),
            [self.cx + side, fall - 0.08], [self.cx + side * 0.92, fall], [self.cx + w * 0.55, fall + 0.03],
            [self.cx - w * 0.55, fall + 0.03], [self.cx - side * 0.92, fall], [self.cx - side, fall - 0.08],
        ]  # fmt: skip
        self.paint.fill(outline, self.hair, shade=0.6)
        for k in (-1.22, -1.06, 1.06, 1.22):
            x = self.cx + k * w
            self.paint.line([[x * 0.97 + self.cx * 0.03, top + 0.16], [x, self.cy], [x, fall - 0.02]], 0.008, dark)

    def shoulders(self) -> None:
        h, s, v = CLOTHES[self.face["clothes"]]
        cloth = hsv(h, s, v * (0.92 + 0.16 * self.v[10]))
        wide = 0.36 + 0.06 * self.face["male"]
        neck = self.width * (0.46 + 0.16 * self.face["male"])
        y = self.cy + self.height
        body = [
            [self.cx - wide, 1.02], [self.cx - wide * 0.96, y + 0.13], [self.cx - wide * 0.66, y + 0.075],
            [self.cx - neck, y + 0.03], [self.cx + neck, y + 0.03], [self.cx + wide * 0.66, y + 0.075],
            [self.cx + wide * 0.96, y + 0.13], [self.cx + wide, 1.02],
        ]  # fmt: skip
        self.paint.fill(body, cloth, shade=0.5)
        shadow = [0.82 * c for c in self.skin]
        depth = y + (0.16 if self.face["collar"] else 0.085)
        if self.face["collar"]:  # a V
            chest = [[self.cx - neck * 1.25, y + 0.02], [self.cx + neck * 1.25, y + 0.02], [self.cx, depth]]
            self.paint.fill(chest, self.skin, shade=0.5)
            self.paint.line([chest[0], chest[2], chest[1]], 0.02, [0.62 * c for c in cloth])
        else:  # round
            self.paint.fill(ellipse(self.cx, y + 0.03, neck * 1.25, 0.055), self.skin, shade=0.5)
            rim = ellipse(self.cx, y + 0.03, neck * 1.25, 0.055, start=0, stop=np.pi)
            self.paint.line(rim, 0.02, [0.62 * c for c in cloth])
        throat = [[self.cx - neck, y - 0.10], [self.cx + neck, y - 0.10], [self.cx + neck, y + 0.035],
                  [self.cx - neck, y + 0.035]]  # fmt: skip
        self.paint.fill(throat, shadow, shade=0.4)

    def head(self) -> None:
        """Ears and the outline of the face: oval, round or square."""
        ear = [0.90 * c for c in self.skin]
        for side in (-1, 1):
            if side * self.turn <= 0:  # the ear towards which the head turns is hidden
                reach = self.width * (1.03 if self.turn else 0.99)
                self.paint.fill(ellipse(self.cx + side * reach, self.cy - 0.005, 0.028, 0.055), ear, shade=0.4)
        angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        power = (1.0, 1.0, 0.60)[self.face["face_shape"]]
        x, y = (np.sign(t) * np.abs(t) ** power for t in (np.cos(angle), np.sin(angle)))
        taper = (0.32, 0.12, 0.08)[self.face["face_shape"]]
        x = x * (1 - taper * np.clip(y, 0, 1) ** 1.5)
        self.outline = np.stack([self.cx + self.width * x, self.cy + self.height * y], 1)
        self.paint.fill(self.outline, self.skin, shade=1.0)

    def cheeks(self) -> None:
        """Blush of makeup."""
        if self.face["makeup"]:
            pink = [a * b for a, b in zip(self.skin, (1.0, 0.68, 0.72), strict=True)]
            for side in (-1, 1):
                x, y = self.cx + 0.4 * self.turn + side * self.width * 0.56, self.cy + 0.075
                self.paint.fill(ellipse(x, y, 0.052, 0.034), pink, shade=1.0)

    @property
    def eye_row(self) -> float:
        return self.cy - 0.035

    def eye_places(self) -> list[tuple[float, float]]:
        """x of both eyes and which side they are on."""
        apart = (0.37, 0.53)[self.face["eye_spacing"]] * 0.222
        return [(self.fx + side * apart, side) for side in (-1, 1)]

    def eyes(self) -> None:
        open_ = 0.021 + 0.005 * self.v[11]
        lid = [0.70 * c for c in self.skin]
        iris = hsv(*IRIS[self.face["eye_colour"]])
        for x, side in self.eye_places():
            y = self.eye_row
            if self.face["makeup"]:
                shadow = hsv(0.76 + 0.1 * self.v[12], 0.55, 0.62)
                self.paint.fill(ellipse(x, y - 0.012, 0.053, 0.036, start=np.pi, stop=2 * np.pi), shadow, shade=0.3)
            self.paint.fill(ellipse(x, y, 0.043, open_), [0.97, 0.97, 0.97], shade=0.2)
            self.paint.fill(ellipse(x + self.turn * 0.2, y, 0.0215, min(0.0215, open_ * 1.02)), iris, shade=0)
            self.paint.fill(ellipse(x + self.turn * 0.2, y, 0.0085, 0.0085), [0.04, 0.04, 0.04], shade=0)
            upper = ellipse(x, y, 0.045, open_ * 1.05, start=np.pi, stop=2 * np.pi)
            self.paint.line(upper, 0.013 if self.face["makeup"] else 0.008, [0.08, 0.06, 0.06])
            if not self.face["male"]:  # lashes
                end = x + side * 0.045
                self.paint.line([[end, y], [end + side * 0.017, y - 0.017]], 0.008, [0.08, 0.06, 0.06])
            self.paint.line(ellipse(x, y, 0.043, open_, start=0.2, stop=np.pi - 0.2), 0.005, lid)

    def nose(self) -> None:
        broad = self.face["nose"]
        dark, light = [0.74 * c for c in self.skin], [min(1.0, 1.08 * c) for c in self.skin]
        x, tip = self.fx + self.turn * 0.35, self.cy + 0.070 + 0.01 * self.v[13]
        w = 0.056 if broad else 0.022
        lean = 1 if self.turn >= 0 else -1
        self.paint.line([[self.fx - lean * 0.012, self.cy - 0.03], [x - lean * w * 0.6, tip - 0.012]], 0.008, dark)
        self.paint.fill(ellipse(x, tip - 0.006, w * 0.72, 0.020), light, shade=0.8)
        self.paint.line(ellipse(x, tip - 0.002, w, 0.018, start=0.15, stop=np.pi - 0.15), 0.010, dark)
        for side in (-1, 1):
            self.paint.fill(
                ellipse(x + side * w * 0.55, tip + 0.010, w * 0.24, 0.008), [0.4 * c for c in dark], shade=0
            )

    def mouth(self) -> None:
        """Lips; a smile shows teeth and lifts the corners. A moustache lies above."""
        x, y = self.fx + self.turn * 0.2, self.cy + self.height * 0.60
        half = (0.050, 0.092)[self.face["mouth"]]
        male, makeup = self.face["male"], self.face["makeup"]
        natural = [a * b for a, b in zip(self.skin, (0.92, 0.70, 0.68) if male else (0.95, 0.58, 0.60), strict=True)]
        lips = hsv(0.97, 0.88, 0.78) if makeup else natural
        full = 0.017 if male else 0.024
        if self.face["smiling"]:
            low = ellipse(x, y - 0.018, half * 1.12, 0.058, start=0, stop=np.pi)
            self.paint.fill(low, lips, shade=0.5)
            teeth = ellipse(x, y - 0.013, half * 0.94, 0.036, start=0, stop=np.pi)
            self.paint.fill(teeth, [0.98, 0.97, 0.95], shade=0)
            for side in (-1, 1):  # lifted cheeks
                corner = x + side * half * 1.15
                fold = [[corner + side * 0.010, y - 0.045], [corner + side * 0.020, y - 0.02], [corner, y - 0.002]]
                self.paint.line(fold, 0.007, [0.80 * c for c in self.skin])
        else:
            self.paint.fill(ellipse(x, y, half, full), lips, shade=0.5)
            self.paint.line([[x - half, y], [x, y + 0.004], [x + half, y]], 0.008, [0.45 * c for c in lips])
        if self.face["moustache"]:
            beard = [0.62 * a + 0.1 * b for a, b in zip(self.hair, self.skin, strict=True)]
            chin = y + 0.075
            self.paint.fill(ellipse(x, chin, 0.055, 0.040), beard, shade=0.5)
            top = y - 0.042
            for side in (-1, 1):
                half_moustache = [[x, top], [x + side * half * 0.7, top + 0.004], [x + side * half * 1.05, top + 0.026],
                                  [x, top + 0.017]]  # fmt: skip
                self.paint.fill(half_moustache, beard, shade=0.5)

    def age(self) -> None:
        """Lines and bags of old age; stubble of men is not age."""
        if self.face["young"]:
            return
        line = [0.68 * c for c in self.skin]
        y = self.cy + self.height * 0.60
        for x, side in self.eye_places():
            self.paint.line(ellipse(x, self.eye_row + 0.022, 0.044, 0.020, start=0.3, stop=np.pi - 0.3), 0.010, line)
            for k in (-1, 0, 1):  # crow's feet
                start = x + side * 0.056
                self.paint.line(
                    [[start, self.eye_row + 0.006 * k], [start + side * 0.028, self.eye_row + 0.018 * k]], 0.007, line
                )
            fold = [
                [self.fx + side * 0.058, self.cy + 0.075],
                [self.fx + side * 0.105, y - 0.01],
                [self.fx + side * 0.108, y + 0.03],
            ]
            self.paint.line(fold, 0.010, line)
        for k in range(3):  # forehead
            w, top = 0.10 - 0.01 * k, self.cy - self.height * (0.52 + 0.10 * k)
            self.paint.line([[self.fx - w, top + 0.006], [self.fx, top], [self.fx + w, top + 0.006]], 0.008, line)

    def hair_in_front(self) -> None:
        """The hair line, and bangs over the forehead."""
        top, w = self.cy - self.height, self.width
        line = self.cy - self.height * 0.66
        cap = [*ellipse(self.cx, self.cy - 0.02, w * 1.06, self.height * 1.04, start=np.pi * 1.04, stop=np.pi * 1.96)]
        dark = [0.72 * c for c in self.hair]
        part = self.cx + (self.v[14] - 0.5) * 0.14
        if self.face["bangs"]:
            low = self.eye_row - 0.058
            teeth = [[self.cx + w * (0.98 - 1.96 * k / 8), low - 0.020 * (k % 2)] for k in range(9)]
            self.paint.fill([*cap, *teeth], self.hair, shade=0.7)
            for k in range(1, 8):
                x = self.cx + w * (0.98 - 1.96 * k / 8)
                self.paint.line([[part + (x - part) * 0.6, top + 0.05], [x, low - 0.03]], 0.007, dark)
        else:
            arc = [[self.cx + w * 0.97, line + 0.05], [self.cx + w * 0.6, line - 0.035], [part, line - 0.065],
                   [self.cx - w * 0.6, line - 0.035], [self.cx - w * 0.97, line + 0.05]]  # fmt: skip
            self.paint.fill([*cap, *arc], self.hair, shade=0.7)
            for share in (-0.7, -0.35, 0.35, 0.7):
                self.paint.line([[part, top + 0.015], [self.cx + share * w, line - 0.045]], 0.007, dark)

    def hat(self) -> None:
        kind = self.face["hat"]
        if not kind:
            return
        top, w = self.cy - self.height, self.width
        rim = self.cy - self.height * 0.80
        cloth = hsv(self.v[15], 0.60, 0.66)
        dark = [0.66 * c for c in cloth]
        crown = ellipse(
            self.cx, rim, w * 1.10, rim - top + (0.095 if kind == 2 else 0.055), start=np.pi, stop=2 * np.pi
        )
        self.paint.fill(crown, cloth, shade=0.6)
        if kind == 1:  # a cap with a peak
            lean = 0.10 if self.turn >= 0 else -0.10
            self.paint.fill(ellipse(self.cx + lean, rim, w * 1.12, 0.026), dark, shade=0.3)
        else:  # a beanie with a band and a bobble
            band = [[self.cx - w * 1.12, rim - 0.035], [self.cx + w * 1.12, rim - 0.035],
                    [self.cx + w * 1.12, rim + 0.022], [self.cx - w * 1.12, rim + 0.022]]  # fmt: skip
            self.paint.fill(band, dark, shade=0.3)
            self.paint.fill(ellipse(self.cx, top - 0.095, 0.045, 0.045), [0.95, 0.95, 0.95], shade=0.4)

    def brows(self) -> None:
        """Over the bangs, so that their thickness is always seen."""
        colour = [0.55 * a + 0.05 * b for a, b in zip(self.hair, self.skin, strict=True)]
        thick = (0.009, 0.032)[self.face["eyebrows"]]
        for x, side in self.eye_places():
            y = self.eye_row - 0.052
            self.paint.line(
                [[x - side * 0.042, y + 0.006], [x + side * 0.005, y - 0.010], [x + side * 0.050, y + 0.006]],
                thick,
                colour,
            )

    def eyeglasses(self) -> None:
        if not self.face["eyeglasses"]:
            return
        frame = ([0.06, 0.06, 0.08], [0.42, 0.10, 0.10], [0.10, 0.14, 0.40])[int(self.v[12] * 3)]
        (left, _), (right, _) = self.eye_places()
        power = 0.55 if self.v[13] < 0.5 else 1.0
        for x in (left, right):
            self.paint.line(ellipse(x, self.eye_row + 0.004, 0.066, 0.050, power=power), 0.014, frame, closed=True)
        self.paint.line([[left + 0.064, self.eye_row - 0.006], [right - 0.064, self.eye_row - 0.006]], 0.014, frame)
        for x, side in self.eye_places():
            edge = self.cx + side * self.width
            if side * (edge - x) > 0.066:
                self.paint.line([[x + side * 0.064, self.eye_row], [edge, self.eye_row - 0.008]], 0.012, frame)

    def earrings(self) -> None:
        if self.face["earrings"]:
            for side in (-1, 1):
                x = self.cx + side * self.width * 1.03
                self.paint.fill(ellipse(x, self.cy + 0.075, 0.019, 0.024), [1.0, 0.82, 0.15], shade=0)
