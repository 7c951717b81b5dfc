"""How fast this machine is, measured in a few seconds: encoding, scoring, testing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abxfast.encoder import Encoder, open_encoder
from abxfast.scoring import score_embeddings
from abxfast.statistics import make_units, permutation_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

_CALIBRATION_S = 1.5
"""Seconds that one encoder is measured, at least."""
_SCORING_S = 0.3
_TRIED_PERMUTATIONS = 256


def _seconds_each(work: Callable[[], object], at_least_s: float = _CALIBRATION_S) -> float:
    """Give the seconds that one call takes, after one that is not counted (what is compiled is kept)."""
    work()
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < at_least_s or calls == 0:
        work()
        calls += 1
    return (time.perf_counter() - started) / calls


def encoding_speeds(
    name: str, provider: str, lengths: Collection[float | None], median_s: float, threads: int
) -> dict[float | None, float]:
    """Measure the seconds of audio that an encoder takes in a second, at each length, with all threads busy.

    Parameters
    ----------
    name, provider : str
    lengths : collection of float or None
        In seconds; whole items are tried at their median.
    median_s : float
    threads : int
    """
    encoder = open_encoder(name, provider)
    rate_hz = encoder.info.sample_rate_hz
    random = np.random.default_rng(0)
    speeds = {}
    with ThreadPoolExecutor(threads) as pool:
        for length in lengths:
            seconds = length or median_s
            n = max(encoder.info.least_samples, round(min(seconds, 60.0) * rate_hz))
            wave = (0.1 * random.standard_normal((1, n))).astype(np.float32)
            each = _seconds_each(partial(_encode_all, pool, encoder, [wave] * threads), _CALIBRATION_S / len(lengths))
            speeds[length] = threads * n / rate_hz / each
    return speeds


def _encode_all(pool: ThreadPoolExecutor, encoder: Encoder, waves: list[NDArray[np.float32]]) -> None:
    list(pool.map(encoder.encode, waves))


def scoring_speeds(n: int, dim: int, threads: int) -> tuple[float, float]:
    """Measure, on vectors drawn by lot, the seconds to score n of them, and of a permutation for a pair of them."""
    vectors = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    half = (np.arange(n) * 2 // n).astype(np.int64)
    labels = {"recording": half.tolist()}
    score = partial(score_embeddings, vectors, labels, on="recording", threads=threads, marginals=True)
    score_s = _seconds_each(score, _SCORING_S)
    small = slice(0, n, max(1, n // 240))
    own, on = vectors[small], half[small]
    units = make_units(own, on, on, np.arange(len(on), dtype=np.float64))
    test = partial(permutation_tests, own, on, units, np.array([[0, 1]], np.int64), threads=threads)
    once = [
        _seconds_each(partial(test, permutations=permutations), _SCORING_S)
        for permutations in (_TRIED_PERMUTATIONS, 5 * _TRIED_PERMUTATIONS)
    ]
    test_s = max(once[1] - once[0], 1e-6) / (4 * _TRIED_PERMUTATIONS) / len(on) ** 2
    return score_s, test_s
