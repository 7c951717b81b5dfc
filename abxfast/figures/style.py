"""The style shared by all figures: sizes, colours, matplotlib settings."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMN_MM = 85.0
"""Width of a figure that fits one column of a paper."""
PAGE_MM = 175.0
"""Width of a figure that fits both columns."""
MAX_HEIGHT_MM = 235.0
POINT_MM = 25.4 / 72

INK = "#23262b"
QUIET = "#6b7079"
FAINT = "#d9dbdf"
SMALL, NORMAL, TITLE = 6.0, 7.0, 7.5
"""Font sizes in points."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#444444")
"""The colours of Okabe and Ito, except for yellow, which is too pale for lines on white."""
MARKERS = "osD^vP*X"


def rc_params(families: Sequence[str]) -> dict[str, Any]:
    """Return the matplotlib parameters of all figures, with a chain of font families."""
    return {
        "font.family": list(families),
        "font.size": NORMAL,
        "text.color": INK,
        "text.parse_math": False,  # names may contain $
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.5,
        "axes.unicode_minus": False,
        "hatch.linewidth": 0.4,
        "xtick.color": QUIET,
        "ytick.color": QUIET,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.major.size": 2.0,
        "ytick.major.size": 2.0,
        "svg.fonttype": "path",
        "svg.hashsalt": "abxfast",
        "path.simplify": True,
    }


@contextlib.contextmanager
def settings(families: Sequence[str]) -> Iterator[None]:
    """Set the style of all figures; draw and save within this context.

    Parameters
    ----------
    families : sequence of str
        Font families in the order in which matplotlib looks for a glyph, see `choose_families`.
    """
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    # Fallback fonts without a bold face are drawn in regular weight; matplotlib would warn of each.
    log.setLevel(logging.ERROR)
    try:
        with mpl.rc_context(rc_params(families)):  # type: ignore[arg-type]
            yield
    finally:
        log.setLevel(level)
