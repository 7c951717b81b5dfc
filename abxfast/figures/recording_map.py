"""Maps of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures.group_legend import EDGE_MM, LEGEND_ROW_MM, draw_group_legend, legend_rows
from abxfast.figures.label_placement import place_labels
from abxfast.figures.labels import fit_text, text_width_mm
from abxfast.figures.sheet import Sheet
from abxfast.figures.style import FAINT, INK, MARKERS, PAGE_MM, QUIET, SERIES, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abxfast.figures.mds import MapLayout

_MAX_WITH_NAMES = 14
"""Recordings beyond which points are labelled with the row numbers of the matrix."""
_MAX_WITH_LARGE_LABELS = 60
_TOP_MM, _MARGIN_MM, _SIDE_MM, _BELOW_MM = 9.5, 7.0, 20.0, 5.5
_MIN_HEIGHT_MM, _MAX_HEIGHT_MM = 40.0, 95.0
HIGH_STRESS = 0.2
"""Stress from which a map is misleading; Kruskal (1964) calls this a poor fit."""
_LINE_HEIGHT_MM = 0.42
"""Of a label, for each point of its size."""
_BAR_LENGTHS = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01)
_MAX_BAR_MM = 25.0


def shows_numbers(n_recordings: int) -> bool:
    """Return whether a map of so many recordings labels its points with numbers instead of names."""
    return n_recordings > _MAX_WITH_NAMES


def draw_map(
    title: str, names: Sequence[str], layout: MapLayout, groups: Sequence[str] | None, grouped_by: str
) -> Sheet:
    """Draw recordings as points whose distances approximate the scores of their pairs above chance level.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
        In the order of the matrix, whose row numbers replace them if `shows_numbers`.
    layout : MapLayout
        Positions of shape (n, 2).
    groups : sequence of str, length n, or None
        Groups that differ in colour and marker.
    grouped_by : str
        What `groups` are, for the legend.

    Returns
    -------
    Sheet
    """
    kinds = list(dict.fromkeys(groups)) if groups else []
    width = PAGE_MM - 2 * EDGE_MM
    span = np.ptp(layout.positions, axis=0)
    score_per_mm = max(span[0] / (width - 2 * _SIDE_MM), span[1] / (_MAX_HEIGHT_MM - 2 * _MARGIN_MM), 1e-3)
    height = max(_MIN_HEIGHT_MM, span[1] / score_per_mm + 2 * _MARGIN_MM)
    legend = legend_rows(kinds, grouped_by, width)
    sheet = Sheet(PAGE_MM, _TOP_MM + height + _BELOW_MM + LEGEND_ROW_MM * len(legend))
    sheet.text(EDGE_MM, 1, fit_text(title, TITLE, width, weight="bold"), fontsize=TITLE, weight="bold")
    subtitle = f"distance: score − 0.5; stress {layout.stress:.2f}"
    if layout.stress >= HIGH_STRESS:
        subtitle += " (high): distances on this map mislead, read the matrix"
    sheet.text(EDGE_MM, 4.9, subtitle, fontsize=SMALL, color=INK if layout.stress >= HIGH_STRESS else QUIET)
    axes = sheet.axes(EDGE_MM, _TOP_MM, width, height)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_color(FAINT)
    centre = (layout.positions.max(axis=0) + layout.positions.min(axis=0)) / 2
    points = (layout.positions - centre) / score_per_mm * [1, -1] + [width / 2, height / 2]
    for point, group in zip(points, groups or [""] * len(points), strict=True):
        number = kinds.index(group) if kinds else 0
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        axes.plot(*point, color=colour, marker=marker, markersize=3.6, markeredgecolor="white", markeredgewidth=0.4)
    labels = [str(number + 1) for number in range(len(names))] if shows_numbers(len(names)) else names
    _write_labels(axes, points, [fit_text(label, SMALL, 0.4 * width) for label in labels], (width, height))
    _draw_scale_bar(sheet, _TOP_MM + height + 1.2, score_per_mm)
    draw_group_legend(sheet, legend, _TOP_MM + height + _BELOW_MM)
    return sheet


def _write_labels(axes: Axes, points: NDArray[np.float64], labels: Sequence[str], size_mm: tuple[float, float]) -> None:
    """Write each label where it covers nothing; lines lead to distant labels."""
    fontsize = SMALL if len(labels) <= _MAX_WITH_LARGE_LABELS else SMALL - 1
    widths = [text_width_mm([label], fontsize) for label in labels]
    for (x, y), label, place in zip(
        points, labels, place_labels(points, widths, _LINE_HEIGHT_MM * fontsize, size_mm), strict=True
    ):
        middle = (place.top + place.bottom) / 2
        axes.text(place.left, middle, label, va="center_baseline", fontsize=fontsize)
        if place.distant:
            end_x, end_y = min(max(x, place.left), place.right), min(max(y, place.top), place.bottom)
            axes.plot([x, end_x], [y, end_y], color=QUIET, linewidth=0.4, zorder=0)


def _draw_scale_bar(sheet: Sheet, top_mm: float, score_per_mm: float) -> None:
    """Draw the longest bar of round length that is short enough, with the difference in score that it stands for."""
    length = next((length for length in _BAR_LENGTHS if length / score_per_mm <= _MAX_BAR_MM), _BAR_LENGTHS[-1])
    width = length / score_per_mm
    axes = sheet.axes(EDGE_MM, top_mm, width, 1.0)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    axes.plot([0, 0, 1, 1], [1, 0.3, 0.3, 1], color=QUIET, linewidth=0.6, clip_on=False)
    sheet.text(EDGE_MM + width + 1.2, top_mm + 0.5, f"{length:g}", va="center_baseline", fontsize=SMALL, color=QUIET)
