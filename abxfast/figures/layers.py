"""The heat map of layers and poolings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures.style import (
    COLUMN_MM,
    FAINT,
    PAGE_MM,
    POINT_MM,
    QUIET,
    SCORE_COLOURS,
    SCORE_SCALE,
    SMALL,
    Sheet,
    colour_bar,
    fit,
    ink_on,
    score_text,
    width_mm,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAD, _CELL, _BETWEEN, _BAR, _MAX_CELL = 10.0, 5.2, 3.0, 11.0, 9.0


def split_variant(variant: str) -> tuple[str, str]:
    """Split a variant's name into layer and pooling: ``layer21.max``."""
    layer, _, pooling = variant.rpartition(".")
    return (layer, pooling) if layer else (variant, "")


def draw_layers(title: str, panels: Mapping[str, Mapping[str, float]]) -> Sheet:
    """Draw mean scores by layer and pooling, one panel for each snippet length.

    Parameters
    ----------
    title : str
    panels : mapping of str to mapping of str to float
        For each length, in words, the score of each variant; NaN where there is none.
    """
    variants = [split_variant(name) for name in dict.fromkeys(name for panel in panels.values() for name in panel)]
    layers = sorted({layer for layer, _ in variants}, key=_natural)
    poolings = list(dict.fromkeys(pooling for _, pooling in variants))
    labels = [fit(layer, SMALL, 24) for layer in layers]
    left = 2.4 + width_mm(labels, SMALL)
    columns = len(panels) * len(poolings)
    room = [width - left - _BAR - _BETWEEN * (len(panels) - 1) for width in (COLUMN_MM, PAGE_MM)]
    wide = int(room[0] / columns < _CELL)
    cell = min(_MAX_CELL, room[wide] / columns)
    sheet = Sheet((COLUMN_MM, PAGE_MM)[wide], _HEAD + len(layers) * _CELL + 6.0)
    sheet.text(1, 1, fit(title, 7.5, sheet.width_mm - 2), fontsize=7.5, weight="bold")
    for row, label in enumerate(labels):
        sheet.text(left - 1.4, _HEAD + (row + 0.5) * _CELL, label, ha="right", va="center_baseline", fontsize=SMALL)
    for number, (length, scores) in enumerate(panels.items()):
        place = left + number * (len(poolings) * cell + _BETWEEN)
        middle = place + len(poolings) * cell / 2
        sheet.text(middle, _HEAD - 1.2, length, ha="center", va="bottom", fontsize=SMALL, color=QUIET)
        axes = sheet.axes(place, _HEAD, len(poolings) * cell, len(layers) * _CELL)
        _panel(axes, scores, layers, poolings, min(SMALL, cell / POINT_MM / 1.9))
    known = [score for panel in panels.values() for score in panel.values() if np.isfinite(score)]
    least = max(0.0, min(0.4, np.floor(10 * min(known)) / 10)) if known else 0.4
    end = left + columns * cell + (len(panels) - 1) * _BETWEEN
    colour_bar(sheet, end + 2.6, _HEAD, max(16.0, min(50.0, len(layers) * _CELL)), least)
    return sheet


def _panel(axes, scores: Mapping[str, float], layers: Sequence[str], poolings: Sequence[str], points: float) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    grid = np.full((len(layers), len(poolings)), np.nan)
    for variant, score in scores.items():
        layer, pooling = split_variant(variant)
        grid[layers.index(layer), poolings.index(pooling)] = score
    axes.set_facecolor(FAINT)
    masked = np.ma.masked_invalid(grid)
    axes.pcolormesh(masked, cmap=SCORE_COLOURS, norm=SCORE_SCALE, edgecolors="white", linewidth=0.5)
    axes.set(ylim=(len(layers), 0), yticks=[])
    axes.set_xticks([place + 0.5 for place in range(len(poolings))], poolings)
    axes.tick_params(length=0, pad=1.5, labelsize=min(SMALL, 1.25 * points))
    axes.spines[:].set_visible(False)
    for row, column in np.argwhere(np.isfinite(grid)):
        value = grid[row, column]
        style = {"ha": "center", "va": "center_baseline", "fontsize": points, "color": ink_on(value)}
        axes.text(column + 0.5, row + 0.5, score_text(value), **style)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort layer9 before layer18."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def layers_caption(experiment: str, encoder: str) -> str:
    """Say what the heat map shows, in words that can stand below it in a paper."""
    return (
        f"Mean ABX score (experiment {experiment}, encoder {encoder}) by layer (rows) and pooling over time (columns), "
        "one "
        "panel for each snippet length."
    )
