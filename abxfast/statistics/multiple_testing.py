"""Many tests at once: adjusted p values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p values so that the chance of any false rejection is kept (Holm 1979), whatever their dependence.

    Parameters
    ----------
    p : ndarray of float64, shape (m,)
        NaN where nothing was tested; it stays and does not count.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    order, m = _order(p)
    raised = np.maximum.accumulate((m - np.arange(m)) * p[order])
    return _put(p, order, np.minimum(raised, 1.0))


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p values so that the expected share of false ones among the rejections is kept (1995).

    Parameters
    ----------
    p : ndarray of float64, shape (m,)
        NaN where nothing was tested; it stays and does not count.

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    order, m = _order(p)
    raised = m / np.arange(1, m + 1) * p[order]
    return _put(p, order, np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0))


def _order(p: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    order = np.argsort(p, kind="stable")  # NaN last
    m = int(np.isfinite(p).sum())
    return order[:m], m


def _put(p: NDArray[np.float64], order: NDArray[np.int64], adjusted: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.full(len(p), np.nan)
    out[order] = adjusted
    return out
