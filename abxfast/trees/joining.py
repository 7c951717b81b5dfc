"""Neighbour joining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.trees.tree import Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DECIMALS = 9
"""The criterion is rounded, so that the order of summation cannot decide between equal pairs."""
_LAST = 3
"""Nodes that the root joins."""


def neighbour_joining(distance: NDArray[np.float64]) -> Tree:
    """Return the unrooted tree of neighbour joining (Saitou & Nei 1987, in the form of Studier & Keppler 1988).

    Distances that a tree can represent exactly are the distances along the tree that is returned. Of pairs that are
    equally close, the first is joined. A branch that would have a negative length gets length 0, and its neighbour the
    difference (Kuhner & Felsenstein 1994).

    Parameters
    ----------
    distance : ndarray of float64, shape (n, n)
        Symmetric, zero on the diagonal, finite; n is at least 3.

    Returns
    -------
    Tree
        Its root joins the last three nodes.
    """
    count = len(distance)
    between = np.array(distance, np.float64)
    nodes = list(range(count))
    length = np.zeros(2 * count - 2)
    children: list[tuple[int, ...]] = []
    while len(nodes) > _LAST:
        i, j = _closest(between)
        total = between.sum(axis=1)
        excess = (total[i] - total[j]) / (len(nodes) - 2)
        length[nodes[i]], length[nodes[j]] = _nonnegative((between[i, j] + excess) / 2, (between[i, j] - excess) / 2)
        to_new = (between[i] + between[j] - between[i, j]) / 2
        kept = [row for row in range(len(nodes)) if row not in (i, j)]
        joined = np.zeros((len(kept) + 1,) * 2)
        joined[:-1, :-1] = between[np.ix_(kept, kept)]
        joined[-1, :-1] = joined[:-1, -1] = to_new[kept]
        children.append((nodes[i], nodes[j]))
        nodes = [*(nodes[row] for row in kept), count + len(children) - 1]
        between = joined
    for i, j, k in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        length[nodes[i]] = max(0.0, (between[i, j] + between[i, k] - between[j, k]) / 2)
    children.append(tuple(nodes))
    return Tree(count, tuple(children), length, rooted=False)


def _closest(between: NDArray[np.float64]) -> tuple[int, int]:
    """Return the pair of nodes with the lowest criterion Q, the first one in a tie."""
    total = between.sum(axis=1)
    criterion = np.round((len(between) - 2) * between - total[:, None] - total, _DECIMALS)
    criterion[np.tril_indices(len(between))] = np.inf
    i, j = np.unravel_index(int(criterion.argmin()), criterion.shape)
    return int(i), int(j)


def _nonnegative(first: float, second: float) -> tuple[float, float]:
    """Return two branch lengths of the same sum, neither below 0 unless the sum is."""
    total = max(0.0, first + second)
    first = min(max(0.0, first), total)
    return first, total - first
