"""Scatter plots of projected features (`metrics.embedding.project`)."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image
from torch import Tensor

from dragoman.errors import UserError

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b", "#7f7f7f", "#b8a800",
           "#6a3d9a")  # fmt: skip
"""Distinct also for the colour-blind (Okabe and Ito), then a few more."""
MARKERS = "ox^sDvP"
"""Seven for eleven colours, so that no two labels share both and similar colours differ in shape."""


def scatter(points: Tensor, labels: Sequence[str], title: str = "", size: int = 512) -> Image.Image:
    """A plot of points, coloured by label, with a legend in order of first appearance.

    Args:
        points: [N, 2].
        labels: N names, such as domains, or "real" and "translated".
        title: Above the plot.
        size: Height in pixels, about; the legend adds to the width.

    Raises:
        ValueError: not one label per point, or no points.
        UserError: matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("plots need matplotlib; run: pip install 'dragoman[report]'") from None
    if points.ndim != 2 or points.shape[1] != 2 or len(points) != len(labels) or not labels:
        raise ValueError(f"needs points [N, 2] and N labels, got {list(points.shape)} and {len(labels)} labels")
    xy = points.detach().cpu().double().numpy()
    names = list(dict.fromkeys(labels))
    inches = size / 100
    figure = Figure(figsize=(inches, inches), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.03, 0.03, 0.94, 0.9 if title else 0.94))
    for number, name in enumerate(names):
        rows = [row for row, label in enumerate(labels) if label == name]
        axes.scatter(
            xy[rows, 0], xy[rows, 1], s=18, marker=MARKERS[number % len(MARKERS)], color=COLOURS[number % len(COLOURS)],
            label=name, alpha=0.75, linewidths=1 if MARKERS[number % len(MARKERS)] == "x" else 0,
        )  # fmt: skip
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title(title, fontsize=11)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=9, markerscale=1.4)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.08)
    return Image.open(buffer).convert("RGB")
