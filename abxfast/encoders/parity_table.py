"""The parity report that an encoder carries, as a table to read."""

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
    "drift95": "drift, 95 %",
    "abx": "ABX change",
}


def format_parity(parity: Mapping[str, Any]) -> str:
    """Lay the report out in columns.

    Parameters
    ----------
    parity : mapping
        `EncoderInfo.parity`.

    Returns
    -------
    str
        Empty where nothing was measured.
    """
    rows = parity.get("rows")
    if not isinstance(rows, list) or not rows:
        return ""
    cells = [
        list(PARITY_COLUMNS.values()),
        *([format_parity_value(key, row.get(key)) for key in PARITY_COLUMNS] for row in rows),
    ]
    widths = [max(len(row[i]) for row in cells) for i in range(len(PARITY_COLUMNS))]
    lines = [
        "  ".join(f"{format_parity_value:>{width}}" for format_parity_value, width in zip(row, widths, strict=True))
        for row in cells
    ]
    head = f"parity with {parity.get('against', 'the reference')}, on {parity.get('audio', 'audio')}:"
    return "\n".join([head, *lines])


def format_parity_value(key: str, value: object) -> str:
    """Write one value of a row of the report."""
    if key == "snippet_s" and isinstance(value, int | float):
        return f"{value:g} s"
    return f"{value:.2g}" if isinstance(value, float) else str(value)
