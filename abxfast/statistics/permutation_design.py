"""Designs of permutation tests: which snippets are tested and compared, and the units that are relabelled."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels import ComparisonRules
from abxfast.statistics.dependence import (
    MIN_BLOCKS,
    block_length,
    connected_strata,
    decorrelation_lag,
    joint_codes,
    lag_correlation,
    split_into_blocks,
    variance_inflation,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits

_MAX_ROWS_PAIR = 800
"""Snippets per context in a test of two values, beyond which they are thinned."""
_MAX_ROWS_ALL = 2400
"""The same for a test of all values."""


class TaskLabels(NamedTuple):
    """Codes of the labels of each snippet, int64 ``(n,)``; ACROSS is −1 where it is not part of the task."""

    on: NDArray[np.int64]
    by: NDArray[np.int64]
    across: NDArray[np.int64]


class PermutationDesign(NamedTuple):
    """How the labels of one test are permuted, and which snippets are compared.

    Attributes
    ----------
    rows : ndarray of int64, shape (n,)
        Rows of the embeddings that are tested, in order of recording and time.
    by, unit : ndarray of int64, shape (n,)
        Code of BY, and the unit, of each of `rows`.
    label, stratum : ndarray of int64, shape (units,)
        Labels, from 0, are permuted within strata.
    rules : ComparisonRules
        Of `rows`.
    inflation : float
        Factor by which deviations from the mean of the permutations are multiplied.
    notes : list of str
        What limits the test.
    """

    rows: NDArray[np.int64]
    by: NDArray[np.int64]
    unit: NDArray[np.int64]
    label: NDArray[np.int64]
    stratum: NDArray[np.int64]
    rules: ComparisonRules
    inflation: float
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
    inflation = 1.0
    if units.kind == "block":
        correlation, n = _pooled_correlation(embeddings[rows], recording)
        length = block_length(correlation, n)
        n_blocks = max(1, n // length)
        if correlation > 0 and n_blocks < MIN_BLOCKS:
            notes.append(f"a recording is too short for the correlation of its snippets ({correlation:.2f} at lag 1)")
        unit, group = split_into_blocks(recording, context, rank, np.full(len(rows), length))
        stratum = np.zeros(len(group), np.int64)
        stratum[unit] = context
        inflation = variance_inflation(correlation, n, n_blocks)
        min_lag[:] = decorrelation_lag(correlation)
    elif units.kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = connected_strata(unit, context)
    else:
        unit, stratum = np.arange(len(rows)), joint_codes(recording, context)
    if different_recordings and units.kind != "block":
        min_lag[:] = np.iinfo(np.int64).max
    label = np.zeros(len(stratum), np.int64)
    label[unit] = np.unique(on[rows], return_inverse=True)[1].reshape(-1)
    rules = ComparisonRules(across[rows], recording, rank, min_lag)
    return PermutationDesign(rows, by[rows], unit, label, stratum, rules, inflation, notes)


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


def _pooled_correlation(
    vectors: NDArray[np.float32] | NDArray[np.float64], recording: NDArray[np.int64]
) -> tuple[float, int]:
    """Return the mean lag-one correlation of the recordings, and the number of snippets of the shortest one.

    Under the null hypothesis all recordings are of one process, so that their correlations are equal.
    """
    bounds = [0, *(np.flatnonzero(np.diff(recording)) + 1).tolist(), len(recording)]
    correlations = [lag_correlation(vectors[start:stop]) for start, stop in itertools.pairwise(bounds)]
    return float(np.mean(correlations)), min(stop - start for start, stop in itertools.pairwise(bounds))
