"""How scores and results show themselves in a notebook: HTML tables, pandas, and the matrix plot."""

from __future__ import annotations

import html
import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from abxfast._installation import install_command
from abxfast.errors import MissingPackageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_MAX_ROWS = 20
_SCORE_COLUMNS = ("score", "low", "high")
"""Beginnings of the names of columns on the scale of scores: three decimals, so that digits line up."""
_DPI = 200
"""Resolution on a screen: a figure of one column, 85 mm, is 670 pixels wide."""


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
    alignment = {field.name: "right" if _is_number(field.type) else "left" for field in table.schema}
    header = "".join(f'<th style="text-align: {align}">{html.escape(name)}</th>' for name, align in alignment.items())
    rows = table.slice(0, _MAX_ROWS).to_pylist()
    lines = [
        "".join(
            f'<td style="text-align: {alignment[name]}">{html.escape(_format_value(name, value))}</td>'
            for name, value in row.items()
        )
        for row in rows
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    n_hidden = table.num_rows - len(rows)
    footer = f"<p>… and {n_hidden:,} more row{'s' * (n_hidden > 1)}</p>" if n_hidden else ""
    return (
        f"<div><p><strong>{html.escape(caption)}</strong></p>"
        f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>{footer}</div>"
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _format_value(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        digits = ".3f" if column.startswith(_SCORE_COLUMNS) else "g" if column.endswith("_s") else ".3g"
        return f"{value:{digits}}"
    return str(value)


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
        raise MissingPackageError(
            f"`to_pandas` needs pandas, which is not installed: {install_command('pandas')}"
        ) from error


def plot_matrix(
    title: str,
    names: Sequence[str],
    score: NDArray[np.float64],
    verdict: NDArray[np.str_] | None = None,
) -> Any:
    """Draw a score matrix, its rows ordered by average-linkage clustering.

    Parameters
    ----------
    title : str
    names : sequence of str, length n
    score : ndarray of float64, shape (n, n)
        Row: A and X; column: B; NaN is missing.
    verdict : ndarray of str, shape (n, n), optional
        See `abxfast.figures.draw_matrix`.

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
    score = score[order][:, order]
    verdict = None if verdict is None else verdict[order][:, order]
    with settings(families):
        figure: Any = draw_matrix(drawable(title, missing), names, score, verdict).figure
    figure.set_dpi(_DPI)
    # Jupyter displays figures by itself only once pyplot has been imported.
    figure._repr_png_ = partial(_format_png, figure)
    return figure


def _format_png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()
