"""Verdicts: what a test and an interval allow to be said about a difference, and if nothing, why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from abxfast.statistics.autocorrelation import MIN_BLOCKS
from abxfast.statistics.permutation import ALPHA

if TYPE_CHECKING:
    from abxfast.statistics.intervals import Intervals
    from abxfast.statistics.permutation import PermutationTestResult

DIFFERENT = "different"
NO_EVIDENCE = "no_evidence"
EQUIVALENT = "equivalent"
UNDECIDABLE = "undecidable"
DEFAULT_MARGIN = 0.05
"""Distance from 0.5 within which a score counts as equivalent to chance."""
_MAX_RECORDINGS = 1000
_SEVERAL = "several recordings of each would be needed"
_DRIFT = f"the difference is not large enough to rule out that the recordings drift: {_SEVERAL}"
_CHANGES = f"the recordings change over time: {_SEVERAL}"
_NO_TEST = "not tested: permutations = 0"


class Verdict(NamedTuple):
    """What can be said about a difference.

    Attributes
    ----------
    verdict : str
        ``"different"``: there is evidence of a difference. ``"no_evidence"``: there is none, though the test could have
        reached p ≤ 0.05. ``"equivalent"``: the score is within the margin of chance. ``"undecidable"``: nothing can be
        said.
    reason : str
        Why the verdict is ``"undecidable"``, and what would be needed; otherwise empty.
    """

    verdict: str
    reason: str


def decide(
    tests: PermutationTestResult | None,
    intervals: Intervals,
    *,
    margin: float = DEFAULT_MARGIN,
    hop_s: float = math.nan,
) -> list[Verdict]:
    """Decide what can be said about each score.

    Parameters
    ----------
    tests : PermutationTestResult or None
        The tests of a matrix; None if there are none.
    intervals : Intervals
        Of the same scores.
    margin : float
        Distance from 0.5 within which a score counts as equivalent to chance.
    hop_s : float
        Seconds from one snippet to the next, in which reasons say what would be needed; NaN if there is no such time.

    Returns
    -------
    list of Verdict

    Notes
    -----
    The test decides, corrected over all tests of the matrix by Holm's method, and the interval describes. A score is
    different if p_holm ≤ 0.05 and, where each value of ON is a single recording, these differ by more than each differs
    from itself over time (`drift_p_value`, at 0.05). It is equivalent if it is not different and two one-sided tests at
    0.05 reject scores outside 0.5 ± margin (Schuirmann 1987). A verdict other than ``"different"`` requires that the
    test could have reached p_holm ≤ 0.05, and that recordings neither change over time (`Autocorrelation.drifts`) nor
    are too short for their autocorrelation. Single recordings of fewer than ten snippets are not judged.
    """
    n = len(intervals.score)
    if tests is None:
        return [Verdict(UNDECIDABLE, "no triplet" if math.isnan(score) else _NO_TEST) for score in intervals.score]
    n_tests = sum(math.isfinite(p) for p in tests.p)
    return [_decide(tests, intervals, row, n_tests, margin, hop_s) for row in range(n)]


def _decide(
    tests: PermutationTestResult, intervals: Intervals, row: int, n_tests: int, margin: float, hop_s: float
) -> Verdict:
    if math.isnan(intervals.score[row]):
        return Verdict(UNDECIDABLE, "no triplet")
    if math.isnan(tests.p[row]):
        note = tests.note[row].rpartition("not tested: ")[2]
        return Verdict(UNDECIDABLE, f"not tested: {note}" if note else "not tested")
    if tests.p_holm[row] <= ALPHA:
        if tests.kind != "block" or tests.drift_p[row] <= ALPHA:
            return Verdict(DIFFERENT, "")
        return Verdict(UNDECIDABLE, _too_few(hop_s) if math.isnan(tests.drift_p[row]) else _DRIFT)
    limit = _limit(tests, row, n_tests, hop_s)
    if limit:
        return Verdict(UNDECIDABLE, limit)
    low, high = intervals.equivalence_low[row], intervals.equivalence_high[row]
    return Verdict(EQUIVALENT if 0.5 - margin < low and high < 0.5 + margin else NO_EVIDENCE, "")


def _limit(tests: PermutationTestResult, row: int, n_tests: int, hop_s: float) -> str:
    """Return why the test could not have found a difference; empty if it could."""
    if tests.kind == "block" and math.isnan(tests.drift_p[row]):
        return _too_few(hop_s)
    if tests.smallest_p[row] * n_tests > ALPHA:
        return _out_of_reach(tests, row, n_tests)
    if tests.drifts[row]:
        return _CHANGES
    if tests.required_snippets[row]:
        n = int(tests.required_snippets[row])
        needed = f"roughly {n} snippets of each{_duration(n, hop_s)}, or more, would do"
        return f"the recordings are too short for the correlation of their snippets: {needed}"
    return ""


def _too_few(hop_s: float) -> str:
    needed = f"{MIN_BLOCKS} of each{_duration(MIN_BLOCKS, hop_s)} would be needed"
    return f"a recording has fewer than {MIN_BLOCKS} snippets: {needed}"


def _duration(n_snippets: int, hop_s: float) -> str:
    """Return how long so many snippets last, in brackets; empty if that is not known."""
    if math.isnan(hop_s):
        return ""
    seconds = n_snippets * hop_s
    return f" ({seconds / 60:.0f} minutes)" if seconds >= 120 else f" ({seconds:.0f} s)"  # noqa: PLR2004


def _out_of_reach(tests: PermutationTestResult, row: int, n_tests: int) -> str:
    """Return why no p-value can be small enough, and what would be needed."""
    smallest, distinct = tests.smallest_p[row], tests.distinct[row]
    after = f", {min(smallest * n_tests, 1):.2g} after Holm's correction for {n_tests} tests" if n_tests > 1 else ""
    if n_tests / distinct <= ALPHA:
        needed = math.ceil(n_tests / ALPHA)
        return f"the permutations allow no p below {smallest:.2g}{after}: at least {needed:,} would do"
    text = f"{distinct:.0f} relabellings of the {tests.kind}s allow no p below {smallest:.2g}{after}"
    each = required_units(n_tests)
    return f"{text}: {each} {tests.kind}s of each would do" if tests.kind != "run" and each else text


def required_units(n_tests: int) -> int:
    """Return how many units each of two values needs for p ≤ 0.05 after Holm's correction; 0 if very many."""
    return next((k for k in range(2, _MAX_RECORDINGS) if 2 * n_tests <= ALPHA * math.comb(2 * k, k)), 0)
