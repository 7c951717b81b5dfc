"""How all figures look: size, colours, and files that are the same bytes every time."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from abxfast._files import write_atomic
from abxfast.figures.palette import DIVERGING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.text import Text

COLUMN_MM = 85.0
"""Width of one column of a paper."""
PAGE_MM = 175.0
"""Width of both columns."""
TALLEST_MM = 235.0
MM = 1 / 25.4
"""In inches."""
POINT_MM = 25.4 / 72
DPI = 300
_CLOSEST_TICKS = 3.4
"""In millimetres, on a colour bar."""

INK = "#23262b"
QUIET = "#6b7079"
FAINT = "#d9dbdf"
SMALL, NORMAL = 6.0, 7.0
"""Points."""

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#444444")
"""Okabe and Ito's colours, but for the yellow, which is too pale for a line on white."""
MARKERS = "osD^vP*X"

SCORE_COLOURS = LinearSegmentedColormap.from_list("abxfast", DIVERGING).with_extremes(bad="#ffffff")
SCORE_SCALE = Normalize(0.0, 1.0)


def rc(families: Sequence[str]) -> dict[str, Any]:
    """Give matplotlib's settings for a chain of font families."""
    return {
        "font.family": list(families),
        "font.size": NORMAL,
        "text.color": INK,
        "text.parse_math": False,  # a name may hold $
        "axes.edgecolor": QUIET,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.5,
        "axes.unicode_minus": False,
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


class Sheet:
    """A figure laid out in millimetres from its upper left corner."""

    def __init__(self, width_mm: float, height_mm: float) -> None:
        self.width_mm, self.height_mm = width_mm, height_mm
        self.figure = Figure(figsize=(width_mm * MM, height_mm * MM), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes; all in millimetres."""
        bottom = self.height_mm - top - height
        box = (left / self.width_mm, bottom / self.height_mm, width / self.width_mm, height / self.height_mm)
        return self.figure.add_axes(box)

    def text(self, left: float, top: float, text: str, **style: Any) -> Text:
        """Write text, its upper left corner at a place in millimetres."""
        style = {"ha": "left", "va": "top", "fontsize": NORMAL, **style}
        return self.figure.text(left / self.width_mm, 1 - top / self.height_mm, text, **style)

    def save(self, stem: Path) -> list[Path]:
        """Write PNG and SVG next to each other; the same figure gives the same bytes."""
        written = []
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
            sink = io.BytesIO()
            self.figure.savefig(sink, format=suffix[1:], dpi=DPI, metadata=metadata)
            path = stem.with_name(stem.name + suffix)
            write_atomic(path, sink.getvalue())
            written.append(path)
        return written


def width_mm(texts: Sequence[str], fontsize: float) -> float:
    """Measure the widest of some texts, drawn on one line."""
    sheet = Sheet(10, 10)
    renderer = sheet.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    widest = 0.0
    for text in dict.fromkeys(texts):
        drawn = sheet.text(0, 0, text, fontsize=fontsize)
        widest = max(widest, drawn.get_window_extent(renderer).width)
        drawn.remove()
    return widest / DPI * 25.4


def fit(text: str, fontsize: float, most_mm: float) -> str:
    """Shorten a name in its middle until it fits: names of recordings differ at both ends."""
    if width_mm([text], fontsize) <= most_mm:
        return text
    least, most = 1, len(text) - 1
    while least < most:
        kept = (least + most + 1) // 2
        if width_mm([_ellipsis(text, kept)], fontsize) <= most_mm:
            least = kept
        else:
            most = kept - 1
    return _ellipsis(text, least)


def _ellipsis(text: str, kept: int) -> str:
    tail = kept // 2
    return f"{text[: kept - tail]}…{text[len(text) - tail :] if tail else ''}"


def score_text(score: float) -> str:
    """Give a score with two digits and no zero before the point, as it stands in a small cell."""
    return "1.0" if score >= 0.995 else f"{score:.2f}"[1:]  # noqa: PLR2004


def ink_on(score: float) -> str:
    """Choose the ink that is read best on a score's colour."""
    red, green, blue, _ = SCORE_COLOURS(SCORE_SCALE(score))
    channels = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]  # noqa: PLR2004
    luminance = 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    return "#ffffff" if luminance < 0.32 else INK  # noqa: PLR2004


def colour_bar(sheet: Sheet, left: float, top: float, height: float, least: float) -> None:
    """Draw the scale of scores from `least` to 1, upright, with 0.5 marked as chance."""
    axes = sheet.axes(left, top, 2.4, height)
    steps = 256
    shown = [[least + (1 - least) * (number + 0.5) / steps] for number in range(steps)]
    axes.imshow(shown, cmap=SCORE_COLOURS, norm=SCORE_SCALE, origin="lower", aspect="auto", extent=(0, 1, least, 1))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    step = 0.1 if height / (1 - least) * 0.1 >= _CLOSEST_TICKS else 0.25
    ticks = [tick * step for tick in range(round(1 / step) + 1) if tick * step >= least - 1e-9]
    axes.set_yticks(ticks, [f"{tick:.2g}" if tick < 1 else "1.0" for tick in ticks])
    axes.axhline(0.5, color=INK, linewidth=0.5)


@contextlib.contextmanager
def settings(families: Sequence[str]) -> Iterator[None]:
    """Give the context in which to draw."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    # A fallback font without a bold face is drawn upright, which is well; that is not the user's business.
    log.setLevel(logging.ERROR)
    try:
        with mpl.rc_context(rc(families)):  # type: ignore[arg-type]
            yield
    finally:
        log.setLevel(level)
