"""Multiple testing: adjusted p-values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from numpy.typing import NDArray


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values to control the family-wise error rate under any dependence (Holm 1979).

    Parameters
    ----------
    p : ndarray of float64, shape (m,)
        NaN where nothing was tested; it stays NaN and does not count as a test.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    scaled = np.arange(len(order), 0, -1) * p[order]
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values to control the false discovery rate (Benjamini and Hochberg 1995).

    Parameters
    ----------
    p : ndarray of float64, shape (m,)
        NaN where nothing was tested; it stays NaN and does not count as a test.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    tested = np.isfinite(p)
    adjusted = np.full(len(p), np.nan)
    adjusted[tested] = stats.false_discovery_control(p[tested])
    return adjusted
