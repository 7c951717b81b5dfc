"""A legend of groups that differ in colour and marker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from abxfast.figures.labels import fit_text, text_width_mm
from abxfast.figures.style import INK, MARKERS, QUIET, SERIES, SMALL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.figures.sheet import Sheet

EDGE_MM, LEGEND_ROW_MM = 1.5, 3.4


class LegendEntry(NamedTuple):
    """Text of the legend; `group` is the number of the group, None for the name of the column."""

    left_mm: float
    text: str
    group: int | None


def legend_rows(kinds: Sequence[str], grouped_by: str, width_mm: float) -> list[list[LegendEntry]]:
    """Break the legend into rows; none if there are no groups."""
    if not kinds:
        return []
    rows = [[LegendEntry(EDGE_MM, grouped_by, None)]]
    left = EDGE_MM + text_width_mm([grouped_by], SMALL) + 3
    for group, kind in enumerate(kinds):
        text = fit_text(kind or "(empty)", SMALL, 40)
        width = 2.6 + text_width_mm([text], SMALL) + 3
        if left + width > width_mm and rows[-1]:
            rows.append([])
            left = EDGE_MM
        rows[-1].append(LegendEntry(left, text, group))
        left += width
    return rows


def draw_group_legend(sheet: Sheet, rows: Sequence[Sequence[LegendEntry]], top_mm: float) -> None:
    """Draw rows that `legend_rows` returned."""
    for row, entries in enumerate(rows):
        middle = top_mm + LEGEND_ROW_MM * (row + 0.4)
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
