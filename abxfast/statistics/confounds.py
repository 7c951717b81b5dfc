"""Confounds: how far differences in how recordings were made go along with their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import MissingPackageError

try:
    from scipy import stats
except ImportError as error:
    raise MissingPackageError("confounds need scipy, which is not installed: pip install '.[report]'") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 4
"""Recordings below which no order of them is rare enough for p < 0.05: 3! = 6."""
_CHUNK = 4_000_000
"""Pairs, over all permutations, that are gathered at once."""


@dataclass(frozen=True)
class MantelTestResult:
    """One test; NaN where there is none, and `note` says why."""

    correlation: float
    p: float
    pairs: int
    note: str


def mantel_test(
    scores: NDArray[np.float64], values: NDArray[np.float64], *, permutations: int, seed: list[int]
) -> MantelTestResult:
    """Correlate |difference| of a measure with the scores of pairs, by ranks.

    Parameters
    ----------
    scores : ndarray of float64, shape (recordings, recordings)
        Symmetric; NaN where a pair has no score.
    values : ndarray of float64, shape (recordings,)
        The measure; NaN where it is missing.
    permutations : int
    seed : list of int

    Returns
    -------
    Mantel

    Notes
    -----
    Pairs share recordings, so they are not independent: what is permuted is the recordings (Mantel 1967, Cancer
    Research 27). p is two-sided, (1 + hits) / (1 + permutations).
    """
    kept = np.flatnonzero(np.isfinite(values))
    scores, values = scores[np.ix_(kept, kept)], values[kept]
    i, j = np.triu_indices(len(kept), 1)
    there = np.isfinite(scores[i, j])
    if there.sum() < LEAST - 1:
        return MantelTestResult(math.nan, math.nan, int(there.sum()), "too few pairs of recordings with a score")
    if np.ptp(values) == 0:
        return MantelTestResult(math.nan, math.nan, int(there.sum()), "the same in all recordings")
    distance = np.zeros((len(kept), len(kept)))
    distance[i, j] = distance[j, i] = stats.rankdata(np.abs(values[i] - values[j]))
    i, j = i[there], j[there]
    ranks = stats.rankdata(scores[i, j])
    if np.ptp(ranks) == 0 or np.ptp(distance[i, j]) == 0:
        return MantelTestResult(math.nan, math.nan, len(i), "all differences, or all scores, are the same")
    found = _correlate(distance[i, j][None], ranks)[0]
    rng = np.random.default_rng(seed)
    hits, left = 0, permutations
    while left:
        n = min(left, max(1, _CHUNK // len(i)))
        order = rng.permuted(np.tile(np.arange(len(kept)), (n, 1)), axis=1)
        shuffled = _correlate(distance[order[:, i], order[:, j]], ranks)
        hits += int((np.abs(shuffled) >= abs(found) - 1e-12).sum())
        left -= n
    p = (1 + hits) / (1 + permutations) if permutations else math.nan
    note = "too few recordings for p < 0.05" if len(kept) < LEAST else ""
    return MantelTestResult(float(found), p, len(i), note)


def _correlate(rows: NDArray[np.float64], ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give Pearson's correlation of each row with `ranks`; 0 for a row without spread."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    ranks = ranks - ranks.mean()
    norm = np.sqrt((rows * rows).sum(axis=1) * (ranks @ ranks))
    found: NDArray[np.float64] = np.divide((rows * ranks).sum(axis=1), norm, where=norm > 0, out=np.zeros(len(rows)))
    return found
