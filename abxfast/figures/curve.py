"""Curves of score over snippet length."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures.labels import fit_text
from abxfast.figures.sheet import Sheet
from abxfast.figures.style import FAINT, MARKERS, PAGE_MM, QUIET, SERIES, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

_LEFT_MM, _RIGHT_MM, _HEIGHT_MM, _BELOW_MM = 10.5, 3.0, 52.0, 9.0
_TOP_AXIS_MM, _LEGEND_ROW_MM = 5.2, 3.4
_N_NOTES = 2
"""Rows of the legend on what all curves share."""
_MAX_TOP_AXES = 3
"""Encoders whose dimensions per frame are written above the curves, at most."""
_DOTTED = (0, (1, 1.6))
_UNDECIDABLE = "undecidable"


@dataclass(frozen=True)
class ScoreCurve:
    """Mean scores of one encoder over snippet length; all arrays of shape (n,), by increasing length.

    Attributes
    ----------
    name : str
        For the legend.
    snippet_s : ndarray of float64
        In seconds; NaN for whole items, which come last.
    score, low, high : ndarray of float64
        Scores and their 95% intervals; NaN if missing.
    dims_per_frame : ndarray of float64
        Vector dimensions per pooled frame; NaN if unknown.
    alternating_split : ndarray of float64
        Mean self-baseline of the recordings; NaN if missing.
    verdict : ndarray of str
        As for `draw_matrix`; empty without one.
    """

    name: str
    snippet_s: NDArray[np.float64]
    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    dims_per_frame: NDArray[np.float64]
    alternating_split: NDArray[np.float64]
    verdict: NDArray[np.str_]


class _LengthAxis:
    """Positions of snippet lengths on the x axis: logarithmic, with whole items after the longest length."""

    def __init__(self, curves: Sequence[ScoreCurve]) -> None:
        lengths = np.concatenate([curve.snippet_s for curve in curves])
        self._timed = {length: np.log2(length) for length in sorted(set(lengths[np.isfinite(lengths)].tolist()))}
        self._whole = (max(self._timed.values()) if self._timed else 0.0) + 1.2
        self._has_whole = bool(np.isnan(lengths).any())

    def positions(self, curve: ScoreCurve) -> NDArray[np.float64]:
        """Return the positions of the lengths of a curve, shape (n,)."""
        return np.array([self._whole if np.isnan(length) else self._timed[length] for length in curve.snippet_s])

    def set_ticks(self, axes: Axes) -> None:
        """Set ticks, tick labels and limits."""
        ticks = [*self._timed.values(), *([self._whole] if self._has_whole else [])]
        labels = [*(f"{length:g}" for length in self._timed), *(["whole"] if self._has_whole else [])]
        axes.set_xticks(ticks, labels)
        padding = 0.08 * max(1.0, ticks[-1] - ticks[0])
        axes.set_xlim(ticks[0] - padding, ticks[-1] + padding)


def draw_curve(title: str, curves: Sequence[ScoreCurve]) -> Sheet:
    """Draw mean scores over snippet length, with 95% bands, and the vector dimensions per frame above them.

    Parameters
    ----------
    title : str
    curves : sequence of ScoreCurve
        At least one, in the order of the legend.

    Returns
    -------
    Sheet
    """
    on_top = [number for number, curve in enumerate(curves) if np.isfinite(curve.dims_per_frame).any()][:_MAX_TOP_AXES]
    top = 6.5 + _TOP_AXIS_MM * len(on_top) + 4.0
    sheet = Sheet(PAGE_MM, top + _HEIGHT_MM + _BELOW_MM + _LEGEND_ROW_MM * (_N_NOTES + len(curves)))
    sheet.text(1, 1, fit_text(title, TITLE, PAGE_MM - 2, weight="bold"), fontsize=TITLE, weight="bold")
    axes = sheet.axes(_LEFT_MM, top, PAGE_MM - _LEFT_MM - _RIGHT_MM, _HEIGHT_MM)
    lengths = _LengthAxis(curves)
    lengths.set_ticks(axes)
    axes.set_xlabel("snippet length (s)", labelpad=2)
    axes.set_ylabel("ABX score", labelpad=2)
    axes.axhline(0.5, color=QUIET, linewidth=0.6, dashes=(4, 3))
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for number, curve in enumerate(curves):
        _plot_curve(axes, curve, number, lengths.positions(curve))
    axes.set_ylim(*_score_limits(curves))
    for row, number in enumerate(on_top):
        bottom = top - 1.6 - _TOP_AXIS_MM * (len(on_top) - 1 - row)
        colour = SERIES[number % len(SERIES)]
        _draw_top_axis(sheet, bottom, axes.get_xlim(), lengths.positions(curves[number]), curves[number], colour)
    if on_top:
        sheet.text(1, 6.3, "vector dimensions per frame", fontsize=SMALL, color=QUIET)
    _draw_legend(sheet, curves, top + _HEIGHT_MM + _BELOW_MM)
    return sheet


def _score_limits(curves: Sequence[ScoreCurve]) -> tuple[float, float]:
    """Return y limits that hold all scores, intervals and baselines, and chance level."""
    values = np.concatenate(
        [array for curve in curves for array in (curve.low, curve.high, curve.score, curve.alternating_split)]
    )
    finite = np.append(values[np.isfinite(values)], 0.5)
    return max(0.0, min(0.45, finite.min() - 0.02)), min(1.0, max(0.6, finite.max() + 0.03)) + 0.005


def _plot_curve(axes: Axes, curve: ScoreCurve, number: int, positions: NDArray[np.float64]) -> None:
    colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
    timed = np.isfinite(curve.snippet_s)
    band = timed & np.isfinite(curve.low)
    axes.fill_between(positions[band], curve.low[band], curve.high[band], color=colour, alpha=0.16, linewidth=0)
    _plot_lines(axes, curve, positions, colour)
    axes.plot(positions[timed], curve.alternating_split[timed], color=colour, linewidth=0.8, linestyle=_DOTTED)
    points = zip(positions, curve.score, curve.low, curve.high, curve.verdict, strict=True)
    for position, score, low, high, verdict in points:
        if np.isfinite(low):
            axes.plot([position, position], [low, high], color=colour, linewidth=0.6, alpha=0.7)
        if verdict == _UNDECIDABLE:
            axes.plot([position], [score], color=colour, marker="x", markersize=3.6, markeredgewidth=0.9)
        else:
            face = colour if verdict in ("different", "") else "white"
            axes.plot([position], [score], color=colour, marker=marker, markersize=3.8, markerfacecolor=face)


def _plot_lines(axes: Axes, curve: ScoreCurve, positions: NDArray[np.float64], colour: str) -> None:
    """Connect the scores of timed snippets; the line is thin and dashed to and from those that cannot be judged."""
    timed = np.flatnonzero(np.isfinite(curve.snippet_s))
    for start, end in itertools.pairwise(timed):
        judged = _UNDECIDABLE not in (curve.verdict[start], curve.verdict[end])
        style = {"linewidth": 1.1} if judged else {"linewidth": 0.7, "dashes": (5, 2)}
        axes.plot(positions[[start, end]], curve.score[[start, end]], color=colour, **style)


def _draw_top_axis(
    sheet: Sheet,
    bottom_mm: float,
    x_limits: tuple[float, float],
    positions: NDArray[np.float64],
    curve: ScoreCurve,
    colour: str,
) -> None:
    """Draw an axis with the dimensions per frame of one encoder at each of its snippet lengths."""
    axes = sheet.axes(_LEFT_MM, bottom_mm - 0.01, sheet.width_mm - _LEFT_MM - _RIGHT_MM, 0.01)
    axes.set_xlim(*x_limits)
    known = np.isfinite(curve.dims_per_frame)
    axes.xaxis.tick_top()
    axes.set_xticks(positions[known], [f"{dims:.3g}" for dims in curve.dims_per_frame[known]])
    axes.tick_params(axis="x", color=colour, labelcolor=colour, pad=1)
    axes.set_yticks([])
    axes.spines[["left", "right", "bottom"]].set_visible(False)
    axes.spines["top"].set_color(colour)


def _draw_legend(sheet: Sheet, curves: Sequence[ScoreCurve], top_mm: float) -> None:
    n_rows = _N_NOTES + len(curves)
    axes = sheet.axes(_LEFT_MM, top_mm, 8.0, _LEGEND_ROW_MM * n_rows)
    axes.set(xlim=(0, 1), ylim=(n_rows, 0))
    axes.set_axis_off()

    def label(row: int, text: str, **style: str) -> None:
        middle = top_mm + _LEGEND_ROW_MM * (row + 0.5)
        sheet.text(_LEFT_MM + 9.5, middle, text, va="center_baseline", fontsize=SMALL, **style)

    for row, curve in enumerate(curves):
        colour = SERIES[row % len(SERIES)]
        axes.plot([0, 1], [row + 0.5] * 2, color=colour, linewidth=1.1)
        axes.plot([0.5], [row + 0.5], color=colour, marker=MARKERS[row % len(MARKERS)], markersize=3.2)
        label(row, fit_text(curve.name, SMALL, sheet.width_mm - _LEFT_MM - 11))
    last = len(curves)
    axes.plot([0, 0.44], [last + 0.5] * 2, color=QUIET, linewidth=0.8, linestyle=_DOTTED)
    axes.plot([0.56, 1], [last + 0.5] * 2, color=QUIET, linewidth=0.6, dashes=(4, 3))
    label(last, "dotted: self-baseline; dashed: chance level", color=QUIET)
    for place, marker, face in ((0.1, "o", QUIET), (0.5, "o", "white"), (0.9, "x", QUIET)):
        axes.plot([place], [last + 1.5], color=QUIET, marker=marker, markersize=3.2, markerfacecolor=face)
    label(last + 1, "filled: evidence of a difference; open: none; cross: cannot be judged", color=QUIET)
