"""Whether a recording changes over time: its level, or how far its snippets lie from their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANGE_LEVEL = 0.999
"""Quantile of the change of level at one of some ten independent places in a recording."""
_KPSS_LEVEL = 0.03
_MIN_DISTANCE = 1e-12
"""Squared distances from the mean below which they count as this."""


def changes_level(
    centred: NDArray[np.float64], long_run_variance: float, n_dimensions: float, relative_error: float
) -> bool:
    """Return whether the level of a recording steps or wanders by more than short-range correlation allows.

    Parameters
    ----------
    centred : ndarray of float64, shape (n, dim)
        Vectors less their mean, in order of time.
    long_run_variance : float
        The integrated time times the variance of a snippet, from short lags.
    n_dimensions : float
        Effective number of dimensions d.
    relative_error : float
        Variance of `long_run_variance` over its square.

    Notes
    -----
    Steps: without a change, the largest t (n − t) / n · |mean of the first t snippets − mean of the others|², t from
    n / 10 to 9 n / 10 (CUSUM; Csörgő and Horváth 1997), is about the long-run variance. In 1% of recordings it exceeds
    the 0.999 quantile of χ² with d degrees of freedom, over d.

    Wandering: without a change, the mean square of the cumulated vectors over n times the long-run variance
    (Kwiatkowski et al. 1992) has a mean of 1 / 6 and a variance of 1 / (45 d). It is referred to an F distribution.
    """
    n = len(centred)
    squares = np.square(np.cumsum(centred, axis=0)).sum(axis=1)
    t = np.arange(max(1, n // 10), n - n // 10)
    step = float((squares[t - 1] * n / (t * (n - t))).max()) if len(t) else 0.0
    if step > float(stats.chi2.ppf(_CHANGE_LEVEL, n_dimensions)) / n_dimensions * long_run_variance:
        return True
    wandering = 6 * float(squares.sum()) / (n**2 * long_run_variance)
    return bool(stats.f.sf(wandering, 2.5 * n_dimensions, 2 / relative_error) < _KPSS_LEVEL)


def spread_series(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of the squared distance of each snippet from the mean, centred, float64 ``(n, 1)``."""
    log = np.log(np.maximum(np.square(centred).sum(axis=1), _MIN_DISTANCE))
    centred_log: NDArray[np.float64] = (log - log.mean())[:, None]
    return centred_log
