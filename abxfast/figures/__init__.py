"""Figures: scores drawn for a paper, in millimetres, the same numbers giving the same bytes.

Matrices, curves over snippet length, heat maps of layers and poolings, and maps of recordings. Drawing functions take
arrays and names and return a `Sheet`, which is saved as PNG and SVG. No other package imports matplotlib.
"""

from abxfast.errors import MissingPackageError

try:
    import matplotlib as mpl  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        "figures need matplotlib, which is not installed: pip install 'abxfast[report]'"
    ) from error

from abxfast.figures.curve import ScoreCurve, curve_caption, draw_curve
from abxfast.figures.fonts import choose_families, drawable
from abxfast.figures.layers import draw_layers, layers_caption
from abxfast.figures.matrix import draw_matrix, matrix_caption
from abxfast.figures.mds import Places, cluster_order, scale
from abxfast.figures.palette import DIVERGING, DIVERGING_DARK
from abxfast.figures.recording_map import draw_map, is_numbered, map_caption
from abxfast.figures.style import Sheet, settings

__all__ = [
    "DIVERGING",
    "DIVERGING_DARK",
    "Places",
    "ScoreCurve",
    "Sheet",
    "choose_families",
    "cluster_order",
    "curve_caption",
    "draw_curve",
    "draw_layers",
    "draw_map",
    "draw_matrix",
    "drawable",
    "is_numbered",
    "layers_caption",
    "map_caption",
    "matrix_caption",
    "scale",
    "settings",
]
