"""Scores as colours, as short texts, and the colour bar that explains them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize

from abxfast.figures.palette import DIVERGING
from abxfast.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abxfast.figures.sheet import Sheet

SCORE_COLOURS = LinearSegmentedColormap.from_list("abxfast", DIVERGING).with_extremes(bad="#ffffff")
SCORE_SCALE = Normalize(0.0, 1.0)
_MIN_TICK_SPACING_MM = 3.4
_N_STEPS = 256
_VEIL, _HATCH = 0.72, "#b9bcc2"
"""Opacity of the white over a cell that cannot be judged, and the colour of its hatching."""


def format_score(score: float) -> str:
    """Format a score for a small cell: two digits, without the leading zero."""
    return "1.0" if score >= 0.995 else f"{score:.2f}"[1:]  # noqa: PLR2004


def format_judged(score: float, verdict: str) -> str:
    """Format a score with its verdict: ``≈`` if it is equivalent to chance, in brackets if it cannot be judged."""
    text = format_score(score)
    return {"equivalent": f"≈{text}", "undecidable": f"({text})"}.get(verdict, text)


def veil(axes: Axes, cells: NDArray[np.int64], *, hatch: str = "/////") -> None:
    """Make cells of a grid that cannot be judged pale and hatched.

    Parameters
    ----------
    axes : Axes
        With cells of size 1.
    cells : ndarray of int64, shape (n, 2)
        Row and column of each.
    hatch : str
    """
    if not len(cells):
        return
    corners = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])
    squares = cells[:, None, ::-1] + corners
    veils = PolyCollection(squares, facecolor=(1, 1, 1, _VEIL), edgecolor="none", linewidth=0)
    stripes = PolyCollection(squares, facecolor="none", edgecolor=_HATCH, hatch=hatch, linewidth=0)
    axes.add_collection(veils, autolim=False)
    axes.add_collection(stripes, autolim=False)


def text_colour_on(score: float, verdict: str = "") -> str:
    """Return the text colour, dark or white, that is legible on a score's colour: by relative luminance (WCAG 2)."""
    if verdict == "undecidable":
        return INK
    red, green, blue, _ = SCORE_COLOURS(SCORE_SCALE(score))
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for channel in (red, green, blue)
    ]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if luminance < 0.32 else INK  # noqa: PLR2004


def colour_bar_minimum(scores: NDArray[np.float64]) -> float:
    """Return the lowest score of a colour bar: the lowest finite score rounded down to one digit, at most 0.4."""
    finite = scores[np.isfinite(scores)]
    return max(0.0, min(0.4, np.floor(10 * finite.min()) / 10)) if finite.size else 0.4


BAR_MM = 14.0
"""Width that a colour bar takes to the right of a figure, with its labels."""


def draw_colour_bar(sheet: Sheet, left_mm: float, top_mm: float, height_mm: float, minimum: float) -> None:
    """Draw a vertical colour bar from `minimum` to 1, with a line at chance level."""
    axes = sheet.axes(left_mm, top_mm, 2.4, height_mm)
    values = [[minimum + (1 - minimum) * (step + 0.5) / _N_STEPS] for step in range(_N_STEPS)]
    axes.imshow(values, cmap=SCORE_COLOURS, norm=SCORE_SCALE, origin="lower", aspect="auto", extent=(0, 1, minimum, 1))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    spacing = 0.1 if height_mm / (1 - minimum) * 0.1 >= _MIN_TICK_SPACING_MM else 0.25
    ticks = [number * spacing for number in range(round(1 / spacing) + 1) if number * spacing >= minimum - 1e-9]
    axes.set_yticks(ticks, [f"{tick:.2g}" if tick < 1 else "1.0" for tick in ticks])
    axes.axhline(0.5, color=INK, linewidth=0.5)
