"""Pure functions of the step, for weights, learning rates and averages."""

from collections.abc import Callable


def linear_decay(start: int, end: int) -> Callable[[int], float]:
    """1 until `start`, then linearly to 0 at `end`."""
    return lambda step: 1.0 if step < start else max(0.0, (end - step) / max(1, end - start))


def polynomial_decay(steps: int, power: float) -> Callable[[int], float]:
    """(1 - step / steps) ** power, from 1 to 0 (Chen et al., DeepLab, 2018); constant at power 0."""
    return lambda step: (1 - min(step, steps) / max(1, steps)) ** power
