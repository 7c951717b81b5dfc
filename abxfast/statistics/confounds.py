"""Confounds: whether how the recordings were made goes along with what is compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abxfast.statistics.label_permutation import count_distinct, permute_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MIN_RECORDINGS = 4
"""With fewer recordings no permutation of them can reach p < 0.05: 3! = 6."""
_MAX_PAIRS = 4_000_000
"""Pairs of recordings, over all permutations, that are held at once."""
_MAX_LABELS = 20_000_000
"""Labels of recordings, over all permutations, that are held at once."""
_MAX_VALUES = 256
"""Distinct labels at most: they are permuted as uint8."""
_ALPHA = 0.05
_TOO_FEW = f"too few recordings for p < {_ALPHA:g}"
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
    note = _TOO_FEW if len(known) < _MIN_RECORDINGS else ""
    return MantelTestResult(float(observed), p, n_pairs, note)


@dataclass(frozen=True)
class AssociationTestResult:
    """Result of a test of association between a measure and a label.

    Attributes
    ----------
    correlation : float
        Correlation ratio of the ranks of the measure and the label, from 0 to 1; NaN where there is none, for the
        reason in `note`.
    p : float
        p-value; NaN where there is none, or without permutations.
    recordings : int
        Number of recordings with a measure.
    note : str
        Why a value is missing, or what limits the test; empty otherwise.
    """

    correlation: float
    p: float
    recordings: int
    note: str


def association_test(
    values: NDArray[np.float64], label: NDArray[np.int64], stratum: NDArray[np.int64], *, permutations: int, seed: int
) -> AssociationTestResult:
    """Test whether a measure of recordings goes along with their label, within strata.

    Parameters
    ----------
    values : ndarray of float64, shape (recordings,)
        The measure; NaN where it is missing.
    label, stratum : ndarray of int64, shape (recordings,)
        Codes. Recordings are compared within a stratum only.
    permutations, seed : int

    Returns
    -------
    AssociationTestResult

    Notes
    -----
    The correlation ratio is the square root of the share of the variance within strata, of the ranks of the measure,
    that lies between labels. Labels are permuted over the recordings of each stratum; if all distinct relabellings are
    no more than `permutations`, p is exact. In one stratum it is a monotone function of Kruskal and
    Wallis's (1952) H.
    """
    known = np.isfinite(values)
    label, stratum = (
        np.unique(codes[known], return_inverse=True)[1].reshape(-1).astype(np.int64) for codes in (label, stratum)
    )
    n = len(label)
    if n < 2 or label.max() == 0:  # noqa: PLR2004
        return AssociationTestResult(math.nan, math.nan, n, "fewer than two values have a measure")
    if label.max() >= _MAX_VALUES:
        return AssociationTestResult(math.nan, math.nan, n, f"more than {_MAX_VALUES} values")
    ranks = stats.rankdata(values[known])
    ranks -= (np.bincount(stratum, ranks) / np.bincount(stratum))[stratum]
    total = float(ranks @ ranks)
    if total <= _ROUNDING * n:
        return AssociationTestResult(math.nan, math.nan, n, "the same in all recordings that are compared")
    observed = _between_labels(label[None], ranks)[0]
    ratio = math.sqrt(min(1.0, observed / total))
    permutations = min(permutations, _MAX_LABELS // n)
    distinct = count_distinct(label, stratum)
    note = _TOO_FEW if distinct < 1 / _ALPHA else ""
    if not permutations or distinct < 2:  # noqa: PLR2004
        return AssociationTestResult(ratio, math.nan, n, note)
    permuted = _between_labels(permute_labels(label, stratum, permutations, seed), ranks)
    p = float((permuted >= observed - _ROUNDING * total).mean())
    return AssociationTestResult(ratio, p, n, note)


def _between_labels(labels: NDArray[np.int64] | NDArray[np.uint8], ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares between labels for each row of `labels`, float64 of shape (rows,)."""
    total = np.zeros(len(labels))
    for value in np.unique(labels[0]):
        members = labels == value
        total += (members @ ranks) ** 2 / members.sum(axis=1)
    return total


def _correlate(rows: NDArray[np.float64], ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's correlation of each row with `ranks`; 0 for a constant row."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    ranks = ranks - ranks.mean()
    norm = np.sqrt((rows * rows).sum(axis=1) * (ranks @ ranks))
    correlation: NDArray[np.float64] = np.divide(
        (rows * ranks).sum(axis=1), norm, where=norm > 0, out=np.zeros(len(rows))
    )
    return correlation
