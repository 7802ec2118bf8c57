"""How much the outputs of one input differ."""

from torch import Tensor


def pixel_diversity(outputs: Tensor) -> float:
    """Mean absolute difference in [0, 2] over all pairs of outputs of the same input.

    Args:
        outputs: [S, N, C, H, W] in [-1, 1]: S styles of each of N inputs.

    Raises:
        ValueError: fewer than two styles.
    """
    styles = len(outputs)
    if styles < 2:
        raise ValueError(f"diversity needs at least two styles per input, got {styles}")
    pairs = [(a, b) for a in range(styles) for b in range(a)]
    return sum((outputs[a] - outputs[b]).abs().double().mean().item() for a, b in pairs) / len(pairs)
