"""Snippet plans: how recordings are cut into snippets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from abxfast.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_WHOLE_S = 60.0
"""Longest whole item in seconds: whole items are tokens and segments, not recordings."""
END_SLACK_S = 0.05
"""Seconds by which ``end_s`` may exceed its recording, and a whole item the longest one: annotations are rounded."""
MIN_HOP_S = 0.001
"""Shortest hop and length in seconds: a shorter one could round to zero samples."""
MAX_LENGTH_S = 1e6
"""Longest hop and length in seconds: the number of their samples is one that a float can hold."""

Remainder = Literal["drop", "keep"]


@dataclass(frozen=True)
class SnippetPlan:
    """How items are cut: into snippets of equal length, or into one snippet for each item.

    Attributes
    ----------
    length_s : float or None
        Length in seconds; ``None`` makes one snippet of each whole item.
    hop_s : float or None
        Seconds from one start to the next; ``None`` for whole items.
    remainder : {'drop', 'keep'}
        Whether a last snippet that is shorter than `length_s` is dropped or kept.
    """

    length_s: float | None
    hop_s: float | None
    remainder: Remainder = "drop"

    def __str__(self) -> str:
        """Return the plan in words, such as ``10 s every 5 s``."""
        if self.length_s is None:
            return "whole"
        hop = "" if self.hop_s == self.length_s else f" every {self.hop_s:g} s"
        return f"{self.length_s:g} s{hop}{', remainder kept' if self.remainder == 'keep' else ''}"


def make_plans(lengths: Iterable[float | str], hop_s: float | None, remainder: str) -> tuple[SnippetPlan, ...]:
    """Return the plan for each length, in the order given and without repeats.

    Parameters
    ----------
    lengths : iterable of float or str
        Seconds, or ``whole``.
    hop_s : float, optional
        Seconds from one start to the next, for every length; by default the length itself.
    remainder : {'drop', 'keep'}
        Whether a last, shorter snippet is dropped or kept.

    Raises
    ------
    TaskError
        If there is no length, or if any argument is out of range.
    """
    if remainder not in ("drop", "keep"):
        raise TaskError(f"`remainder`: found {remainder!r}, expected 'drop' or 'keep'")
    if hop_s is not None and not MIN_HOP_S <= hop_s <= MAX_LENGTH_S:
        expected = f"at least {MIN_HOP_S}" if not hop_s > MAX_LENGTH_S else f"at most {MAX_LENGTH_S:,.0f}"
        raise TaskError(f"`hop_s`: found {hop_s}, expected seconds, {expected}")
    plans: dict[SnippetPlan, None] = {}
    for length in [lengths] if isinstance(lengths, str) else lengths:
        length_s = parse_length(length)
        if length_s is None:
            plans[SnippetPlan(None, None)] = None
        else:
            checked: Remainder = "keep" if remainder == "keep" else "drop"
            plans[SnippetPlan(length_s, length_s if hop_s is None else float(hop_s), checked)] = None
    if not plans:
        raise TaskError("`snippets`: none given, expected seconds above 0, or 'whole'")
    return tuple(plans)


def parse_length(length: float | str) -> float | None:
    """Return the seconds that ``10`` or ``"10"`` names; ``None`` for ``"whole"``.

    Raises
    ------
    TaskError
        If `length` is neither.
    """
    if length == "whole":
        return None
    try:
        length_s = float(length)
    except (ValueError, TypeError, OverflowError):
        length_s = math.nan
    if not (math.isfinite(length_s) and length_s > 0):
        raise TaskError(f"`snippets`: found {length!r}, expected seconds above 0, or 'whole'")
    if not MIN_HOP_S <= length_s <= MAX_LENGTH_S:
        raise TaskError(
            f"`snippets`: found {length!r}, expected {MIN_HOP_S} to {MAX_LENGTH_S:,.0f} seconds, or 'whole'"
        )
    return length_s


def check_whole(length_s: float) -> str | None:
    """Return why a whole item of this length cannot be used, before anything is decoded; ``None`` if it can."""
    return describe_too_long(f"{length_s:.1f} s") if length_s > MAX_WHOLE_S + END_SLACK_S else None


def describe_too_long(length: str) -> str:
    """Return why a whole item cannot be used, its length given in words."""
    return (
        f"{length} long, `snippets='whole'` accepts at most {MAX_WHOLE_S:g} s; "
        "split it into rows with start_s and end_s, or choose a length such as 10 in `snippets`"
    )
