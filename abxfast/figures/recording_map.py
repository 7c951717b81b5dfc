"""The map of recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures.style import COLUMN_MM, FAINT, INK, MARKERS, PAGE_MM, QUIET, SERIES, SMALL, Sheet, fit, width_mm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abxfast.figures.mds import Places

_WITH_NAMES = 14
"""Recordings beyond which the map has the matrix's numbers for names."""
_ONE_COLUMN = 30
_HEAD, _EDGE, _ROW = 9.5, 1.5, 3.4
_AROUND = ((1.6, 0.0), (-1.6, 0.0), (0.0, -2.3), (0.0, 2.3), (1.5, -1.6), (1.5, 1.6), (-1.5, -1.6), (-1.5, 1.6))
"""Where a name may stand: millimetres to the right and down of its point."""
_RINGS = (1.0, 2.6, 4.2, 5.8, 7.4)
"""How many times as far, where points lie too close together for all of their names."""


def draw_map(title: str, names: Sequence[str], places: Places, groups: Sequence[str] | None, grouped_by: str) -> Sheet:
    """Draw recordings so that the distance between two is how far above chance they are told apart.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
        In the order of the matrix; where they are many, its numbers stand for them.
    places : Places
    groups : sequence of str, length n, or None
        What colours and shapes tell apart, a value of the column `grouped_by`.
    """
    kinds = list(dict.fromkeys(groups)) if groups else []
    width = COLUMN_MM if len(names) <= _ONE_COLUMN else PAGE_MM
    inner = width - 2 * _EDGE
    span = np.ptp(places.at, axis=0)
    margin = 7.0
    per_mm = max(span[0] / (inner - 2 * margin), span[1] / (1.1 * inner - 2 * margin), 1e-3)
    height = max(34.0, span[1] / per_mm + 2 * margin)
    legend = _legend_rows(kinds, grouped_by, inner)
    sheet = Sheet(width, _HEAD + height + 5.5 + _ROW * len(legend))
    sheet.text(_EDGE, 1, fit(title, 7.5, inner), fontsize=7.5, weight="bold")
    told = f"distance: score − 0.5; stress {places.stress:.2f}"
    sheet.text(_EDGE, 4.9, told, fontsize=SMALL, color=QUIET)
    axes = sheet.axes(_EDGE, _HEAD, inner, height)
    axes.set(xlim=(0, inner), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_color(FAINT)
    middle = (places.at.max(axis=0) + places.at.min(axis=0)) / 2
    at = (places.at - middle) / per_mm * [1, -1] + [inner / 2, height / 2]
    for place, group in zip(at, groups or [""] * len(at), strict=True):
        number = kinds.index(group) if kinds else 0
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        axes.plot(*place, color=colour, marker=marker, markersize=3.6, markeredgecolor="white", markeredgewidth=0.4)
    shown = list(names) if len(names) <= _WITH_NAMES else [str(number + 1) for number in range(len(names))]
    _names(axes, at, [fit(name, SMALL, 0.4 * inner) for name in shown], (inner, height))
    _scale(sheet, _HEAD + height + 1.2, per_mm)
    for row, entries in enumerate(legend):
        top = _HEAD + height + 5.5 + _ROW * (row + 0.4)
        for left, text, entry in entries:
            if entry is not None:
                _key(sheet, left, top, entry)
            inset = 0 if entry is None else 2.6
            quiet = QUIET if entry is None else INK
            sheet.text(left + inset, top, text, va="center_baseline", fontsize=SMALL, color=quiet)
    return sheet


def _names(axes, at, names: Sequence[str], size: tuple[float, float]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Write each name where it covers no other name and no point, as far as there is such a place."""
    boxes = [(x - 0.8, y - 0.8, x + 0.8, y + 0.8) for x, y in at]
    points = SMALL if len(names) <= _ONE_COLUMN else SMALL - 1
    tall = 0.42 * points
    for (x, y), name in zip(at, names, strict=True):
        wide = width_mm([name], points)
        choices: list[tuple[float, int, tuple[float, float, float, float]]] = []
        for ring, (across, down) in ((ring, place) for ring in _RINGS for place in _AROUND):
            left = x + ring * across - (0 if across > 0 else wide if across < 0 else wide / 2)
            box = (left, y + ring * down - tall / 2, left + wide, y + ring * down + tall / 2)
            outside = box[0] < 0 or box[1] < 0 or box[2] > size[0] or box[3] > size[1]
            choices.append((1e3 * outside + sum(_overlap(box, other) for other in boxes), len(choices), box))
        _, number, best = min(choices)
        boxes.append(best)
        axes.text(best[0], (best[1] + best[3]) / 2, name, va="center_baseline", fontsize=points)
        if number >= len(_AROUND):
            end = (min(max(x, best[0]), best[2]), min(max(y, best[1]), best[3]))
            axes.plot([x, end[0]], [y, end[1]], color=QUIET, linewidth=0.4, zorder=0)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down)


def _scale(sheet: Sheet, top: float, per_mm: float) -> None:
    """Draw a bar that says how long a difference in score is."""
    step = max((step for step in (0.4, 0.2, 0.1, 0.05, 0.02, 0.01) if step / per_mm <= 25), default=0.01)  # noqa: PLR2004
    axes = sheet.axes(_EDGE, top, step / per_mm, 1.0)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    axes.plot([0, 0, 1, 1], [1, 0.3, 0.3, 1], color=QUIET, linewidth=0.6, clip_on=False)
    sheet.text(_EDGE + step / per_mm + 1.2, top + 0.5, f"{step:g}", va="center_baseline", fontsize=SMALL, color=QUIET)


def _legend_rows(kinds: Sequence[str], grouped_by: str, room: float) -> list[list[tuple[float, str, int | None]]]:
    """Break the legend into rows: where an entry stands, its text, its number (None: the column's name)."""
    if not kinds:
        return []
    rows: list[list[tuple[float, str, int | None]]] = [[(_EDGE, grouped_by, None)]]
    left = _EDGE + width_mm([grouped_by], SMALL) + 3
    for number, kind in enumerate(kinds):
        text = fit(kind or "(empty)", SMALL, 40)
        wide = 2.6 + width_mm([text], SMALL) + 3
        if left + wide > room and rows[-1]:
            rows.append([])
            left = _EDGE
        rows[-1].append((left, text, number))
        left += wide
    return rows


def _key(sheet: Sheet, left: float, top: float, number: int) -> None:
    axes = sheet.axes(left, top - 0.9, 1.8, 1.8)
    axes.set_axis_off()
    axes.plot([0], [0], color=SERIES[number % len(SERIES)], marker=MARKERS[number % len(MARKERS)], markersize=3.4)


def map_caption(title: str, *, numbered: bool) -> str:
    """Say what the map shows, in words that can stand below it in a paper."""
    said = (
        f"Map of the recordings ({title}): metric multidimensional scaling of the scores' mean over both directions, "
        "so that "
        "distance on the map comes as near as it can to score − 0.5."
    )
    return f"{said} Numbers are those of the rows of the matrix." if numbered else said


def is_numbered(count: int) -> bool:
    """Whether a map of so many recordings has numbers for names."""
    return count > _WITH_NAMES
