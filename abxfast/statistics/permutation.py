"""The permutation test: how often labels drawn by lot, over units that the design makes exchangeable, score as high."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from abxfast.kernels import ComparisonRules
from abxfast.statistics.dependence import (
    MIN_BLOCKS,
    block_length,
    blocks,
    codes_of,
    decorrelation_lag,
    lag_correlation,
    strata_of,
    variance_inflation,
)
from abxfast.statistics.label_permutation import count_distinct, draw_labels
from abxfast.statistics.multiple_testing import benjamini_hochberg, holm
from abxfast.statistics.relabelling import Rows, relabelled_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits

ALPHA = 0.05
_SAME = 1e-12  # scores are sums of a few quotients; two that are the same may round differently
_MAX_PAIR = 800
_MAX_ALL = 2400
_MAX_VALUES = 255


@dataclass(frozen=True)
class PermutationTestResult:
    """Permutation tests, one entry each.

    Attributes
    ----------
    score : ndarray of float64
        What was tested: the mean over contexts and directions; NaN where there is nothing to test. Where the units are
        blocks, neighbours in time are left out, as a and as b, which is why it is below the plain score.
    p, p_holm, p_bh : ndarray of float64
        One-sided: large where the labels might have been drawn by lot.
    distinct : ndarray of float64
        Relabellings that differ in their score.
    note : list of str
    """

    __test__ = False  # pytest

    score: NDArray[np.float64]
    p: NDArray[np.float64]
    p_holm: NDArray[np.float64]
    p_bh: NDArray[np.float64]
    distinct: NDArray[np.float64]
    note: list[str]


class _Plan(NamedTuple):
    """One test: its rows, in order, and what the lot is drawn over."""

    rows: NDArray[np.int64]
    on: NDArray[np.int64]
    unit: NDArray[np.int64]
    stratum: NDArray[np.int64]
    place: NDArray[np.int64]
    gap: NDArray[np.int64]
    inflation: float
    note: str


def permutation_tests(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    on: NDArray[np.int64],
    units: ExchangeableUnits,
    pairs: NDArray[np.int64] | None = None,
    *,
    by: NDArray[np.int64] | None = None,
    across: NDArray[np.int64] | None = None,
    different_recordings: bool = False,
    permutations: int = 10_000,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[], None] | None = None,
) -> PermutationTestResult:
    """Test whether labels are exchangeable.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    on : ndarray of int64, shape (n,)
        Codes of ON.
    units : Units
        Of these rows.
    pairs : ndarray of int64, shape (m, 2), optional
        Unordered pairs of values, each a test; without, there is one test over all values together, in which b comes
        from any other value.
    by, across : ndarray of int64, shape (n,), optional
        Codes of the context that all three share; of that in which x differs from a and b. Labels are drawn within
        both.
    different_recordings : bool
        Leave out a and b that come from the recording of x.
    permutations, seed : int
    threads : int
    progress : callable, optional
        Called after each test.

    Returns
    -------
    Test
        Depends on the seed, not on the threads.

    Notes
    -----
    p = (1 + #{score* ≥ score}) / (1 + permutations) (Phipson and Smyth 2010).

    Neighbours in time are alike, so two stretches of one process, each called a recording, score above 0.5. Under
    blocks drawn by lot they score less, since some neighbours then fall apart: that would reject too often. So pairs
    that are nearer in time than the recording's memory (`decorrelation_lag`) count in no labelling, neither as (a, x) nor as
    (b, x), and blocks are moved as wholes. What is left of the correlation across the cuts widens the distribution by a
    known factor (`variance_inflation`), by which the deviations under the lot are stretched.

    Of a long recording, every k-th snippet is tested.
    """
    by = np.zeros(len(on), np.int64) if by is None else by
    across = np.full(len(on), -1, np.int64) if across is None else across
    tests: list[tuple[int, int] | None] = [None] if pairs is None else [(a, b) for a, b in pairs.tolist()]
    alone = len(tests) == 1

    def one(pair: tuple[int, int] | None) -> tuple[float, float, float, str]:
        plan = _plan(embeddings, on, units, pair, by, across, different_recordings=different_recordings)
        result = _test(embeddings, plan, units, by, across, permutations, seed, threads if alone else 1)
        if progress is not None:
            progress()
        return result

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(1 if alone else threads) as pool:
        found = list(pool.map(one, tests))
    score, p, distinct = (np.array([each[k] for each in found], np.float64) for k in range(3))
    note = [each[3] for each in found]
    n_tests = int(np.isfinite(p).sum())
    if n_tests / (permutations + 1) > ALPHA:
        few = f"{permutations} permutations are too few for {n_tests} tests: no p_holm can be below {ALPHA}"
        note = ["; ".join(filter(None, (text, few))) for text in note]
    return PermutationTestResult(score, p, holm(p), benjamini_hochberg(p), distinct, note)


def _plan(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    on: NDArray[np.int64],
    units: ExchangeableUnits,
    pair: tuple[int, int] | None,
    by: NDArray[np.int64],
    across: NDArray[np.int64],
    *,
    different_recordings: bool,
) -> _Plan:
    rows = np.arange(len(on)) if pair is None else np.flatnonzero((on == pair[0]) | (on == pair[1]))
    rows, note = _thin(rows, units, np.stack((on, by, across), axis=1), by, _MAX_ALL if pair is None else _MAX_PAIR)
    recording, context = units.recording[rows], codes_of(by[rows], across[rows])
    place = np.arange(len(rows)) - np.searchsorted(recording, recording)
    gap = np.ones(int(units.recording.max()) + 1, np.int64)
    inflation = 1.0
    if units.kind == "block":
        stretches = np.split(rows, np.flatnonzero(np.diff(recording)) + 1)
        # One process, under the null hypothesis: its correlation is the same in all of the recordings.
        correlation = float(np.mean([lag_correlation(embeddings[stretch]) for stretch in stretches]))
        n = min(len(stretch) for stretch in stretches)
        length = block_length(correlation, n)
        n_blocks = max(1, n // length)
        if correlation > 0 and n_blocks < MIN_BLOCKS:
            note = _join(
                note, f"too short for the correlation of its snippets ({correlation:.2f} from one to the next)"
            )
        unit, group = blocks(recording, context, place, np.full(len(rows), length))
        stratum = np.zeros(len(group), np.int64)
        stratum[unit] = context
        inflation = variance_inflation(correlation, n, n_blocks)
        gap[:] = decorrelation_lag(correlation)
    elif units.kind == "recording":
        unit = np.unique(recording, return_inverse=True)[1].reshape(-1)
        stratum = strata_of(unit, context)
    else:
        unit, stratum = np.arange(len(rows)), codes_of(recording, context)
    if different_recordings and units.kind != "block":
        gap[:] = np.iinfo(np.int64).max
    label = np.unique(on[rows], return_inverse=True)[1].reshape(-1)
    return _Plan(rows, label, unit, stratum, place, gap, inflation, note)


def _thin(
    rows: NDArray[np.int64], units: ExchangeableUnits, kinds: NDArray[np.int64], by: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], str]:
    """Put rows in the order of recording and time; take every k-th where there is more to compare than `most` squared.

    Of long recordings these are every k-th snippet, of tokens every k-th recording; of each value of ON, BY and ACROSS
    by itself, since tokens of two voices may take turns.
    """
    rows = rows[np.lexsort((units.place[rows], units.recording[rows]))]
    sizes = np.bincount(by[rows]).astype(np.float64)
    step = math.ceil(math.sqrt(np.square(sizes).sum()) / most)
    if step == 1:
        return rows, ""
    kind = np.unique(kinds[rows], axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(kind, kind="stable")
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.searchsorted(kind[order], kind[order])
    return rows[rank % step == 0], f"tested on one snippet in {step}"


def _test(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    plan: _Plan,
    units: ExchangeableUnits,
    by: NDArray[np.int64],
    across: NDArray[np.int64],
    permutations: int,
    seed: int,
    threads: int,
) -> tuple[float, float, float, str]:
    label = np.zeros(len(plan.stratum), np.int64)
    label[plan.unit] = plan.on
    distinct = count_distinct(label, plan.stratum)
    if label.max() > _MAX_VALUES:
        return math.nan, math.nan, distinct, _join(plan.note, f"not tested: more than {_MAX_VALUES + 1} values")
    labels = draw_labels(label, plan.stratum, permutations, seed)
    rows = plan.rows
    design = ComparisonRules(across[rows], units.recording[rows], plan.place, plan.gap)
    scores = relabelled_scores(embeddings[rows], labels, Rows(plan.unit, by[rows], design), threads)
    observed, drawn = float(scores[0]), scores[1:]
    if math.isnan(observed):
        return observed, math.nan, distinct, _join(plan.note, "not tested: no triplet")
    if distinct < 2:  # noqa: PLR2004
        return observed, math.nan, distinct, _join(plan.note, "not tested: there is nothing to exchange")
    # A labelling without a triplet has no score; counted as a high one, it cannot make p too small.
    scored = drawn[~np.isnan(drawn)]
    centre = scored.mean() if len(scored) else 0.5
    below = int((centre + (scored - centre) * plan.inflation < observed - _SAME).sum())
    p = (1 + permutations - below) / (1 + permutations)
    note = plan.note
    if 1 / distinct > ALPHA:
        what = {"block": "stretches", "recording": "recordings", "snippet": "snippets"}[units.kind]
        note = _join(note, f"too few {what} for p < {ALPHA}: {distinct:.0f} relabellings, at best {1 / distinct:.2g}")
    return observed, p, distinct, note


def _join(*texts: str) -> str:
    return "; ".join(filter(None, texts))
