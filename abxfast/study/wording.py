"""How sentences write numbers, lengths and lists: rounded, but never so that a number contradicts its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Sentences = Iterator[tuple[str, str]]
    """Kind and text of each sentence."""

CHANCE = 0.5
LEVEL = 0.05
"""Significance level of all tests."""
_MAX_DECIMALS = 6


def is_number(value: float | None) -> bool:
    """Return whether a value of a table is there."""
    return value is not None and value == value  # noqa: PLR0124


def at_length(row: Mapping[str, Any]) -> str:
    """Return the snippet length of a row in words."""
    return "as whole items" if row["snippet_s"] is None else f"at {row['snippet_s']:g} s"


def format_score(row: Mapping[str, Any], low: str = "low", high: str = "high") -> str:
    """Return a score with its interval, with as many decimals as tell them from chance where they differ from it.

    Examples
    --------
    >>> format_score({"score": 0.71, "low": 0.66, "high": 0.75})
    '0.71 [0.66, 0.75]'
    >>> format_score({"score": 0.5031, "low": 0.5012, "high": 0.5052})
    '0.503 [0.501, 0.505]'
    >>> format_score({"score": 0.71, "low": None, "high": None})
    '0.71, without a confidence interval'
    """
    values = [row["score"], *(row[name] for name in (low, high) if is_number(row.get(name)))]
    decimals = next((n for n in range(2, _MAX_DECIMALS) if _keeps_sides(values, n)), _MAX_DECIMALS)
    score, *ends = (f"{value:.{decimals}f}" for value in values)
    return f"{score} [{', '.join(ends)}]" if ends else f"{score}, without a confidence interval"


def _keeps_sides(values: Sequence[float], decimals: int) -> bool:
    """Return whether an interval is on the same side of chance, or on both sides, once its ends are rounded."""
    low, high = min(values), max(values)
    printed_low, printed_high = (float(f"{value:.{decimals}f}") for value in (low, high))
    return (low > CHANCE) == (printed_low > CHANCE) and (high < CHANCE) == (printed_high < CHANCE)


def format_p(p: float) -> str:
    """Return a p-value with two digits, or as many as tell on which side of the level it is.

    Examples
    --------
    >>> format_p(0.0123), format_p(0.0501), format_p(1.0)
    ('0.012', '0.0501', '1')
    """
    digits = next((n for n in range(2, _MAX_DECIMALS) if (float(f"{p:.{n}g}") > LEVEL) == (p > LEVEL)), _MAX_DECIMALS)
    return f"{p:.{digits}g}"


def exceeds(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether a score is higher than another one as both are printed."""
    return is_number(row["score"]) and f"{row['score']:.2f}" > f"{other['score']:.2f}"


def enumerate_words(words: Sequence[str]) -> str:
    """Return words as a list: 1, 2 and 3."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
