"""Heat maps of scores by layer and pooling."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

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
from abxfast.figures.style import FAINT, PAGE_MM, POINT_MM, QUIET, SMALL, TITLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

_TOP_MM, _BELOW_MM, _GAP_MM = 10.0, 6.0, 3.0
_CELL_MM, _MAX_CELL_MM = 5.2, 14.0
"""Height and largest width of a cell."""


class LayerScore(NamedTuple):
    """The mean score of a layer and pooling, NaN if missing, and its verdict (see `draw_matrix`), empty without one."""

    score: float
    verdict: str = ""


def draw_layers(title: str, panels: Mapping[str, Mapping[str, LayerScore]]) -> Sheet:
    """Draw mean scores by layer (rows) and pooling (columns), one panel per snippet length.

    Parameters
    ----------
    title : str
    panels : mapping of str to mapping of str to LayerScore
        By the title of the panel, the score of each variant (``layer21.max``).

    Returns
    -------
    Sheet
    """
    variants = [_split_variant(name) for name in dict.fromkeys(name for panel in panels.values() for name in panel)]
    layers = sorted({layer for layer, _ in variants}, key=_natural_key)
    poolings = list(dict.fromkeys(pooling for _, pooling in variants))
    labels = [fit_text(layer, SMALL, 24) for layer in layers]
    left = 2.4 + text_width_mm(labels, SMALL)
    n_columns = len(panels) * len(poolings)
    gaps = _GAP_MM * (len(panels) - 1)
    cell_width = min(_MAX_CELL_MM, (PAGE_MM - left - BAR_MM - gaps) / n_columns)
    height = len(layers) * _CELL_MM
    sheet = Sheet(PAGE_MM, _TOP_MM + height + _BELOW_MM)
    sheet.text(1, 1, fit_text(title, TITLE, sheet.width_mm - 2, weight="bold"), fontsize=TITLE, weight="bold")
    for row, label in enumerate(labels):
        middle = _TOP_MM + (row + 0.5) * _CELL_MM
        sheet.text(left - 1.4, middle, label, ha="right", va="center_baseline", fontsize=SMALL)
    width = len(poolings) * cell_width
    for number, (panel_title, scores) in enumerate(panels.items()):
        panel_left = left + number * (width + _GAP_MM)
        centre = panel_left + width / 2
        sheet.text(centre, _TOP_MM - 1.2, panel_title, ha="center", va="bottom", fontsize=SMALL, color=QUIET)
        axes = sheet.axes(panel_left, _TOP_MM, width, height)
        _draw_panel(axes, scores, layers, poolings, min(SMALL, cell_width / POINT_MM / 2.3))
    minimum = colour_bar_minimum(np.array([cell.score for panel in panels.values() for cell in panel.values()]))
    end = left + n_columns * cell_width + gaps
    draw_colour_bar(sheet, end + 2.6, _TOP_MM, max(16.0, min(50.0, height)), minimum)
    return sheet


def _draw_panel(
    axes: Axes, scores: Mapping[str, LayerScore], layers: Sequence[str], poolings: Sequence[str], fontsize: float
) -> None:
    grid = np.full((len(layers), len(poolings)), np.nan)
    verdict = np.full(grid.shape, "", "<U12")
    for variant, cell in scores.items():
        layer, pooling = _split_variant(variant)
        place = layers.index(layer), poolings.index(pooling)
        grid[place], verdict[place] = cell
    axes.set_facecolor(FAINT)
    masked = np.ma.masked_invalid(grid)
    axes.pcolormesh(masked, cmap=SCORE_COLOURS, norm=SCORE_SCALE, edgecolors="white", linewidth=0.5)
    axes.set(ylim=(len(layers), 0), yticks=[])
    axes.set_xticks([column + 0.5 for column in range(len(poolings))], poolings)
    axes.tick_params(length=0, pad=1.5, labelsize=min(SMALL, 1.25 * fontsize))
    axes.spines[:].set_visible(False)
    veil(axes, np.argwhere(np.isfinite(grid) & (verdict == "undecidable")))
    for row, column in np.argwhere(np.isfinite(grid)):
        score, judged = grid[row, column], verdict[row, column]
        axes.text(
            column + 0.5,
            row + 0.5,
            format_judged(score, judged),
            ha="center",
            va="center_baseline",
            fontsize=fontsize,
            color=text_colour_on(score, judged),
            weight="bold" if judged == "different" else "normal",
        )


def _split_variant(variant: str) -> tuple[str, str]:
    """Split the name of a variant, such as ``layer21.max``, into layer and pooling."""
    layer, _, pooling = variant.rpartition(".")
    return (layer, pooling) if layer else (variant, "")


def _natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts layer9 before layer18."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
