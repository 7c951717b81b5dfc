"""How fast this machine is, measured in a few seconds: encoding, scoring, testing."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.encoders import Encoder, open_encoder
from abxfast.scoring import score_embeddings
from abxfast.statistics import make_exchangeable_units, permutation_tests

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import NDArray

_CALIBRATION_S = 1.5
"""Seconds that one encoder is measured, at least."""
_SCORING_S = 0.3
_TRIED_PERMUTATIONS = 2000
_TRIED_VECTORS = 240
_TRIED_VALUES = 8


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


class ScoringSpeeds(NamedTuple):
    """What scoring and testing take here, in seconds.

    Attributes
    ----------
    score_s : float
        To score the vectors that were tried.
    permutation_s : float
        A permutation of one test, however small.
    square_s : float
        What each vector that is tested adds to a permutation, for each other one.
    """

    score_s: float
    permutation_s: float
    square_s: float


def scoring_speeds(n: int, dim: int, threads: int) -> ScoringSpeeds:
    """Measure scoring and testing, on n vectors drawn by lot."""
    vectors = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    half = (np.arange(n) * 2 // n).astype(np.int64)
    score = partial(
        score_embeddings, vectors, {"recording": half.tolist()}, on="recording", threads=threads, marginals=True
    )
    some = slice(0, n, max(1, n // _TRIED_VECTORS))
    own, on = vectors[some], half[some]
    large = _test(own, on, on, np.array([[0, 1]]), threads)
    tokens = np.arange(min(n, 4 * _TRIED_VALUES))
    words = tokens % _TRIED_VALUES
    pairs = np.array(list(combinations(range(_TRIED_VALUES), 2)))
    permutation_s = _test(vectors[tokens], words, tokens, pairs, threads) / len(pairs)
    square_s = max(large - permutation_s, 0.0) / len(own) ** 2
    return ScoringSpeeds(_seconds_each(score, _SCORING_S), permutation_s, square_s)


def _test(
    vectors: NDArray[np.float32],
    on: NDArray[np.int64],
    recording: NDArray[np.int64],
    pairs: NDArray[np.int64],
    threads: int,
) -> float:
    """Give the seconds that one permutation of all these tests takes."""
    units = make_exchangeable_units(vectors, on, recording, np.arange(len(on), dtype=np.float64))
    test = partial(permutation_tests, vectors, on, units, pairs, permutations=_TRIED_PERMUTATIONS, threads=threads)
    return _seconds_each(test, _SCORING_S) / _TRIED_PERMUTATIONS
