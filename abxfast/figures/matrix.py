"""The matrix of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from abxfast.figures.style import (
    COLUMN_MM,
    FAINT,
    PAGE_MM,
    POINT_MM,
    QUIET,
    SCORE_COLOURS,
    SCORE_SCALE,
    SMALL,
    TALLEST_MM,
    Sheet,
    colour_bar,
    fit,
    ink_on,
    score_text,
    width_mm,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_ONE_COLUMN = 10
"""Values of ON that a matrix in one column of a paper has at most."""
_WITH_VALUES = 40
"""Values of ON beyond which a cell is too small for its score."""
_EDGE, _GAP, _BAR = 1.0, 1.4, 11.0
_LARGEST_CELL, _HEAD, _FOOT = 11.0, 12.5, 3.0
_MIN_POINTS = 3.4


def draw_matrix(
    title: str,
    names: Sequence[str],
    score: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Sheet:
    """Draw scores as a matrix: a numbered row for A and X, a column of the same number for B.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
        In the order in which to draw.
    score, low, high : ndarray of float64, shape (n, n)
        As in `ScoreMatrix`, in that order. Scores whose interval does not hold 0.5 stand in bold.
    """
    count = len(names)
    width = COLUMN_MM if count <= _ONE_COLUMN else PAGE_MM
    numbers = [str(number + 1) for number in range(count)]
    points = min(SMALL + 0.5, 0.86 * (TALLEST_MM - _HEAD - _FOOT) / count / POINT_MM)
    every = max(1, int(np.ceil(_MIN_POINTS / points)))
    points = max(points, _MIN_POINTS)
    number_width = width_mm([numbers[-1].replace(numbers[-1][0], "8")], points)
    room = width * (0.34 if width == COLUMN_MM else 0.26) - number_width - _GAP
    labels = [fit(name, points, room) for name in names]
    left = _EDGE + width_mm(labels, points) + 2 * _GAP + number_width
    cell_width = min(_LARGEST_CELL, (width - left - _BAR) / count)
    cell_height = cell_width
    if count > _WITH_VALUES:
        cell_height = min(max(cell_width, points * POINT_MM * 1.16), (TALLEST_MM - _HEAD - _FOOT) / count)
    sheet = Sheet(width, _HEAD + count * cell_height + _FOOT)
    sheet.text(_EDGE, 1.0, fit(title, 7.5, width - 2), fontsize=7.5, weight="bold")
    sheet.text(_EDGE, 4.9, "row: A and X     column: B", color=QUIET, fontsize=SMALL)
    axes = sheet.axes(left, _HEAD, count * cell_width, count * cell_height)
    _cells(axes, score)
    if count <= _WITH_VALUES:
        _values(axes, score, low, high, min(SMALL + 0.5, cell_width / POINT_MM / 1.9))
    for row in range(0, count, every):
        top = _HEAD + (row + 0.5) * cell_height
        middle = {"va": "center_baseline", "fontsize": points}
        sheet.text(left - _GAP, top, numbers[row], ha="right", color=QUIET, **middle)
        sheet.text(left - 2 * _GAP - number_width, top, labels[row], ha="right", **middle)
    head_width = number_width + 0.6
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, count) if step * cell_width >= head_width)
    for column in sorted({0, *range(step - 1, count, step)} if step > 1 else range(count)):
        place = left + (column + 0.5) * cell_width
        sheet.text(place, _HEAD - 0.9, numbers[column], ha="center", va="bottom", color=QUIET, fontsize=points)
    known = score[np.isfinite(score)]
    least = min(0.4, np.floor(10 * known.min()) / 10) if known.size else 0.4
    height = min(count * cell_height, max(18.0, min(60.0, count * cell_height)))
    colour_bar(sheet, left + count * cell_width + 2.6, _HEAD, height, max(0.0, least))
    return sheet


def _cells(axes: Axes, score: NDArray[np.float64]) -> None:
    count = len(score)
    axes.set(xlim=(0, count), ylim=(count, 0), xticks=[], yticks=[])
    many = count > _WITH_VALUES
    axes.pcolormesh(
        np.ma.masked_invalid(score),
        cmap=SCORE_COLOURS,
        norm=SCORE_SCALE,
        edgecolors="none" if many else "white",
        linewidth=0 if many else 0.5,
        rasterized=many,
    )
    for place in range(count):
        if not np.isfinite(score[place, place]):
            axes.add_patch(_square(place, place, facecolor=FAINT, edgecolor="white", linewidth=0 if many else 0.5))
        elif not many:
            axes.add_patch(
                _square(place, place, facecolor="none", edgecolor=QUIET, linewidth=0.6, zorder=3, clip_on=False)
            )
    axes.spines[:].set_visible(False)


def _square(column: int, row: int, **style: Any) -> Rectangle:
    return Rectangle((column, row), 1, 1, **style)


def _values(
    axes: Axes, score: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], points: float
) -> None:
    for row, column in np.argwhere(np.isfinite(score)):
        value = score[row, column]
        sure = row != column and (low[row, column] > 0.5 or high[row, column] < 0.5)  # noqa: PLR2004
        axes.text(
            column + 0.5,
            row + 0.5,
            score_text(value),
            ha="center",
            va="center_baseline",
            fontsize=points,
            color=ink_on(value),
            weight="bold" if sure else "normal",
            style="italic" if row == column else "normal",
        )


def matrix_caption(title: str, on: str, *, values: int, diagonal: bool, averaged: str) -> str:
    """Say what the matrix shows, in words that can stand below it in a paper."""
    said = (
        f"ABX scores ({title}): row, the {on} that A and X share; column, the {on} of B. 0.5 is chance, 1 is told "
        "apart "
        "every time. Rows are ordered by average-linkage clustering of the scores of both directions and all lengths."
    )
    if values <= _WITH_VALUES:
        said += " Bold: the 95 % interval of both directions' mean does not hold 0.5."
    if diagonal:
        said += " On the diagonal, each recording against itself, in alternating blocks of 30 s."
    return f"{said} {averaged[0].upper()}{averaged[1:].rstrip('.')}." if averaged else said
