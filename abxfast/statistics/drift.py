"""Whether two recordings differ by more than each differs from itself over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abxfast.kernels import unit_vectors
from abxfast.statistics.autocorrelation import MIN_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abxfast.statistics.autocorrelation import Autocorrelation, Vectors

_CONTRASTS = {
    2: np.array([[1.0, -1.0]]) / math.sqrt(2),
    3: np.array([[1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]) / np.sqrt([[2.0], [6.0]]),
}
"""Orthonormal contrasts of two and of three parts."""


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
