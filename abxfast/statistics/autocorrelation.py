"""Autocorrelation of recordings at all lags that can be estimated, and what follows from it for blocks and tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abxfast.kernels import unit_vectors

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
_SHORT_WINDOW_FACTOR = 2
"""The same for the window against which changes of level are judged."""
_MAX_GROWTH = 1.35
"""Ratio of the integrated times at n / 4 and at n / 8 beyond which a recording drifts."""
_GROWTH_ERRORS = 3.5
"""The same ratio has a standard error of about 1.6 / √(recordings · dimensions); this is 2.2 of them."""
_CHANGE_LEVEL = 0.999
"""Quantile of the change of level at one of some ten independent places in a recording."""
_NEGLIGIBLE = 0.05
"""Share of the integrated time that may lie beyond the decorrelation lag."""
_MIN_TIME = 0.05
_CONTRASTS = {
    2: np.array([[1.0, -1.0]]) / math.sqrt(2),
    3: np.array([[1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]) / np.sqrt([[2.0], [6.0]]),
}
"""Orthonormal contrasts of two and of three parts."""
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
    too_short : bool
        Whether n / τ is below `MIN_INDEPENDENT`, unless τ could be 1.
    drifts : bool
        Whether τ still grows at the longest lags that can be estimated: the recording changes over time so slowly, or
        so abruptly, that no number of snippets in it counts as independent.
    """

    n: int
    values: NDArray[np.float64]
    time: float
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
    independent = Autocorrelation(shortest_n, np.ones(1), 1.0, too_short=False, drifts=False)
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
    window = np.arange(n // 4 + 1)
    edge = (2 * window + 1) / n
    total = (2 * np.cumsum(covariance[: len(window)]) - covariance[0]) / (1 - edge)
    time = total / (covariance[0] + total / n)
    long_enough = np.flatnonzero(window >= _WINDOW_FACTOR * time)
    chosen = int(long_enough[long_enough > 0][0]) if (long_enough > 0).any() else len(window) - 1
    shortest = max(float(time[chosen]), 1 / 3)
    n_dimensions = _effective_dimensions(centred)
    n_series = len(centred) * n_dimensions
    error = max(shortest, 1.0) * np.sqrt(2 * edge / n_series)
    excess = (time[chosen:] - shortest) / error[chosen:]
    if excess.max() > 1:
        chosen += int(excess.argmax())
    values = covariance[: chosen + 1] + max(total[chosen], 0.0) / n
    growth = float(time[n // 4]) / max(float(time[n // 8]), 1.0)
    max_growth = max(_MAX_GROWTH, 1 + _GROWTH_ERRORS / math.sqrt(n_series))
    # What short-range correlation alone allows; the window is a short one, since a step makes a long one longer.
    short_range = np.flatnonzero(window >= _SHORT_WINDOW_FACTOR * time)
    short_total = float(total[short_range[0] if len(short_range) else -1])
    max_change = float(stats.chi2.ppf(_CHANGE_LEVEL, n_dimensions)) / n_dimensions * max(short_total, float(values[0]))
    drifts = growth > max_growth or any(_largest_change(series) > max_change for series in centred)
    chosen_time = max(float(time[chosen]), shortest)
    white_error = math.sqrt(2 * edge[chosen] / n_series) / (1 - edge[chosen])
    too_short = shortest_n < MIN_INDEPENDENT * chosen_time and chosen_time > 1 + 2 * white_error
    return Autocorrelation(shortest_n, values / values[0], chosen_time, too_short=bool(too_short), drifts=drifts)


def drift_p_value(recordings: Sequence[Vectors], autocorrelation: Autocorrelation) -> float:
    """Return the p-value of the hypothesis that recordings differ no more than each differs from itself over time.

    Parameters
    ----------
    recordings : sequence of ndarray of float32 or float64, shape (n, dim)
        The vectors of at least two recordings, in order of time; only their direction counts.
    autocorrelation : Autocorrelation
        Of these recordings.

    Returns
    -------
    float
        NaN if a recording has fewer than `MIN_BLOCKS` snippets.

    Notes
    -----
    The squared distance between the mean vectors of two recordings (for several recordings, its mean over pairs) is
    divided by what the differences between the mean vectors of their thirds predict for it, which is multiplied by
    `Autocorrelation.inflation` because neighbouring thirds are alike. The ratio is referred to the F distribution with
    d and at most 4 d degrees of freedom (Satterthwaite 1946), where d is the effective number of dimensions in which
    thirds differ, but at most two: what drifts slower than can be estimated may do so in few dimensions. Where
    recordings drift or are too short (see `Autocorrelation`), halves replace thirds and d is 1.
    """
    coarse = autocorrelation.drifts or autocorrelation.too_short
    n_parts, most_dimensions = (2, 1.0) if coarse else (3, 2.0)
    if min(map(len, recordings)) < MIN_BLOCKS:
        return math.nan
    means, contrasts = [], []
    for vectors in recordings:
        unit = unit_vectors(vectors)
        bounds = np.arange(n_parts) * len(unit) // n_parts
        parts = np.add.reduceat(unit, bounds, axis=0) / np.diff([*bounds, len(unit)])[:, None]
        means.append(parts.mean(axis=0))
        contrasts.append(_CONTRASTS[n_parts] @ parts)
    spread = np.array(means) - np.mean(means, axis=0)
    between = float(np.square(spread).sum()) / (len(means) - 1)
    within = np.square(contrasts).sum(axis=(1, 2)) / (n_parts - 1)
    if between <= 1e-20:  # noqa: PLR2004
        return 1.0
    if within.mean() <= 1e-20:  # noqa: PLR2004
        return 0.0
    n_dimensions = min(most_dimensions, _contrast_dimensions(np.array(contrasts)))
    df = min(2.0, within.sum() ** 2 / np.square(within).sum()) * (n_parts - 1) * n_dimensions
    ratio = between * n_parts / (within.mean() * autocorrelation.inflation(n_parts))
    return float(stats.f.sf(ratio, n_dimensions, df))


def _contrast_dimensions(contrasts: NDArray[np.float64]) -> float:
    """Return the effective number of dimensions of contrasts ``(recordings, contrasts, dim)``, at least 1.

    The squared cosine of two independent vectors is one over it on average; contrasts of one recording are compared.
    """
    if contrasts.shape[1] < 2:  # noqa: PLR2004
        return 1.0
    first, second = contrasts[:, 0], contrasts[:, 1]
    aligned = float(np.square((first * second).sum(axis=1)).sum())
    total = float((np.square(first).sum(axis=1) * np.square(second).sum(axis=1)).sum())
    return max(1.0, total / max(aligned, 1e-300))


def _largest_change(centred: NDArray[np.float64]) -> float:
    """Return max over t of t (n − t) / n · |mean of the first t snippets − mean of the others|², t from n/10 to 9n/10.

    Without a change it is about the integrated time times the variance of a snippet.
    """
    n = len(centred)
    t = np.arange(max(1, n // 10), n - n // 10)
    sums = np.cumsum(centred, axis=0)[t - 1]
    return float((np.square(sums).sum(axis=1) * n / (t * (n - t))).max()) if len(t) else 0.0


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
