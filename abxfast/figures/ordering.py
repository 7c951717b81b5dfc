"""The order of rows in a matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from abxfast.trees import dissimilarity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_OPTIMAL_ORDERING = 250
"""Optimal ordering of the leaves takes cubic time; larger trees keep the order of the linkage."""


def cluster_order(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return an order in which similar rows are neighbours, by average-linkage clustering.

    Parameters
    ----------
    score : ndarray of float64, shape (n, n)
        Symmetric; NaN where a pair has none.

    Returns
    -------
    ndarray of int64, shape (n,)
        A permutation. Of the two directions of a tree, the one that has row 0 in its first half.
    """
    count = len(score)
    if count < 3:  # noqa: PLR2004
        return np.arange(count)
    # Rounded, so that the order of summation cannot decide between equal distances.
    distances = squareform(np.round(dissimilarity(score), 9), checks=False)
    tree = linkage(distances, "average", optimal_ordering=count <= _MAX_OPTIMAL_ORDERING)
    order: NDArray[np.int64] = leaves_list(tree).astype(np.int64)
    return order if np.flatnonzero(order == 0)[0] <= (count - 1) / 2 else order[::-1]
