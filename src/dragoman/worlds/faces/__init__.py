"""Drawn faces: persons fixed by an identity vector, nine attributes to edit, fourteen to keep, exact edits."""

from dragoman.worlds.faces.faces import Faces
from dragoman.worlds.faces.person import ATTRIBUTES, CONTENT, HAIR, IDENTITY, Face

__all__ = ["ATTRIBUTES", "CONTENT", "HAIR", "IDENTITY", "Face", "Faces"]
