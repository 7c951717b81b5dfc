"""The speed of this machine at encoding, scoring and testing, measured in a few seconds."""

from __future__ import annotations

import math
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

_ENCODING_S = 1.5
"""Shortest time that an encoder is measured, over all lengths."""
_SCORING_S = 0.3
"""Shortest time that scoring, and each test, is measured."""
_MAX_LENGTH_S = 60.0
_PERMUTATIONS = 2000
_VECTORS = 240
"""Vectors of the large test, about."""
_VALUES = 8
"""Values of ON in the tests of many small pairs."""


def _seconds_per_call(function: Callable[[], object], min_s: float) -> float:
    """Return the seconds of the fastest call, after a first one that also compiles and is not counted.

    Calls are repeated for `min_s`. The slower ones tell what else the machine is busy with.
    """
    function()
    started, fastest = time.perf_counter(), math.inf
    while time.perf_counter() - started < min_s or fastest == math.inf:
        call_started = time.perf_counter()
        function()
        fastest = min(fastest, time.perf_counter() - call_started)
    return fastest


def encoding_speeds(
    name: str, provider: str, lengths: Collection[float | None], median_s: float, threads: int
) -> dict[float | None, float]:
    """Measure how many seconds of audio an encoder takes per second, with all threads busy.

    Parameters
    ----------
    name, provider : str
        See `abxfast.embed`.
    lengths : collection of float or None
        Snippet lengths in seconds; None means whole items.
    median_s : float
        Duration at which whole items are measured, in seconds.
    threads : int

    Returns
    -------
    dict of (float or None) to float
        Speed × real time, by length.
    """
    encoder = open_encoder(name, provider)
    rate_hz = encoder.info.sample_rate_hz
    random = np.random.default_rng(0)
    speeds = {}
    with ThreadPoolExecutor(threads) as pool:
        for length in lengths:
            seconds = length or median_s
            n = max(encoder.info.least_samples, round(min(seconds, _MAX_LENGTH_S) * rate_hz))
            n = min(n, encoder.info.most_samples or n)
            wave = (0.1 * random.standard_normal((1, n))).astype(np.float32)
            encode = partial(_encode_all, pool, encoder, [wave] * threads)
            speeds[length] = threads * n / rate_hz / _seconds_per_call(encode, _ENCODING_S / len(lengths))
    return speeds


def _encode_all(pool: ThreadPoolExecutor, encoder: Encoder, waves: list[NDArray[np.float32]]) -> None:
    list(pool.map(encoder.encode, waves))


class ScoringSpeeds(NamedTuple):
    """The time that scoring and testing take on this machine.

    Attributes
    ----------
    score_s : float
        Seconds to score all vectors once.
    permutation_s : float
        Seconds of one permutation of a test, however small.
    square_s : float
        Seconds that one permutation of a test takes in addition, per squared number of vectors.
    """

    score_s: float
    permutation_s: float
    square_s: float


def scoring_speeds(n: int, dim: int, threads: int) -> ScoringSpeeds:
    """Measure scoring and testing on n random vectors."""
    vectors = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    half = (np.arange(n) * 2 // n).astype(np.int64)
    score = partial(
        score_embeddings, vectors, {"recording": half.tolist()}, on="recording", threads=threads, marginals=True
    )
    subset = slice(0, n, max(1, n // _VECTORS))
    large = _time_permutation(vectors[subset], half[subset], half[subset], np.array([[0, 1]]), threads)
    tokens = np.arange(min(n, 4 * _VALUES))
    pairs = np.array(list(combinations(range(_VALUES), 2)))
    permutation_s = _time_permutation(vectors[tokens], tokens % _VALUES, tokens, pairs, threads) / len(pairs)
    square_s = max(large - permutation_s, 0.0) / len(half[subset]) ** 2
    return ScoringSpeeds(_seconds_per_call(score, _SCORING_S), permutation_s, square_s)


def _time_permutation(
    vectors: NDArray[np.float32],
    on: NDArray[np.int64],
    recording: NDArray[np.int64],
    pairs: NDArray[np.int64],
    threads: int,
) -> float:
    """Return the seconds that one permutation of the tests of all pairs takes."""
    units = make_exchangeable_units(vectors, on, recording, np.arange(len(on), dtype=np.float64))
    test = partial(permutation_tests, vectors, on, units, pairs, permutations=_PERMUTATIONS, threads=threads)
    return _seconds_per_call(test, _SCORING_S) / _PERMUTATIONS
