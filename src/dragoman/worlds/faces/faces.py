"""The world of drawn faces: which persons a data set shows, and each of them with other attributes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from dragoman.worlds.drawing import opencv
from dragoman.worlds.faces.painting import paint
from dragoman.worlds.faces.person import ATTRIBUTES, CONTENT, HAIR, IDENTITY, Face
from dragoman.worlds.world import View, World, generator

BIASED = {"makeup": (("makeup", "no_makeup"), 0.95), "age": (("young", "old"), 10 / 11)}
"""The sets of the thesis' Table 5.1: domains, and the share of men where they are the majority."""


class Faces(World):
    """Drawn faces: hair, gender, age, makeup, bangs, eyeglasses and smile can be edited, all else is content."""

    wanted: tuple[str, ...] = ("bangs", "blond_hair", "eyeglasses", "male", "smiling", "young")
    """The attributes that are domains; the others are content."""
    biased: Literal["makeup", "age"] = "makeup"
    """What the set "biased" translates: makeup, where those without are mostly men, or age, where most are men."""
    bias: float | None = Field(None, ge=0, le=1)
    """In the set "biased", the share of men in those train images; by default that of Table 5.1."""

    sets: ClassVar[tuple[str, ...]] = ("images", "pairs", "biased")

    @field_validator("wanted")
    @classmethod
    def _known_attributes(cls, wanted: tuple[str, ...]) -> tuple[str, ...]:
        if not wanted or len(set(wanted)) < len(wanted) or set(wanted) - set(ATTRIBUTES):
            raise ValueError(f"wanted must be distinct names of {', '.join(ATTRIBUTES)}, got {', '.join(wanted)}")
        return wanted

    @property
    def _edited(self) -> tuple[str, ...]:
        """The attributes that are domains."""
        if self.set == "biased":
            return ("makeup",) if self.biased == "makeup" else ("young",)
        return self.wanted

    @property
    def domains(self) -> tuple[tuple[str, ...], bool]:
        """The wanted attributes; in the set "biased" makeup and no_makeup, or young and old, exclusive."""
        return (BIASED[self.biased][0], True) if self.set == "biased" else (self.wanted, False)

    def draw_scene(self, split: str, index: int) -> Face:
        """Every image shows another person. Attributes and content are independent, but for the set "biased".

        There the domains take turns. "makeup" (Table 5.1): all with makeup are women, of those without `bias` are men;
        its test split (Table 5.2) has women with and men without. "age" (MORPH): of either age `bias` are men; half of
        the test split. Any stretch of images has these numbers to within one.
        """
        rng = generator(self.seed, split, index)
        identity = tuple(float(v) for v in rng.random(IDENTITY))
        content = tuple(int(rng.random() * classes) for classes in CONTENT.values())
        bits = {name: int(rng.random() < 0.5) for name in ATTRIBUTES}
        natural = int(rng.random() * 4)
        bits |= {name: int(natural == k) for k, name in enumerate(HAIR)}
        if self.set == "biased":
            turn, second = divmod(index, 2)
            share = BIASED[self.biased][1] if self.bias is None else self.bias
            if split == "test":
                share = 1.0 if self.biased == "makeup" else 0.5
            # the small term takes up rounding: 20 * 0.95 must count as 19
            man = int((turn + 1) * share + 1e-9) - int(turn * share + 1e-9)
            bits[self._edited[0]] = 1 - second
            bits["male"] = man * second if self.biased == "makeup" else man
        return Face(tuple(bits[name] for name in ATTRIBUTES), content, identity, natural)

    def code(self, scene: Face) -> tuple[int, ...]:
        """0 or 1 per domain."""
        bits = tuple(scene[name] for name in self._edited)
        return (bits[0], 1 - bits[0]) if self.set == "biased" else bits

    def attributes(self, scene: Face) -> dict[str, int]:
        """The content, and the attributes that are no domains and cannot be changed by one that is."""
        edited = set(self._edited)
        edited |= set(HAIR) if edited & set(HAIR) else set()
        return dict(zip(CONTENT, scene.content, strict=True)) | {n: scene[n] for n in ATTRIBUTES if n not in edited}

    def to(self, scene: Face, code: Sequence[int]) -> Face:
        """The same person with other attributes.

        Of two hair colours the one wins that the face did not have: switching one on replaces the other. Without any,
        the person's own colour returns, or ginger if that was switched off.
        """
        bits = dict(zip(self._edited, map(int, code), strict=False))
        if hair := set(self._edited) & set(HAIR):
            on = [name for name in HAIR if bits.get(name)]
            chosen = [name for name in on if not scene[name]] or on
            if not chosen and scene.natural < len(HAIR) and HAIR[scene.natural] not in hair:
                chosen = [HAIR[scene.natural]]
            bits |= {name: int(name in chosen[:1]) for name in HAIR}
        return replace(scene, attributes=tuple(bits.get(name, scene[name]) for name in ATTRIBUTES))

    def draw(self, scene: Face) -> View:
        """The picture."""
        opencv()
        return View(image=paint(scene, self.size))
