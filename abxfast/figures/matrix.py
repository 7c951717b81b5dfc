"""Matrices of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.patches import Rectangle

from abxfast.figures.labels import fit_text, text_width_mm
from abxfast.figures.score_colours import (
    BAR_MM,
    SCORE_COLOURS,
    SCORE_SCALE,
    colour_bar_minimum,
    draw_colour_bar,
    format_judged,
    text_colour_on,
    veil,
)
from abxfast.figures.sheet import Sheet
from abxfast.figures.style import COLUMN_MM, FAINT, INK, MAX_HEIGHT_MM, PAGE_MM, POINT_MM, QUIET, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_MAX_IN_COLUMN = 10
"""Rows of a matrix that fits one column of a paper, at most."""
_MAX_WITH_SCORES = 40
"""Rows beyond which a cell is too small for its score."""
_EDGE_MM, _GAP_MM, _TOP_MM, _BELOW_MM = 1.0, 1.4, 12.5, 3.0
_MAX_CELL_MM = 11.0
_MIN_POINTS = 3.4
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200)


def shows_scores(n_rows: int) -> bool:
    """Return whether a matrix of so many rows shows scores as numbers, not only as colours."""
    return n_rows <= _MAX_WITH_SCORES


def draw_matrix(
    title: str,
    names: Sequence[str],
    score: NDArray[np.float64],
    verdict: NDArray[np.str_] | None = None,
) -> Sheet:
    """Draw scores as a matrix: a numbered row for A and X, a column of the same number for B.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
        Of the rows, in the order in which to draw them.
    score : ndarray of float64, shape (n, n)
        NaN if missing. Scores on the diagonal are set in italics.
    verdict : ndarray of str, shape (n, n), optional
        Scores with the verdict ``"different"`` are set in bold, those with ``"equivalent"`` after an ≈ sign, those with
        ``"undecidable"`` in brackets in a pale, hatched cell. In cells too small for scores, a dot stands for
        ``"no_evidence"`` and ``"equivalent"``.

    Returns
    -------
    Sheet
    """
    layout = _layout(names)
    count, left = len(names), layout.left_mm
    width, height = count * layout.cell_width_mm, count * layout.cell_height_mm
    sheet = Sheet(layout.sheet_width_mm, _TOP_MM + height + _BELOW_MM)
    sheet.text(_EDGE_MM, 1.0, fit_text(title, TITLE, sheet.width_mm - 2, weight="bold"), fontsize=TITLE, weight="bold")
    sheet.text(_EDGE_MM, 4.9, "row: A and X     column: B", color=QUIET, fontsize=SMALL)
    axes = sheet.axes(left, _TOP_MM, width, height)
    _draw_cells(axes, score)
    if verdict is not None:
        _draw_verdicts(axes, score, verdict)
    if shows_scores(count):
        _write_scores(axes, score, verdict, min(SMALL + 0.5, layout.cell_width_mm / POINT_MM / 2.3))
    _write_row_labels(sheet, layout)
    _write_column_numbers(sheet, layout)
    bar_height = min(height, max(18.0, min(60.0, height)))
    draw_colour_bar(sheet, left + width + 2.6, _TOP_MM, bar_height, colour_bar_minimum(score))
    return sheet


@dataclass(frozen=True)
class _Layout:
    """Sizes of a matrix, and the labels of its rows, shortened to fit."""

    sheet_width_mm: float
    left_mm: float
    cell_width_mm: float
    cell_height_mm: float
    labels: list[str]
    label_points: float
    label_every: int
    number_width_mm: float


def _layout(names: Sequence[str]) -> _Layout:
    count = len(names)
    sheet_width = COLUMN_MM if count <= _MAX_IN_COLUMN else PAGE_MM
    max_height = MAX_HEIGHT_MM - _TOP_MM - _BELOW_MM
    points = min(SMALL + 0.5, 0.86 * max_height / count / POINT_MM)
    label_every = max(1, int(np.ceil(_MIN_POINTS / points)))
    points = max(points, _MIN_POINTS)
    last = str(count)
    number_width = text_width_mm([last.replace(last[0], "8")], points)  # 8 is a wide digit
    label_width = sheet_width * (0.34 if sheet_width == COLUMN_MM else 0.26) - number_width - _GAP_MM
    labels = [fit_text(name, points, label_width) for name in names]
    left = _EDGE_MM + text_width_mm(labels, points) + 2 * _GAP_MM + number_width
    cell_width = cell_height = min(_MAX_CELL_MM, (sheet_width - left - BAR_MM) / count)
    if not shows_scores(count):
        cell_height = min(max(cell_width, points * POINT_MM * 1.16), max_height / count)
    return _Layout(sheet_width, left, cell_width, cell_height, labels, points, label_every, number_width)


def _write_row_labels(sheet: Sheet, layout: _Layout) -> None:
    for row in range(0, len(layout.labels), layout.label_every):
        middle = _TOP_MM + (row + 0.5) * layout.cell_height_mm
        style: dict[str, Any] = {"ha": "right", "va": "center_baseline", "fontsize": layout.label_points}
        sheet.text(layout.left_mm - _GAP_MM, middle, str(row + 1), color=QUIET, **style)
        right = layout.left_mm - 2 * _GAP_MM - layout.number_width_mm
        sheet.text(right, middle, layout.labels[row], **style)


def _write_column_numbers(sheet: Sheet, layout: _Layout) -> None:
    """Write the numbers of the columns, of some only if they are too narrow for all: 1, then multiples of a step."""
    count = len(layout.labels)
    min_width = layout.number_width_mm + 0.6
    step = next(step for step in (*_STEPS, count) if step * layout.cell_width_mm >= min_width)
    for column in sorted({0, *range(step - 1, count, step)}):
        centre = layout.left_mm + (column + 0.5) * layout.cell_width_mm
        style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": layout.label_points}
        sheet.text(centre, _TOP_MM - 0.9, str(column + 1), color=QUIET, **style)


def _draw_cells(axes: Axes, score: NDArray[np.float64]) -> None:
    count = len(score)
    axes.set(xlim=(0, count), ylim=(count, 0), xticks=[], yticks=[])
    small = not shows_scores(count)
    axes.pcolormesh(
        np.ma.masked_invalid(score),
        cmap=SCORE_COLOURS,
        norm=SCORE_SCALE,
        edgecolors="none" if small else "white",
        linewidth=0 if small else 0.5,
        rasterized=small,
    )
    for index in range(count):
        style: dict[str, Any]
        if not np.isfinite(score[index, index]):
            style = {"facecolor": FAINT, "edgecolor": "white", "linewidth": 0 if small else 0.5}
        elif not small:
            style = {"facecolor": "none", "edgecolor": QUIET, "linewidth": 0.6, "zorder": 3, "clip_on": False}
        else:
            continue
        axes.add_patch(Rectangle((index, index), 1, 1, **style))
    axes.spines[:].set_visible(False)


def _draw_verdicts(axes: Axes, score: NDArray[np.float64], verdict: NDArray[np.str_]) -> None:
    between = np.isfinite(score) & ~np.eye(len(score), dtype=bool)
    small = not shows_scores(len(score))
    veil(axes, np.argwhere(between & (verdict == "undecidable")), hatch="////////" if small else "/////")
    if small:
        rows, columns = np.nonzero(between & np.isin(verdict, ["no_evidence", "equivalent"]))
        axes.plot(columns + 0.5, rows + 0.5, linestyle="", marker=".", color=INK, markersize=1.1, markeredgewidth=0)


def _write_scores(axes: Axes, score: NDArray[np.float64], verdict: NDArray[np.str_] | None, fontsize: float) -> None:
    for row, column in np.argwhere(np.isfinite(score)):
        judged = "" if verdict is None or row == column else verdict[row, column]
        axes.text(
            column + 0.5,
            row + 0.5,
            format_judged(score[row, column], judged),
            ha="center",
            va="center_baseline",
            fontsize=fontsize,
            color=text_colour_on(score[row, column], judged),
            weight="bold" if judged == "different" else "normal",
            style="italic" if row == column else "normal",
        )
