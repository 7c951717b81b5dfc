"""Designs of permutation tests: which snippets are tested and compared, and the units that are relabelled."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from abxfast.kernels import ComparisonRules, unit_vectors
from abxfast.statistics.autocorrelation import MIN_INDEPENDENT, estimate_autocorrelation
from abxfast.statistics.dependence import connected_strata, find_label_runs, joint_codes, split_into_blocks
from abxfast.statistics.drift import drift_p_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits

_MAX_ROWS_PAIR = 800
"""Snippets per context in a test of two values, beyond which they are thinned."""
_MAX_ROWS_ALL = 2400
"""The same for a test of all values."""
_MAX_RECORDINGS_ORDERED = 50
"""Recordings beyond which the order of the values in them is not compared."""
_MIN_DETRENDED = 4
"""Snippets up to which a recording has no trend to subtract."""
_SHARED_ORDER = 0.5
"""Correlation of the positions of labels in recordings beyond which these count as lists read in one order."""


class TaskLabels(NamedTuple):
    """Codes of the labels of each snippet, int64 ``(n,)``; ACROSS is −1 where it is not part of the task."""

    on: NDArray[np.int64]
    by: NDArray[np.int64]
    across: NDArray[np.int64]


class PermutationDesign(NamedTuple):
    """How the labels of one test are permuted, and which snippets are compared.

    Attributes
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        The vectors that are tested, in order of recording and time.
    by, unit : ndarray of int64, shape (n,)
        Code of BY, and the unit, of each vector.
    label, stratum : ndarray of int64, shape (units,)
        Labels, from 0, are permuted within strata.
    rules : ComparisonRules
        Which vectors are compared.
    inflation : float
        Factor by which deviations from the mean of the permutations are multiplied.
    drift_p : float
        p-value of the hypothesis that recordings differ no more than each differs from itself over time, see
        `drift_p_value`; NaN where units are not blocks.
    drifts : bool
        Whether the recordings change over time, see `Autocorrelation.drifts`; False where units are not blocks.
    required_snippets : int
        Snippets that each recording should have for its autocorrelation; 0 if they have them.
    notes : list of str
        What limits the test.
    """

    vectors: NDArray[np.float32] | NDArray[np.float64]
    by: NDArray[np.int64]
    unit: NDArray[np.int64]
    label: NDArray[np.int64]
    stratum: NDArray[np.int64]
    rules: ComparisonRules
    inflation: float
    drift_p: float
    drifts: bool
    required_snippets: int
    notes: list[str]


def make_permutation_design(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    labels: TaskLabels,
    units: ExchangeableUnits,
    pair: tuple[int, int] | None,
    *,
    different_recordings: bool,
) -> PermutationDesign:
    """Choose the snippets of one test, the units to relabel, their strata, and the pairs to compare.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    labels : TaskLabels
    units : ExchangeableUnits
    pair : tuple of int, or None
        The two values of ON to test; None for all values jointly.
    different_recordings : bool

    Returns
    -------
    PermutationDesign
    """
    on, by, across = labels
    rows = np.arange(len(on)) if pair is None else np.flatnonzero((on == pair[0]) | (on == pair[1]))
    rows, step = _thin(rows, labels, units, _MAX_ROWS_ALL if pair is None else _MAX_ROWS_PAIR)
    notes = [f"tested on one snippet in {step}"] if step > 1 else []
    recording, context = units.recording[rows], joint_codes(by[rows], across[rows])
    rank = np.arange(len(rows)) - np.searchsorted(recording, recording)
    # The smallest distance in rank, within a recording, at which snippets are compared.
    min_lag = np.ones(int(units.recording.max()) + 1, np.int64)
    vectors = embeddings[rows]
    bounds = np.flatnonzero(np.diff(recording)) + 1
    parts: list[NDArray[Any]] = np.split(vectors, bounds)
    inflation, drift_p, drifts, required_snippets = 1.0, math.nan, False, 0
    if units.kind == "block":
        autocorrelation = estimate_autocorrelation(parts)
        length = autocorrelation.block_length
        unit, group = split_into_blocks(recording, context, rank, np.full(len(rows), length))
        stratum = np.zeros(len(group), np.int64)
        stratum[unit] = context
        inflation = autocorrelation.inflation(max(1, autocorrelation.n // length))
        min_lag[:] = autocorrelation.decorrelation_lag
        drift_p, drifts = drift_p_value(parts, autocorrelation), autocorrelation.drifts
        if autocorrelation.too_short:
            required_snippets = math.ceil(MIN_INDEPENDENT * autocorrelation.time)
    elif units.kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = connected_strata(unit, context)
    else:
        unit, one_context = find_label_runs(recording, rank, on[rows], context)
        stratum = np.zeros(int(unit.max()) + 1, np.int64)
        stratum[unit] = joint_codes(recording, context) if one_context else joint_codes(recording)
        label = joint_codes(on[rows], context)
        autocorrelation = estimate_autocorrelation(parts, np.split(label, bounds))
        min_lag[:] = autocorrelation.decorrelation_lag
        if _share_order(on[rows], recording, rank):
            vectors, inflation = _remove_trend(vectors, bounds)
            notes.append("the values come in one order in the recordings: a trend over the list was removed")
    if different_recordings and units.kind != "block":
        min_lag[:] = np.iinfo(np.int64).max
    label = np.zeros(len(stratum), np.int64)
    label[unit] = np.unique(on[rows], return_inverse=True)[1].reshape(-1)
    rules = ComparisonRules(across[rows], recording, rank, min_lag)
    required_snippets *= step
    return PermutationDesign(
        vectors, by[rows], unit, label, stratum, rules, inflation, drift_p, drifts, required_snippets, notes
    )


def _thin(
    rows: NDArray[np.int64], labels: TaskLabels, units: ExchangeableUnits, max_rows: int
) -> tuple[NDArray[np.int64], int]:
    """Sort rows by recording and time, and keep every k-th if they have more pairs to compare than ``max_rows ** 2``.

    Every k-th snippet is kept of long recordings, every k-th recording of tokens. Rows are counted separately for each
    combination of ON, BY and ACROSS, since tokens of two voices may alternate.

    Returns
    -------
    rows : ndarray of int64
    step : int
        k; 1 if all rows are kept.
    """
    rows = rows[np.lexsort((units.time_rank[rows], units.recording[rows]))]
    sizes = np.bincount(labels.by[rows]).astype(np.float64)
    step = math.ceil(math.sqrt(np.square(sizes).sum()) / max_rows)
    if step == 1:
        return rows, 1
    combination = joint_codes(*(codes[rows] for codes in labels))
    order = np.argsort(combination, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.searchsorted(combination[order], combination[order])
    return rows[rank % step == 0], step


def _share_order(on: NDArray[np.int64], recording: NDArray[np.int64], rank: NDArray[np.int64]) -> bool:
    """Return whether the values of ON come in much the same order in the recordings that share them.

    The mean position of each value in each recording is correlated between recordings, over the values they share.
    """
    values, value = np.unique(on, return_inverse=True)
    recordings, number = np.unique(recording, return_inverse=True)
    if len(values) < 3 or len(recordings) < 2 or len(recordings) > _MAX_RECORDINGS_ORDERED:  # noqa: PLR2004
        return False
    total, count = np.zeros((2, len(recordings), len(values)))
    np.add.at(total, (number, value), rank)
    np.add.at(count, (number, value), 1)
    position = np.divide(total, count, where=count > 0, out=np.full(total.shape, np.nan))
    correlations = []
    for first, second in itertools.combinations(position, 2):
        shared = np.isfinite(first) & np.isfinite(second)
        if shared.sum() > 2 and np.ptp(first[shared]) > 0 and np.ptp(second[shared]) > 0:  # noqa: PLR2004
            correlations.append(float(np.corrcoef(first[shared], second[shared])[0, 1]))
    return bool(correlations) and float(np.mean(correlations)) > _SHARED_ORDER


def _remove_trend(
    vectors: NDArray[np.float32] | NDArray[np.float64], bounds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """Subtract from the unit vectors of each recording their linear and quadratic trend over its snippets.

    Returns
    -------
    detrended : ndarray of float64, shape (n, dim)
    inflation : float
        Factor by which sums over snippets at the same place of two lists vary more than over permuted places.

    Notes
    -----
    Residuals are smaller where a snippet has more influence on the trend, so they are scaled to one variance. They have
    the same correlations C in every list: a sum of products over the n places has a variance of Σ C_ij², and over
    permuted places of n + (Σ C_ij, i ≠ j)² / (n (n − 1)) on average.
    """
    detrended = unit_vectors(vectors)
    inflation = 1.0
    for start, stop in itertools.pairwise([0, *bounds.tolist(), len(detrended)]):
        n = stop - start
        if n <= _MIN_DETRENDED:
            continue
        part = detrended[start:stop]
        time = np.linspace(-1, 1, n)
        basis = np.linalg.qr(np.stack((np.ones(n), time, time**2), axis=1))[0]
        covariance = np.eye(n) - basis @ basis.T
        scale = 1 / np.sqrt(np.diag(covariance))
        detrended[start:stop] = part.mean(axis=0) + scale[:, None] * (covariance @ part)
        correlation = covariance * scale * scale[:, None]
        permuted = n + (correlation.sum() - n) ** 2 / (n * (n - 1))
        inflation = max(inflation, math.sqrt(np.square(correlation).sum() / permuted))
    return detrended, inflation
