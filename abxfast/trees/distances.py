"""Scores as dissimilarities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def dissimilarity(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each score lies above chance level, 0 to 0.5.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where a pair has none.

    Returns
    -------
    ndarray of float64, shape (n, n)
        The score less 0.5, 0 for scores below 0.5 and on the diagonal. Missing pairs get the mean of the others.
    """
    excess = np.maximum(score - 0.5, 0.0)
    known = np.isfinite(excess) & ~np.eye(len(excess), dtype=bool)
    excess = np.where(known, excess, excess[known].mean() if known.any() else 0.0)
    np.fill_diagonal(excess, 0.0)
    return excess
