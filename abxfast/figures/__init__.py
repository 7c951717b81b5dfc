"""Figures: ABX scores drawn for publication.

Matrices of scores, curves over snippet length, heat maps of layers and poolings, maps and trees of recordings, together
with what they need: an order of rows by clustering, multidimensional scaling, fonts and colours. The drawing functions
take arrays and names, know nothing of studies or results, and return a `Sheet`: a figure laid out in millimetres, which
is saved as PNG and SVG. The same numbers give the same bytes.

No other package imports matplotlib, an optional dependency. It is loaded with the first name that needs it; if it is
not installed, importing that name from this package raises `MissingPackageError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lazy_loader

from abxfast._installation import install_command
from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from abxfast.figures.curve import ScoreCurve, draw_curve
    from abxfast.figures.dendrogram import draw_dendrogram
    from abxfast.figures.fonts import choose_families, drawable
    from abxfast.figures.layers import LayerScore, draw_layers
    from abxfast.figures.matrix import draw_matrix, shows_scores
    from abxfast.figures.mds import MapLayout, multidimensional_scaling
    from abxfast.figures.ordering import cluster_order
    from abxfast.figures.palette import DIVERGING, DIVERGING_DARK
    from abxfast.figures.recording_map import HIGH_STRESS, draw_map, shows_numbers
    from abxfast.figures.sheet import Sheet
    from abxfast.figures.style import settings

__all__ = [
    "DIVERGING",
    "DIVERGING_DARK",
    "HIGH_STRESS",
    "LayerScore",
    "MapLayout",
    "ScoreCurve",
    "Sheet",
    "choose_families",
    "cluster_order",
    "draw_curve",
    "draw_dendrogram",
    "draw_layers",
    "draw_map",
    "draw_matrix",
    "drawable",
    "multidimensional_scaling",
    "settings",
    "shows_numbers",
    "shows_scores",
]

_load, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "curve": ["ScoreCurve", "draw_curve"],
        "dendrogram": ["draw_dendrogram"],
        "fonts": ["choose_families", "drawable"],
        "layers": ["LayerScore", "draw_layers"],
        "matrix": ["draw_matrix", "shows_scores"],
        "mds": ["MapLayout", "multidimensional_scaling"],
        "ordering": ["cluster_order"],
        "palette": ["DIVERGING", "DIVERGING_DARK"],
        "recording_map": ["HIGH_STRESS", "draw_map", "shows_numbers"],
        "sheet": ["Sheet"],
        "style": ["settings"],
    },
)


def __getattr__(name: str) -> Any:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise MissingPackageError(
            f"figures need matplotlib, which is not installed: {install_command('abxfast[report]')}"
        ) from error
