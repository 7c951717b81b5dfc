"""Maps of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.figures.labels import fit_text, text_width_mm
from abxfast.figures.sheet import Sheet
from abxfast.figures.style import COLUMN_MM, FAINT, INK, MARKERS, PAGE_MM, QUIET, SERIES, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from abxfast.figures.mds import MapLayout

_MAX_WITH_NAMES = 14
"""Recordings beyond which points are labelled with the row numbers of the matrix."""
_MAX_IN_COLUMN = 30
"""Recordings of a map that fits one column of a paper, at most."""
_TOP_MM, _EDGE_MM, _MARGIN_MM, _BELOW_MM, _LEGEND_ROW_MM = 9.5, 1.5, 7.0, 5.5, 3.4
_MIN_HEIGHT_MM = 34.0
_BAR_LENGTHS = (0.4, 0.2, 0.1, 0.05, 0.02, 0.01)
_MAX_BAR_MM = 25.0
_LABEL_OFFSETS_MM = (
    (1.6, 0.0),
    (-1.6, 0.0),
    (0.0, -2.3),
    (0.0, 2.3),
    (1.5, -1.6),
    (1.5, 1.6),
    (-1.5, -1.6),
    (-1.5, 1.6),
)
"""Offsets of a label from its point, right and down, in order of preference."""
_OFFSET_FACTORS = (1.0, 2.6, 4.2, 5.8, 7.4)
"""Factors of these offsets, larger ones for points too close together for all of their labels."""

_Box = tuple[float, float, float, float]
"""Left, top, right, bottom in millimetres."""


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
    sheet_width = COLUMN_MM if len(names) <= _MAX_IN_COLUMN else PAGE_MM
    width = sheet_width - 2 * _EDGE_MM
    span = np.ptp(layout.positions, axis=0)
    score_per_mm = max(span[0] / (width - 2 * _MARGIN_MM), span[1] / (1.1 * width - 2 * _MARGIN_MM), 1e-3)
    height = max(_MIN_HEIGHT_MM, span[1] / score_per_mm + 2 * _MARGIN_MM)
    legend = _legend_rows(kinds, grouped_by, width)
    sheet = Sheet(sheet_width, _TOP_MM + height + _BELOW_MM + _LEGEND_ROW_MM * len(legend))
    sheet.text(_EDGE_MM, 1, fit_text(title, TITLE, width), fontsize=TITLE, weight="bold")
    subtitle = f"distance: score − 0.5; stress {layout.stress:.2f}"
    sheet.text(_EDGE_MM, 4.9, subtitle, fontsize=SMALL, color=QUIET)
    axes = sheet.axes(_EDGE_MM, _TOP_MM, width, height)
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
    _draw_legend(sheet, legend, _TOP_MM + height + _BELOW_MM)
    return sheet


def _write_labels(axes: Axes, points: NDArray[np.float64], labels: Sequence[str], size_mm: tuple[float, float]) -> None:
    """Write each label where it covers the least of other labels and points; lines lead to distant labels."""
    boxes: list[_Box] = [(x - 0.8, y - 0.8, x + 0.8, y + 0.8) for x, y in points]
    fontsize = SMALL if len(labels) <= _MAX_IN_COLUMN else SMALL - 1
    height = 0.42 * fontsize
    for (x, y), label in zip(points, labels, strict=True):
        width = text_width_mm([label], fontsize)
        choices: list[tuple[float, int, _Box]] = []
        for factor in _OFFSET_FACTORS:
            for right, down in _LABEL_OFFSETS_MM:
                left = x + factor * right - (0 if right > 0 else width if right < 0 else width / 2)
                middle = y + factor * down
                box = (left, middle - height / 2, left + width, middle + height / 2)
                outside = box[0] < 0 or box[1] < 0 or box[2] > size_mm[0] or box[3] > size_mm[1]
                choices.append((1e3 * outside + sum(_overlap(box, other) for other in boxes), len(choices), box))
        _, choice, best = min(choices)
        boxes.append(best)
        axes.text(best[0], (best[1] + best[3]) / 2, label, va="center_baseline", fontsize=fontsize)
        if choice >= len(_LABEL_OFFSETS_MM):
            end_x, end_y = min(max(x, best[0]), best[2]), min(max(y, best[1]), best[3])
            axes.plot([x, end_x], [y, end_y], color=QUIET, linewidth=0.4, zorder=0)


def _overlap(first: _Box, second: _Box) -> float:
    """Return the area that two boxes share, in square millimetres."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(0.0, width) * max(0.0, height)


def _draw_scale_bar(sheet: Sheet, top_mm: float, score_per_mm: float) -> None:
    """Draw the longest bar of round length that is short enough, with the difference in score that it stands for."""
    length = next((length for length in _BAR_LENGTHS if length / score_per_mm <= _MAX_BAR_MM), _BAR_LENGTHS[-1])
    width = length / score_per_mm
    axes = sheet.axes(_EDGE_MM, top_mm, width, 1.0)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    axes.plot([0, 0, 1, 1], [1, 0.3, 0.3, 1], color=QUIET, linewidth=0.6, clip_on=False)
    sheet.text(_EDGE_MM + width + 1.2, top_mm + 0.5, f"{length:g}", va="center_baseline", fontsize=SMALL, color=QUIET)


class _LegendEntry(NamedTuple):
    """Text of the legend; `group` is the number of the group, None for the name of the column."""

    left_mm: float
    text: str
    group: int | None


def _legend_rows(kinds: Sequence[str], grouped_by: str, width_mm: float) -> list[list[_LegendEntry]]:
    """Break the legend into rows; none if there are no groups."""
    if not kinds:
        return []
    rows = [[_LegendEntry(_EDGE_MM, grouped_by, None)]]
    left = _EDGE_MM + text_width_mm([grouped_by], SMALL) + 3
    for group, kind in enumerate(kinds):
        text = fit_text(kind or "(empty)", SMALL, 40)
        width = 2.6 + text_width_mm([text], SMALL) + 3
        if left + width > width_mm and rows[-1]:
            rows.append([])
            left = _EDGE_MM
        rows[-1].append(_LegendEntry(left, text, group))
        left += width
    return rows


def _draw_legend(sheet: Sheet, rows: Sequence[Sequence[_LegendEntry]], top_mm: float) -> None:
    for row, entries in enumerate(rows):
        middle = top_mm + _LEGEND_ROW_MM * (row + 0.4)
        for entry in entries:
            left, colour = entry.left_mm, QUIET
            if entry.group is not None:
                _draw_marker(sheet, left, middle, entry.group)
                left, colour = left + 2.6, INK
            sheet.text(left, middle, entry.text, va="center_baseline", fontsize=SMALL, color=colour)


def _draw_marker(sheet: Sheet, left_mm: float, middle_mm: float, group: int) -> None:
    axes = sheet.axes(left_mm, middle_mm - 0.9, 1.8, 1.8)
    axes.set_axis_off()
    axes.plot([0], [0], color=SERIES[group % len(SERIES)], marker=MARKERS[group % len(MARKERS)], markersize=3.4)
