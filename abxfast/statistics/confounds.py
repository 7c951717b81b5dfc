"""Confounds: correlation of scores with differences in how the recordings were made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_RECORDINGS = 4
"""With fewer recordings no permutation of them can reach p < 0.05: 3! = 6."""
_MAX_PAIRS = 4_000_000
"""Pairs of recordings, over all permutations, that are held at once."""
_ROUNDING = 1e-12


@dataclass(frozen=True)
class MantelTestResult:
    """Result of a Mantel test.

    Attributes
    ----------
    correlation : float
        Spearman's correlation over pairs of recordings; NaN where there is none, for the reason in `note`.
    p : float
        Two-sided p-value; NaN where there is none, or without permutations.
    pairs : int
        Number of pairs with a score.
    note : str
        Why a value is missing, or what limits the test; empty otherwise.
    """

    correlation: float
    p: float
    pairs: int
    note: str


def mantel_test(
    scores: NDArray[np.float64], values: NDArray[np.float64], *, permutations: int, seed: list[int]
) -> MantelTestResult:
    """Test the rank correlation between the scores of pairs of recordings and their differences in a measure.

    Parameters
    ----------
    scores : ndarray of float64, shape (recordings, recordings)
        Symmetric; NaN where a pair has no score.
    values : ndarray of float64, shape (recordings,)
        The measure, of which absolute differences are used; NaN where it is missing.
    permutations : int
    seed : list of int

    Returns
    -------
    MantelTestResult

    Notes
    -----
    Pairs that share a recording are not independent, so it is the recordings that are permuted (Mantel 1967, Cancer
    Research 27). p = (1 + #{|r*| ≥ |r|}) / (1 + permutations).
    """
    known = np.flatnonzero(np.isfinite(values))
    scores, values = scores[np.ix_(known, known)], values[known]
    i, j = np.triu_indices(len(known), 1)
    scored = np.isfinite(scores[i, j])
    n_pairs = int(scored.sum())
    if n_pairs < _MIN_RECORDINGS - 1:
        return MantelTestResult(math.nan, math.nan, n_pairs, "too few pairs of recordings with a score")
    if np.ptp(values) == 0:
        return MantelTestResult(math.nan, math.nan, n_pairs, "the same in all recordings")
    difference = np.zeros((len(known), len(known)))
    difference[i, j] = difference[j, i] = stats.rankdata(np.abs(values[i] - values[j]))
    i, j = i[scored], j[scored]
    ranks = stats.rankdata(scores[i, j])
    if np.ptp(ranks) == 0 or np.ptp(difference[i, j]) == 0:
        return MantelTestResult(math.nan, math.nan, n_pairs, "all differences, or all scores, are the same")
    observed = _correlate(difference[i, j][None], ranks)[0]
    rng = np.random.default_rng(seed)
    n_extreme, remaining = 0, permutations
    while remaining:
        n = min(remaining, max(1, _MAX_PAIRS // n_pairs))
        order = rng.permuted(np.tile(np.arange(len(known)), (n, 1)), axis=1)
        permuted = _correlate(difference[order[:, i], order[:, j]], ranks)
        n_extreme += int((np.abs(permuted) >= abs(observed) - _ROUNDING).sum())
        remaining -= n
    p = (1 + n_extreme) / (1 + permutations) if permutations else math.nan
    note = "too few recordings for p < 0.05" if len(known) < _MIN_RECORDINGS else ""
    return MantelTestResult(float(observed), p, n_pairs, note)


def _correlate(rows: NDArray[np.float64], ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation of each row with `ranks`; 0 for a constant row."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    ranks = ranks - ranks.mean()
    norm = np.sqrt((rows * rows).sum(axis=1) * (ranks @ ranks))
    correlation: NDArray[np.float64] = np.divide(
        (rows * ranks).sum(axis=1), norm, where=norm > 0, out=np.zeros(len(rows))
    )
    return correlation
