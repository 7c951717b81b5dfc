"""A figure laid out in millimetres, saved reproducibly."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from abxfast._files import write_atomic
from abxfast.figures.style import NORMAL

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.text import Text

DPI = 300
_INCHES_PER_MM = 1 / 25.4


class Sheet:
    """A figure whose contents are placed in millimetres from its upper left corner.

    Parameters
    ----------
    width_mm, height_mm : float
    """

    def __init__(self, width_mm: float, height_mm: float) -> None:
        self.width_mm, self.height_mm = width_mm, height_mm
        self.figure = Figure(
            figsize=(width_mm * _INCHES_PER_MM, height_mm * _INCHES_PER_MM), dpi=DPI, facecolor="white"
        )
        FigureCanvasAgg(self.figure)

    def axes(self, left_mm: float, top_mm: float, width_mm: float, height_mm: float) -> Axes:
        """Add axes, given their upper left corner and size."""
        bottom = self.height_mm - top_mm - height_mm
        box = (
            left_mm / self.width_mm,
            bottom / self.height_mm,
            width_mm / self.width_mm,
            height_mm / self.height_mm,
        )
        return self.figure.add_axes(box)

    def text(self, left_mm: float, top_mm: float, text: str, **style: Any) -> Text:
        """Write text, by default with its upper left corner at the given place.

        Other keyword arguments are those of `matplotlib.text.Text`.
        """
        style = {"ha": "left", "va": "top", "fontsize": NORMAL, **style}
        return self.figure.text(left_mm / self.width_mm, 1 - top_mm / self.height_mm, text, **style)

    def save(self, stem: Path) -> list[Path]:
        """Write the figure as PNG and SVG; the same figure gives the same bytes.

        Parameters
        ----------
        stem : Path
            Path without a suffix.

        Returns
        -------
        list of Path
            The PNG file and the SVG file.
        """
        paths = []
        for suffix, metadata in ((".png", {"Software": None}), (".svg", {"Date": None, "Creator": None})):
            buffer = io.BytesIO()
            self.figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=metadata)
            path = stem.with_name(stem.name + suffix)
            write_atomic(path, buffer.getvalue())
            paths.append(path)
        return paths
