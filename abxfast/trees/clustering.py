"""Hierarchical clustering by average linkage, also called UPGMA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from abxfast.trees.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECIMALS = 9
"""Distances are rounded, so that the order of summation cannot decide between equal ones."""


def average_linkage(distance: NDArray[np.float64]) -> Tree:
    """Return the rooted tree of average linkage, in which all leaves are at the same distance from the root.

    Parameters
    ----------
    distance : ndarray of float64, shape (n, n)
        Symmetric, zero on the diagonal, finite; n is at least 2.

    Returns
    -------
    Tree
        The distance between the leaves of two clusters, along the tree, is the mean of the distances between them.
    """
    count = len(distance)
    joins = linkage(squareform(np.round(distance, _DECIMALS), checks=False), "average")
    height = np.concatenate([np.zeros(count), joins[:, 2] / 2])
    length = np.zeros(2 * count - 1)
    children = []
    for number, (first, second) in enumerate(joins[:, :2].astype(int)):
        children.append((int(first), int(second)))
        for child in (first, second):
            # Rounding may put a node below its child by 1e-17.
            length[child] = max(0.0, height[count + number] - height[child])
    return Tree(count, tuple(children), length, rooted=True)
