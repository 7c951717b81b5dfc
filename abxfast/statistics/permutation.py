"""Permutation tests of ABX scores: labels are permuted over the units that the design makes exchangeable."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels import one_blas_thread
from abxfast.statistics.label_permutation import count_distinct, permute_labels
from abxfast.statistics.multiple_testing import benjamini_hochberg, holm
from abxfast.statistics.permutation_design import TaskLabels, make_permutation_design
from abxfast.statistics.relabelling import relabelled_scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits
    from abxfast.statistics.permutation_design import PermutationDesign

ALPHA = 0.05
"""Significance level of verdicts."""
_ROUNDING = 1e-12
"""Scores are sums of a few quotients: equal ones may differ by this much."""
_MAX_LABEL = 255
"""Labels are permuted as uint8."""


@dataclass(frozen=True)
class PermutationTestResult:
    """Results of permutation tests, one entry per test.

    Attributes
    ----------
    score : ndarray of float64
        The test statistic: the mean ABX score over contexts and directions; NaN where there are no triplets. Where the
        units are blocks, snippets near to x in time are excluded as a and as b, so it is below the plain score.
    p, p_holm, p_bh : ndarray of float64
        One-sided p-values, plain and adjusted for the number of tests; NaN where nothing was tested.
    distinct : ndarray of float64
        Number of relabellings whose scores can differ.
    smallest_p : ndarray of float64
        The smallest p-value that these relabellings and permutations allow.
    drift_p : ndarray of float64
        p-value of the hypothesis that recordings differ no more than each differs from itself over time; NaN where
        units are not blocks.
    drifts : ndarray of bool
        Whether the recordings change over time, see `Autocorrelation.drifts`; False where units are not blocks.
    required_snippets : ndarray of int64
        Snippets that each recording should have, where they are too short for their autocorrelation; otherwise 0.
    kind : str
        `ExchangeableUnits.kind`.
    note : list of str
        Why there is no p-value, or what limits it; empty otherwise.
    """

    __test__ = False  # pytest

    score: NDArray[np.float64]
    p: NDArray[np.float64]
    p_holm: NDArray[np.float64]
    p_bh: NDArray[np.float64]
    distinct: NDArray[np.float64]
    smallest_p: NDArray[np.float64]
    drift_p: NDArray[np.float64]
    drifts: NDArray[np.bool_]
    required_snippets: NDArray[np.int64]
    kind: str
    note: list[str]


class _TestResult(NamedTuple):
    score: float
    p: float
    distinct: float
    smallest_p: float
    drift_p: float
    drifts: bool
    required_snippets: int
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
    """Test the null hypothesis that labels are exchangeable, against scores above chance.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    on : ndarray of int64, shape (n,)
        Codes of ON.
    units : ExchangeableUnits
        Of the same rows.
    pairs : ndarray of int64, shape (m, 2), optional
        Unordered pairs of values of ON, one test each. By default there is one test of all values jointly, in which b
        has any value other than that of a and x.
    by, across : ndarray of int64, shape (n,), optional
        Codes of the context that a, b and x share, and of the one in which x differs from a and b. Labels are permuted
        within combinations of both.
    different_recordings : bool
        Exclude a and b from the recording of x.
    permutations, seed : int
    threads : int
    progress : callable, optional
        Called after each test.

    Returns
    -------
    PermutationTestResult
        Depends on the seed, but not on the number of threads.

    Notes
    -----
    p = (1 + #{score* ≥ score}) / (1 + permutations) (Phipson and Smyth 2010). If there are at most `permutations`
    distinct relabellings, p is exact: the share of them that score as high.

    Neighbours in time are alike, so two recordings of one stationary process score above 0.5. Permuting blocks
    separates some of these neighbours, which lowers the scores, so that the test would reject too often. Therefore
    snippets closer in time than the decorrelation lag (`Autocorrelation.decorrelation_lag`) are not compared under any
    labelling, neither as (a, x) nor as (b, x), and blocks are permuted as a whole. The correlation that remains across
    block boundaries widens the distribution by an estimated factor (`Autocorrelation.inflation`), by which deviations
    from the permutation mean are multiplied.

    Where ON varies within recordings, the runs of consecutive snippets with one label are permuted as a whole within
    recordings (Winkler et al. 2015), and snippets of one recording closer than the decorrelation lag are not compared.
    Where the values come in one order in the recordings, as in lists of words, a linear and quadratic trend over each
    recording is subtracted from the vectors.

    Long recordings are thinned to every k-th snippet.
    """
    labels = TaskLabels(
        on,
        np.zeros(len(on), np.int64) if by is None else by,
        np.full(len(on), -1, np.int64) if across is None else across,
    )
    tests: list[tuple[int, int] | None] = [None] if pairs is None else [(a, b) for a, b in pairs.tolist()]
    single = len(tests) == 1

    def run(pair: tuple[int, int] | None) -> _TestResult:
        design = make_permutation_design(embeddings, labels, units, pair, different_recordings=different_recordings)
        result = _test(design, units.kind, permutations, seed, threads if single else 1)
        if progress is not None:
            progress()
        return result

    with one_blas_thread(), ThreadPoolExecutor(1 if single else threads) as pool:
        results = list(pool.map(run, tests))
    score, p, distinct, smallest_p, drift_p = (
        np.array([result[k] for result in results], np.float64) for k in range(5)
    )
    drifts = np.array([result.drifts for result in results], np.bool_)
    required = np.array([result.required_snippets for result in results], np.int64)
    note = [result.note for result in results]
    n_tests = int(np.isfinite(p).sum())
    if n_tests / (permutations + 1) > ALPHA:
        too_few = f"{permutations} permutations are too few for {n_tests} tests: p_holm cannot be below {ALPHA}"
        note = [_join(text, too_few) for text in note]
    corrected = holm(p), benjamini_hochberg(p)
    return PermutationTestResult(
        score, p, *corrected, distinct, smallest_p, drift_p, drifts, required, units.kind, note
    )


def _test(
    design: PermutationDesign,
    kind: str,
    permutations: int,
    seed: int,
    threads: int,
) -> _TestResult:
    distinct = count_distinct(design.label, design.stratum)

    def result(score: float, p: float, smallest_p: float, *notes: str) -> _TestResult:
        note = _join(*design.notes, *notes)
        return _TestResult(
            score, p, distinct, smallest_p, design.drift_p, design.drifts, design.required_snippets, note
        )

    if design.label.max() > _MAX_LABEL:
        return result(math.nan, math.nan, math.nan, f"not tested: more than {_MAX_LABEL + 1} values")
    labellings = permute_labels(design.label, design.stratum, permutations, seed)
    scores = relabelled_scores(design.vectors, labellings, design.unit, design.by, design.rules, threads)
    observed, permuted = float(scores[0]), scores[1:]
    if math.isnan(observed):
        return result(observed, math.nan, math.nan, "not tested: no triplet")
    if distinct < 2:  # noqa: PLR2004
        return result(observed, math.nan, math.nan, f"not tested: no {kind}s can be exchanged")
    p = _p_value(observed, permuted, design.inflation)
    too_few = (
        f"too few {kind}s for p < {ALPHA}: {distinct:.0f} relabellings, the smallest exact p is {1 / distinct:.2g}"
    )
    return result(observed, p, 1 / len(scores), too_few if 1 / distinct > ALPHA else "")


def _p_value(observed: float, permuted: NDArray[np.float64], inflation: float) -> float:
    """Return the one-sided p-value of the observed score, with deviations from the permutation mean inflated.

    A permutation without triplets (NaN) counts as a higher score, which can only make p larger.
    """
    scored = permuted[~np.isnan(permuted)]
    centre = scored.mean() if len(scored) else 0.5
    n_below = int((centre + (scored - centre) * inflation < observed - _ROUNDING).sum())
    return (1 + len(permuted) - n_below) / (1 + len(permuted))


def _join(*texts: str) -> str:
    return "; ".join(filter(None, texts))
