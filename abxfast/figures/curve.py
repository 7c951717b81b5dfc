"""The curve of score over snippet length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures.style import COLUMN_MM, FAINT, MARKERS, QUIET, SERIES, SMALL, Sheet, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEFT, _RIGHT, _HEIGHT, _ROW = 10.5, 3.0, 44.0, 5.2
_MAX_AXES = 3
"""Encoders whose cells per frame stand above the curve."""


@dataclass(frozen=True)
class ScoreCurve:
    """One encoder's scores, a number a length, by rising length.

    Attributes
    ----------
    name : str
    snippet_s : ndarray of float64
        NaN for whole items, which come last.
    score, low, high, dims_per_frame, alternating_split : ndarray of float64
        NaN where there is none.
    """

    name: str
    snippet_s: NDArray[np.float64]
    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    dims_per_frame: NDArray[np.float64]
    alternating_split: NDArray[np.float64]


def draw_curve(title: str, lines: Sequence[ScoreCurve]) -> Sheet:
    """Draw mean scores over snippet length, with bands of 95 %, and above it the cells per frame of each line."""
    upper = [line for line in lines if np.isfinite(line.dims_per_frame).any()][:_MAX_AXES]
    legend = 1 + len(lines)
    head = 6.5 + _ROW * len(upper) + 4.0
    sheet = Sheet(COLUMN_MM, head + _HEIGHT + 9.0 + 3.4 * legend)
    sheet.text(1, 1, fit(title, 7.5, COLUMN_MM - 2), fontsize=7.5, weight="bold")
    axes = sheet.axes(_LEFT, head, COLUMN_MM - _LEFT - _RIGHT, _HEIGHT)
    lengths = sorted({length for line in lines for length in line.snippet_s[np.isfinite(line.snippet_s)].tolist()})
    whole = any(np.isnan(line.snippet_s).any() for line in lines)
    places = {length: np.log2(length) for length in lengths}
    last = (max(places.values()) if places else 0.0) + 1.2
    ticks = [places[length] for length in lengths] + ([last] if whole else [])
    axes.set_xticks(ticks, [f"{length:g}" for length in lengths] + (["whole"] if whole else []))
    pad = 0.08 * max(1.0, ticks[-1] - ticks[0])
    axes.set_xlim(ticks[0] - pad, ticks[-1] + pad)
    axes.set_xlabel("snippet length (s)", labelpad=2)
    axes.set_ylabel("ABX score", labelpad=2)
    axes.axhline(0.5, color=QUIET, linewidth=0.6, dashes=(4, 3))
    axes.grid(axis="y", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    for number, line in enumerate(lines):
        _line(axes, line, number, places, last)
    values = np.concatenate(
        [[0.5], *([line.low, line.high, line.score, line.alternating_split] for line in lines for _ in [0])], axis=None
    )
    values = values[np.isfinite(values)]
    axes.set_ylim(max(0.0, min(0.45, values.min() - 0.02)), min(1.0, max(0.6, values.max() + 0.03)) + 0.005)
    for row, line in enumerate(upper):
        _upper(
            sheet,
            line,
            SERIES[lines.index(line) % len(SERIES)],
            head - 1.6 - _ROW * (len(upper) - 1 - row),
            axes,
            places,
            last,
        )
    if upper:
        sheet.text(1, 6.3, "cells of the vector per frame", fontsize=SMALL, color=QUIET)
    _legend(sheet, lines, head + _HEIGHT + 9.0)
    return sheet


def _line(axes, line: ScoreCurve, number: int, places: dict[float, float], last: float) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    colour = SERIES[number % len(SERIES)]
    at = np.array([last if np.isnan(length) else places[length] for length in line.snippet_s])
    timed = np.isfinite(line.snippet_s)
    sure = timed & np.isfinite(line.low)
    axes.fill_between(at[sure], line.low[sure], line.high[sure], color=colour, alpha=0.16, linewidth=0)
    marker = MARKERS[number % len(MARKERS)]
    axes.plot(at[timed], line.score[timed], color=colour, linewidth=1.1, marker=marker, markersize=3.2)
    axes.plot(at[timed], line.alternating_split[timed], color=colour, linewidth=0.8, linestyle=(0, (1, 1.6)))
    for place, score, low, high in zip(at, line.score, line.low, line.high, strict=True):
        if np.isfinite(low):
            axes.plot([place, place], [low, high], color=colour, linewidth=0.6, alpha=0.7)
        axes.plot([place], [score], color=colour, marker=marker, markersize=3.2)


def _upper(
    sheet: Sheet, line: ScoreCurve, colour: str, bottom: float, axes, places: dict[float, float], last: float
) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Write one encoder's cells per frame above the lengths that they belong to."""
    first, end = axes.get_xlim()
    width = sheet.width_mm - _LEFT - _RIGHT
    scale = sheet.axes(_LEFT, bottom - 0.01, width, 0.01)
    scale.set_xlim(first, end)
    at = [last if np.isnan(length) else places[length] for length in line.snippet_s]
    shown = [(place, value) for place, value in zip(at, line.dims_per_frame, strict=True) if np.isfinite(value)]
    scale.xaxis.tick_top()
    scale.set_xticks([place for place, _ in shown], [f"{value:.3g}" for _, value in shown])
    scale.tick_params(axis="x", color=colour, labelcolor=colour, pad=1)
    scale.set_yticks([])
    scale.spines[["left", "right", "bottom"]].set_visible(False)
    scale.spines["top"].set_color(colour)


def _legend(sheet: Sheet, lines: Sequence[ScoreCurve], top: float) -> None:
    axes = sheet.axes(_LEFT, top, 8.0, 3.4 * (1 + len(lines)))
    axes.set(xlim=(0, 1), ylim=(1 + len(lines), 0))
    axes.set_axis_off()
    for number, line in enumerate(lines):
        colour = SERIES[number % len(SERIES)]
        axes.plot([0, 1], [number + 0.5] * 2, color=colour, linewidth=1.1)
        axes.plot([0.5], [number + 0.5], color=colour, marker=MARKERS[number % len(MARKERS)], markersize=3.2)
        name = fit(line.name, SMALL, sheet.width_mm - _LEFT - 11)
        sheet.text(_LEFT + 9.5, top + 3.4 * (number + 0.5), name, va="center_baseline", fontsize=SMALL)
    row = len(lines) + 0.5
    axes.plot([0, 0.44], [row] * 2, color=QUIET, linewidth=0.8, linestyle=(0, (1, 1.6)))
    axes.plot([0.56, 1], [row] * 2, color=QUIET, linewidth=0.6, dashes=(4, 3))
    told = "dotted: a recording against itself; dashed: chance"
    sheet.text(_LEFT + 9.5, top + 3.4 * row, told, va="center_baseline", fontsize=SMALL, color=QUIET)


def curve_caption(experiment: str) -> str:
    """Say what the curve shows, in words that can stand below it in a paper."""
    return (
        f"Mean ABX score over snippet length (experiment {experiment}), with bands of 95 % confidence. Above: numbers "
        "of the "
        "vector for each frame that is pooled. Dotted: mean score of a recording against itself, in alternating blocks "
        "of 30 s; dashed: chance."
    )
