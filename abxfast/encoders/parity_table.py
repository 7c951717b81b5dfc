"""The parity report of an encoder as a plain-text table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PARITY_COLUMNS = {
    "variant": "variant",
    "snippet_s": "snippet",
    "difference": "max |Δ| / max |ref|",
    "angle": "1 − cos",
    "drift": "drift",
    "drift95": "drift, 95%",
    "abx": "ABX change",
}
"""Column headings by the keys of a row of the report."""


def format_parity(parity: Mapping[str, Any]) -> str:
    """Return the report as a table with aligned columns.

    Parameters
    ----------
    parity : mapping
        See `EncoderInfo.parity`.

    Returns
    -------
    str
        Empty if nothing was measured.
    """
    rows = parity.get("rows")
    if not isinstance(rows, list) or not rows:
        return ""
    table = [
        list(PARITY_COLUMNS.values()),
        *([format_parity_value(key, row.get(key)) for key in PARITY_COLUMNS] for row in rows),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in table]
    title = f"parity with {parity.get('against', 'the reference')}, on {parity.get('audio', 'audio')}:"
    return "\n".join([title, *lines])


def format_parity_value(key: str, value: object) -> str:
    """Return a value of a row of the report as text: snippet lengths in seconds, other floats with two digits."""
    if key == "snippet_s" and isinstance(value, int | float):
        return f"{value:g} s"
    return f"{value:.2g}" if isinstance(value, float) else str(value)
