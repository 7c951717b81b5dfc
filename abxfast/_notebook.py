"""How scores and results show themselves in a notebook: HTML tables, pandas, and the matrix plot."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_MAX_ROWS = 20
_SCORE_COLUMNS = ("score", "low", "high")
"""Beginnings of the names of columns on the scale of scores: three decimals, so that digits line up."""
_DPI = 200
"""A column of a paper, 85 mm, is then 670 pixels wide; text of 6 points is readable on any screen."""


def format_html_table(table: pa.Table, caption: str) -> str:
    """Return a table as HTML: its first rows, numbers to three digits, every text escaped.

    Parameters
    ----------
    table : pyarrow.Table
    caption : str
        Text above the table; may hold any characters.

    Returns
    -------
    str
    """
    rows = table.slice(0, _MAX_ROWS).to_pylist()
    header = "".join(f"<th>{html.escape(name)}</th>" for name in table.column_names)
    lines = ["".join(_html_cell(name, value) for name, value in row.items()) for row in rows]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    n_hidden = table.num_rows - len(rows)
    footer = f"<p>… and {n_hidden:,} more row{'s' * (n_hidden > 1)}</p>" if n_hidden else ""
    return (
        f"<div><p><strong>{html.escape(caption)}</strong></p>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{footer}</div>"
    )


def _html_cell(name: str, value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        digits = ".3f" if name.startswith(_SCORE_COLUMNS) else "g" if name.endswith("_s") else ".3g"
        return f'<td style="text-align: right">{value:{digits}}</td>'
    if isinstance(value, int) and not isinstance(value, bool):
        return f'<td style="text-align: right">{value:,}</td>'
    return f'<td style="text-align: left">{html.escape(str(value))}</td>'


def to_pandas(table: pa.Table) -> Any:
    """Return a table as a `pandas.DataFrame`.

    Raises
    ------
    MissingPackageError
        If pandas is not installed.
    """
    try:
        return table.to_pandas()
    except ImportError as error:
        raise MissingPackageError("`to_pandas` needs pandas, which is not installed: pip install pandas") from error


def plot_matrix(
    title: str,
    names: Sequence[str],
    score: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> Any:
    """Draw a score matrix, its rows ordered by average-linkage clustering.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
    score, low, high : ndarray of float64, shape (n, n)
        Row: A and X; column: B. Scores whose interval excludes 0.5 are bold; NaN is missing.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    from abxfast.figures import choose_families, cluster_order, draw_matrix, drawable, settings  # noqa: PLC0415

    families, missing = choose_families([title, *names, "…−·×"])
    order = cluster_order((score + score.T) / 2)
    names = [drawable(names[number], missing) for number in order]
    score, low, high = (matrix[order][:, order] for matrix in (score, low, high))
    with settings(families):
        figure = draw_matrix(drawable(title, missing), names, score, low, high).figure
    figure.set_dpi(_DPI)
    return figure
