"""Autocorrelation of recordings at all lags that can be estimated, and what follows from it for blocks and tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels import unit_vectors
from abxfast.statistics.changes import changes_level, spread_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Vectors = NDArray[np.float32] | NDArray[np.float64]

MIN_INDEPENDENT = 15
"""Independent observations (n / τ) below which a recording is too short for statements about it."""
MIN_BLOCKS = 10
"""Blocks that a recording is cut into, and snippets below which nothing is said about it."""
_MIN_SNIPPETS = 6
"""Snippets below which no autocorrelation can be estimated; they count as independent."""
_WINDOW_FACTOR = 5
"""The window of the autocorrelation is at least this many times its integrated time (Sokal)."""
_SHORT_WINDOW_FACTOR = 1.25
"""The same for the window against which changes of level are judged. A longer one would hold some of the changes."""
_MAX_GROWTH = 1.35
"""Ratio of the integrated times at n / 4 and at n / 8 beyond which a recording drifts."""
_GROWTH_ERRORS = 3.5
"""The same ratio has a standard error of about 1.6 / √(recordings · dimensions); this is 2.2 of them."""
_SPREAD_ERRORS = 3
"""Standard errors of the correlation of neighbours' distances from the mean, below which they count as independent."""
_NEGLIGIBLE = 0.05
"""Share of the integrated time that may lie beyond the decorrelation lag."""
_MIN_TIME = 0.05
_DIMENSIONS_AT_ONCE = 64
"""Dimensions whose spectra are held at once."""


@dataclass(frozen=True)
class Autocorrelation:
    """Estimated autocorrelation of one or several recordings of one process.

    Attributes
    ----------
    n : int
        Snippets of the shortest recording.
    values : ndarray of float64, shape (window + 1,)
        Correlation of snippets at lags of 0, 1, … snippets, pooled over dimensions; that at lag 0 is 1. It counts as 0
        beyond the window.
    time : float
        Integrated autocorrelation time τ, in snippets: the variance of the mean of n snippets is τ / n times that of
        one. n / τ is the number of independent snippets that would be as informative.
    relative_variance : float
        Variance of the estimate of τ over τ².
    too_short : bool
        Whether n / τ is below `MIN_INDEPENDENT`, unless τ could be 1; or the same for the τ of how far snippets lie
        from their mean, as in a recording of which some stretches are more varied than others.
    drifts : bool
        Whether τ still grows at the longest lags that can be estimated, or the level changes (`changes_level`): the
        recording changes so slowly, or so abruptly, that no number of snippets in it counts as independent.
    """

    n: int
    values: NDArray[np.float64]
    time: float
    relative_variance: float
    too_short: bool
    drifts: bool

    @property
    def decorrelation_lag(self) -> int:
        """Smallest lag, in snippets and at most n / 4, beyond which 5% of the integrated time lie."""
        total = np.cumsum(2 * self.values) - 1
        lag = int(np.flatnonzero(total >= (1 - _NEGLIGIBLE) * total.max())[0]) + 1
        return min(lag, max(1, self.n // 4))

    @property
    def block_length(self) -> int:
        """Snippets per block (Politis and White 2004), but no more than leave `MIN_BLOCKS` blocks if n allows it.

        The length for a circular block bootstrap with the constants of Patton, Politis and White (2009):
        (3 / 2 · (G / τ)² · n)^(1/3), where G is the sum of |lag| · correlation over positive and negative lags.
        """
        weighted = 2 * float((np.arange(len(self.values)) * self.values).sum())
        length = round(math.cbrt(1.5 * (weighted / self.time) ** 2 * self.n))
        return max(1, min(length, self.n // MIN_BLOCKS))

    def inflation(self, n_blocks: int) -> float:
        """Return the variance of the mean of n snippets over the one that independent blocks would have, at least 1."""
        return max(1.0, self._variance(self.n) / self._variance(self.n / n_blocks))

    @property
    def allowance(self) -> float:
        """Factor for a variance that τ is a part of: by one standard error of τ, as far as τ is above 1."""
        return 1 + math.sqrt(self.relative_variance) * max(0.0, 1 - 1 / self.time)

    def _variance(self, m: float) -> float:
        """Return the variance of the mean of m neighbours over that of m independent snippets."""
        lag = np.arange(1, min(math.ceil(m), len(self.values)))
        return max(1 + 2 * float(((1 - lag / m) * self.values[lag]).sum()), _MIN_TIME)


def estimate_autocorrelation(
    recordings: Sequence[Vectors], labels: Sequence[NDArray[np.int64]] | None = None
) -> Autocorrelation:
    """Estimate the autocorrelation that recordings have in common.

    Parameters
    ----------
    recordings : sequence of ndarray of float32 or float64, shape (n, dim)
        The vectors of each recording in order of time, as cosines see them: only their direction counts.
    labels : sequence of ndarray of int64, shape (n,), optional
        Codes whose mean vectors are subtracted within each recording; by default, the mean of all is.

    Returns
    -------
    Autocorrelation

    Notes
    -----
    The autocovariances of unit vectors about the mean of their recording are summed over dimensions and over the
    recordings of at least half the length of the longest.
    Estimating the mean lowers each of them by about S / n, where S is the sum of the covariances at all lags; within a
    window of W lags the sum is lowered by (2 W + 1) S / n, so S is the plain sum divided by 1 − (2 W + 1) / n.

    The window is the smallest one of at least five times its own integrated time (Sokal 1997), or n / 4. A weak slow
    component hides from that rule. Therefore a longer window, up to n / 4, replaces it where the integrated time there
    is higher by more than its standard error, τ · √(2 (2 W + 1) / (n · recordings · d)), where d = (Σλ)² / Σλ² is the
    effective number of dimensions.
    """
    shortest_n, longest_n = min(map(len, recordings)), max(map(len, recordings))
    independent = Autocorrelation(shortest_n, np.ones(1), 1.0, 0.0, too_short=False, drifts=False)
    if longest_n < _MIN_SNIPPETS:
        return independent
    centred = [
        _centre(vectors, np.zeros(len(vectors), np.int64) if labels is None else labels[number])
        for number, vectors in enumerate(recordings)
        if 2 * len(vectors) >= longest_n
    ]
    n = min(map(len, centred))
    covariance = _autocovariance(centred)
    if covariance[0] <= 1e-20:  # noqa: PLR2004
        return independent
    n_dimensions = _effective_dimensions(centred)
    chosen = _integrate(covariance, n, len(centred) * n_dimensions)
    values = covariance[: chosen.window + 1] + max(chosen.total[chosen.window], 0.0) / n
    times = chosen.time
    growth = float(times[n // 4]) / max(float(times[n // 8]), 1.0)
    max_growth = max(_MAX_GROWTH, 1 + _GROWTH_ERRORS / math.sqrt(len(centred) * n_dimensions))
    # What short-range correlation alone allows; the window is a short one, since a step makes a long one longer.
    short_range = np.flatnonzero(np.arange(len(times)) >= _SHORT_WINDOW_FACTOR * times)
    short = int(short_range[0]) if len(short_range) else len(times) - 1
    long_run_variance = max(float(chosen.total[short]), float(values[0]))
    short_error = (2 * short + 1) / (n * n_dimensions)
    drifts = growth > max_growth or any(
        changes_level(series, long_run_variance, n_dimensions, 2 * short_error) for series in centred
    )
    spreads = [_spread_time(series) for series in centred]
    too_short = chosen.is_long(shortest_n) or any(spread.is_long(shortest_n) for spread in spreads)
    return Autocorrelation(
        shortest_n, values / values[0], chosen.value, chosen.error**2, too_short=too_short, drifts=drifts
    )


class _IntegratedTime(NamedTuple):
    """Integrated times within windows of 0, 1, … lags, and the one that is chosen.

    Attributes
    ----------
    total, time : ndarray of float64, shape (n // 4 + 1,)
        Sum of the covariances, and the same over the variance of a snippet.
    window : int
    value : float
        The chosen integrated time.
    error : float
        Its standard error over its value.
    white_error : float
        The standard error that it would have in white noise.
    """

    total: NDArray[np.float64]
    time: NDArray[np.float64]
    window: int
    value: float
    error: float
    white_error: float

    def is_long(self, n: int) -> bool:
        """Return whether n snippets are too few for the time, unless that could be 1."""
        return bool(n < MIN_INDEPENDENT * self.value and self.value > 1 + 2 * self.white_error)


def _integrate(covariance: NDArray[np.float64], n: int, n_series: float) -> _IntegratedTime:
    """Choose the window of the integrated time, see `estimate_autocorrelation`; for `n_series` independent series."""
    window = np.arange(n // 4 + 1)
    edge = (2 * window + 1) / n
    total = (2 * np.cumsum(covariance[: len(window)]) - covariance[0]) / (1 - edge)
    time = total / (covariance[0] + total / n)
    long_enough = np.flatnonzero(window >= _WINDOW_FACTOR * time)
    chosen = int(long_enough[long_enough > 0][0]) if (long_enough > 0).any() else len(window) - 1
    shortest = max(float(time[chosen]), 1 / 3)
    relative_error = np.sqrt(2 * edge / n_series)
    excess = (time[chosen:] - shortest) / (max(shortest, 1.0) * relative_error[chosen:])
    if excess.max() > 1:
        chosen += int(excess.argmax())
    error = float(relative_error[chosen])
    return _IntegratedTime(
        total, time, chosen, max(float(time[chosen]), shortest), error, error / (1 - float(edge[chosen]))
    )


def _spread_time(centred: NDArray[np.float64]) -> _IntegratedTime:
    """Return the integrated time of how far snippets lie from their mean; at least that of first-order correlation."""
    series = spread_series(centred)
    covariance = _autocovariance([series])
    if covariance[0] <= 1e-20:  # noqa: PLR2004
        covariance = np.eye(1, len(covariance))[0]
    chosen, n = _integrate(covariance, len(series), 1.0), len(series)
    first = float(covariance[1] / covariance[0])
    if first < _SPREAD_ERRORS / math.sqrt(n):
        return chosen._replace(value=1.0)
    return chosen._replace(value=max(chosen.value, (1 + first) / max(1 - first, 1 / n)))


def _centre(vectors: Vectors, label: NDArray[np.int64]) -> NDArray[np.float64]:
    unit = unit_vectors(vectors)
    for value in np.unique(label):
        unit[label == value] -= unit[label == value].mean(axis=0)
    return unit


def _autocovariance(centred: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean product of snippets at each lag below the length of the shortest recording."""
    n = min(map(len, centred))
    total, count = np.zeros((2, n))
    for series in centred:
        size = 2 * len(series)
        power = np.zeros(len(series) + 1)
        for first in range(0, series.shape[1], _DIMENSIONS_AT_ONCE):
            some = series[:, first : first + _DIMENSIONS_AT_ONCE]
            power += np.square(np.abs(np.fft.rfft(some, size, axis=0))).sum(axis=1)
        total += np.fft.irfft(power, size)[:n]
        count += len(series) - np.arange(n)
    covariance: NDArray[np.float64] = total / count
    return covariance


def _effective_dimensions(centred: Sequence[NDArray[np.float64]]) -> float:
    """Return (Σλ)² / Σλ² of the covariance, with Σλ² corrected for its bias in short recordings."""
    n = sum(map(len, centred)) / len(centred)
    trace = sum(float(np.square(series).sum()) for series in centred) / (len(centred) * n)
    squares = sum(float(np.square(_products(series)).sum()) for series in centred) / (len(centred) * n**2)
    return trace**2 / max(squares - trace**2 / n, trace**2 / 1e4)


def _products(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smaller of the two matrices of products, which have the same nonzero eigenvalues."""
    products: NDArray[np.float64] = series.T @ series if series.shape[1] < len(series) else series @ series.T
    return products
