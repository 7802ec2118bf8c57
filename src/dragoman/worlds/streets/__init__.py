"""A street drive under every light, with depth, segmentation, instances, boxes, near infrared and poses."""

from dragoman.worlds.streets.camera import FAR
from dragoman.worlds.streets.mesh import CLASSES, PALETTE
from dragoman.worlds.streets.streets import Scene, Streets

__all__ = ["CLASSES", "FAR", "PALETTE", "Scene", "Streets"]
