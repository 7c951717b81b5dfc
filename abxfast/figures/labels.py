"""Labels that fit the space they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abxfast.figures.sheet import DPI, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterable

_MM_PER_INCH = 25.4


def text_width_mm(texts: Iterable[str], fontsize: float, *, weight: str = "normal") -> float:
    """Return the width in millimetres of the widest of some texts, each drawn on one line.

    Parameters
    ----------
    texts : iterable of str
    fontsize : float
        In points.
    weight : str
        That of the font.
    """
    sheet = Sheet(10, 10)
    renderer = sheet.figure.canvas.get_renderer()  # type: ignore[attr-defined]
    widest = 0.0
    for text in dict.fromkeys(texts):
        artist = sheet.text(0, 0, text, fontsize=fontsize, weight=weight)
        widest = max(widest, artist.get_window_extent(renderer).width)
        artist.remove()
    return widest / DPI * _MM_PER_INCH


def fit_text(text: str, fontsize: float, max_width_mm: float, *, weight: str = "normal") -> str:
    """Shorten a text in its middle until it fits, since names of recordings differ at both ends.

    Parameters
    ----------
    text : str
    fontsize : float
        In points.
    max_width_mm : float
    weight : str
        That of the font.

    Returns
    -------
    str
        The text itself if it fits; at least one character and an ellipsis otherwise.
    """
    if text_width_mm([text], fontsize, weight=weight) <= max_width_mm:
        return text
    shortest, longest = 1, len(text) - 1
    while shortest < longest:
        length = (shortest + longest + 1) // 2
        if text_width_mm([_ellipsize(text, length)], fontsize, weight=weight) <= max_width_mm:
            shortest = length
        else:
            longest = length - 1
    return _ellipsize(text, shortest)


def _ellipsize(text: str, length: int) -> str:
    """Keep `length` characters of a text, from both ends."""
    n_tail = length // 2
    return f"{text[: length - n_tail]}…{text[len(text) - n_tail :] if n_tail else ''}"
