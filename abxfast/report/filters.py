"""Filters of the page's template: values as a reader wants to see them."""

from __future__ import annotations

from abxfast.encoders import format_parity_value
from abxfast.report.links import file_url


def format_number(value: object) -> str:
    """Format a number with thousands separators and few decimals; a dash if there is none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value and abs(value) < 0.001:  # noqa: PLR2004
            return f"{value:.1e}"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"  # noqa: PLR2004
    return str(value)


def format_count(value: object) -> str:
    """Format an integer with thousands separators; anything else as it is."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def format_fact(value: object) -> str:
    """Format what an encoder states about itself; a list with commas, "none" if it is empty."""
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if isinstance(value, str | dict) else format_number(value)


def format_parity(value: object, column: str) -> str:
    """Format a value of the parity table; a dash if there is none."""
    return format_parity_value(column, value) if isinstance(value, str | int | float) else "–"


VERDICTS = {
    "different": "evidence of a difference",
    "no_evidence": "no evidence of a difference",
    "equivalent": "equivalent to chance",
    "undecidable": "cannot be judged",
}
"""Verdicts as a reader sees them."""


def format_verdict(value: object) -> str:
    """Return a verdict in words; empty without one."""
    return VERDICTS.get(str(value), "")


FILTERS = {
    "verdict": format_verdict,
    "number": format_number,
    "count": format_count,
    "fact": format_fact,
    "parity": format_parity,
    "file_url": file_url,
}
"""By the names that the template uses."""
