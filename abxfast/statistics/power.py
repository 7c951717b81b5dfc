"""Power: the smallest score that recordings of a given length could show to differ from chance."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

from abxfast.statistics.dependence import make_exchangeable_units
from abxfast.statistics.permutation import ALPHA, permutation_tests

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 0.8
_DIM, _OFFSET = 20, 10.0
_PERMUTATIONS = 199
_REPLICATES = 20
_MAX_SHIFT, _STEPS = 8.0, 5
_MAX_SNIPPETS = 120
"""Snippets per recording that are simulated, at most; the shift that is found in longer ones goes with 1 / √n."""
_WARM_UP = 200


@lru_cache(maxsize=64)
def detectable_score(n: int, time: float, n_tests: int = 1) -> float:
    """Return the smallest score that two recordings show to be different in 80% of cases, by simulation.

    Parameters
    ----------
    n : int
        Snippets per recording.
    time : float
        Integrated autocorrelation time of the recordings, in snippets (`Autocorrelation.time`).
    n_tests : int
        Number of tests that Holm's method corrects for.

    Returns
    -------
    float
        Rounded to two digits; NaN if not even a score near 1 is found.

    Notes
    -----
    Vectors of 20 dimensions and a constant one, first-order autocorrelated, of which one dimension is shifted in the
    second recording. The shift is found by bisection, from 20 replicates each with 199 permutations and the guard
    against drift. p-values are compared with 0.05 / tests, or with 0.005 where that is below what 199 permutations can
    show: the result is then a little too low.
    """
    simulated = min(n, _MAX_SNIPPETS)
    correlation = max(0.0, (time - 1) / (time + 1))
    level = max(ALPHA / n_tests, 1 / (_PERMUTATIONS + 1))
    low, high = 0.0, _MAX_SHIFT
    if _simulate(simulated, correlation, high, level)[0] < POWER:
        return math.nan
    for _ in range(_STEPS):
        shift = (low + high) / 2
        low, high = (low, shift) if _simulate(simulated, correlation, shift, level)[0] >= POWER else (shift, high)
    return round(_simulate(simulated, correlation, high * math.sqrt(simulated / n), level)[1], 2)


def _simulate(n: int, correlation: float, shift: float, level: float) -> tuple[float, float]:
    """Return the share of replicates in which a difference is found, and the mean score."""
    random = np.random.default_rng(0)
    recording = np.repeat([0, 1], n)
    start_s = np.tile(np.arange(float(n)), 2)
    found, scores = 0, []
    for seed in range(_REPLICATES):
        vectors = _recordings(random, n, correlation, shift)
        units = make_exchangeable_units(vectors, recording, recording, start_s)
        pair = np.array([[0, 1]])
        tests = permutation_tests(vectors, recording, units, pair, permutations=_PERMUTATIONS, seed=seed)
        found += bool(tests.p[0] <= level and tests.drift_p[0] <= ALPHA)
        scores.append(tests.score[0])
    return found / _REPLICATES, float(np.mean(scores))


def _recordings(random: np.random.Generator, n: int, correlation: float, shift: float) -> NDArray[np.float64]:
    innovations = random.standard_normal((2, n + _WARM_UP, _DIM))
    series = math.sqrt(1 - correlation**2) * lfilter([1.0], [1.0, -correlation], innovations, axis=1)[:, _WARM_UP:]
    series[1, :, 0] += shift
    return np.column_stack((series.reshape(2 * n, _DIM), np.full(2 * n, _OFFSET)))
