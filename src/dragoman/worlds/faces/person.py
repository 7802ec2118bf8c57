"""Who a drawn face shows: attributes to edit, content to keep, and an identity vector."""

from dataclasses import dataclass

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

_PLACE = {name: k for k, name in enumerate(ATTRIBUTES)} | {name: k for k, name in enumerate(CONTENT)}


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
        return (self.content if name in CONTENT else self.attributes)[_PLACE[name]]
