"""Exact ABX counts by rank: for each x, its distances to A are sorted once and every b is looked up among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from abxfast.kernels.cosine import TIE, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One place for the options: fastmath stays off, since it may reorder the comparisons that ties rest on.
_JIT = {"cache": True, "nogil": True}


def abx_counts(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    *,
    memory_mb: float = 512,
) -> NDArray[np.int64]:
    """Count the triplets of every cell, wins twice and ties once.

    A triplet (a, b, x) is won where d(a, x) < d(b, x), d being 1 − cos in float64; distances that differ by at most
    `TIE` are a tie. Where A and X are one group, a is never x.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        Finite.
    rows : ndarray of int64, shape (m,)
        Rows of `embeddings`, group by group.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    cells : ndarray of int64, shape (cells, 3)
        The groups A, B and X of each cell.
    memory_mb : float
        Bound on the distances held at a time.

    Returns
    -------
    ndarray of int64, shape (cells,)
        2 · wins + ties.

    Notes
    -----
    With n_A own distances sorted, the number of a for which d(a, x) < d(b, x) is the rank of d(b, x) among them, as in
    the Mann–Whitney statistic: O((n_A + n_B) log n_A) for each x in place of O(n_A · n_B). Ties count one half, so
    2 · wins + ties is the sum of two ranks, one with the tie band below and one with it above.
    """
    counts = np.zeros(len(cells), np.int64)
    order = np.lexsort((cells[:, 1], cells[:, 0], cells[:, 2]))
    ordered = cells[order]
    first = 0
    while first < len(ordered):
        x_group = ordered[first, 2]
        last = int(np.searchsorted(ordered[:, 2], x_group, side="right"))
        cells_of_x = ordered[first:last]
        needed, local = np.unique(cells_of_x[:, :2], return_inverse=True)
        local = local.reshape(-1, 2)
        members = [rows[bounds[g] : bounds[g + 1]] for g in needed]
        starts = np.concatenate(([0], np.cumsum([len(group) for group in members])))
        others = unit_vectors(embeddings[np.concatenate(members)])
        x_rows = rows[bounds[x_group] : bounds[x_group + 1]]
        tile = max(1, int(memory_mb * 1e6 / 8 / max(1, len(others))))
        own = int(np.searchsorted(needed, x_group))
        x_start = int(starts[own]) if own < len(needed) and needed[own] == x_group else -1
        totals = np.zeros(len(cells_of_x), np.int64)
        for start in range(0, len(x_rows), tile):
            distances = 1.0 - unit_vectors(embeddings[x_rows[start : start + tile]]) @ others.T
            totals += _count(distances, -1 if x_start < 0 else x_start + start, starts, local).sum(axis=0)
        counts[order[first:last]] = totals
        first = last
    return counts


@njit(parallel=True, **_JIT)
def _count(distances, own, starts, cells):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count for each x (row) and cell; column ``own + row`` is x itself where it is among the columns."""
    n_x, n_cells = distances.shape[0], cells.shape[0]
    out = np.zeros((n_x, n_cells), np.int64)
    for i in prange(n_x):
        row = distances[i]
        previous = -1
        near = row[:0]
        for c in range(n_cells):
            a, b = cells[c, 0], cells[c, 1]
            if a != previous:
                near = _sorted_own(row, starts[a], starts[a + 1], -1 if own < 0 else own + i)
                previous = a
            total = 0
            for j in range(starts[b], starts[b + 1]):
                total += _rank(near, row[j], True) + _rank(near, row[j], False)
            out[i, c] = total
    return out


@njit(**_JIT)
def _sorted_own(row, start, stop, own):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sort the distances of x to A, itself left out."""
    if start <= own < stop:
        near = np.empty(stop - start - 1)
        near[: own - start] = row[start:own]
        near[own - start :] = row[own + 1 : stop]
    else:
        near = row[start:stop].copy()
    near.sort()
    return near


@njit(**_JIT)
def _rank(near, distance, strict):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the own distances that lie below `distance` by more than a tie, or (not strict) not above it by more."""
    low, high = 0, len(near)
    while low < high:
        middle = (low + high) // 2
        gap = distance - near[middle]
        if (gap > TIE) if strict else (gap >= -TIE):
            low = middle + 1
        else:
            high = middle
    return low
