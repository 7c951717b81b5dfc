"""The order in which groups, pairs and cells are processed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CellLayout(NamedTuple):
    """Groups sorted by component, and cells sorted by X, then B.

    A *component* is a set of groups that no cell connects to another one, such as a value of BY. A *position* is an
    index into `rows`. A *pair* (X, A) of groups occurs in at least one cell; each x has a list of its distances to A
    for every pair of its group.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        The row of each position.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g has the positions ``bounds[g]`` to ``bounds[g + 1]``.
    group_of : ndarray of int64, shape (m,)
        The group of each position.
    components : ndarray of int64, shape (components + 1,)
        Component c has the positions ``components[c]`` to ``components[c + 1]``.
    cell_offsets : ndarray of int64, shape (groups + 1,)
        The cells with X = g are ``cell_offsets[g]`` to ``cell_offsets[g + 1]``.
    cell_xb : ndarray of int64, shape (cells,)
        X · groups + B, sorted.
    cell_b, cell_pair : ndarray of int64, shape (cells,)
        The group B and the pair (X, A).
    cell_id : ndarray of int64, shape (cells,)
        The index in the caller's order.
    pair_offsets : ndarray of int64, shape (groups + 1,)
        The pairs with X = g are ``pair_offsets[g]`` to ``pair_offsets[g + 1]``.
    pair_xa : ndarray of int64, shape (pairs,)
        X · groups + A, sorted.
    pair_x, pair_a : ndarray of int64, shape (pairs,)
        The groups X and A.
    list_size : ndarray of int64, shape (groups,)
        Total length of the distance lists of one x, including an end mark for each.
    """

    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    group_of: NDArray[np.int64]
    components: NDArray[np.int64]
    cell_offsets: NDArray[np.int64]
    cell_xb: NDArray[np.int64]
    cell_b: NDArray[np.int64]
    cell_pair: NDArray[np.int64]
    cell_id: NDArray[np.int64]
    pair_offsets: NDArray[np.int64]
    pair_xa: NDArray[np.int64]
    pair_x: NDArray[np.int64]
    pair_a: NDArray[np.int64]
    list_size: NDArray[np.int64]


def make_layout(
    rows: NDArray[np.int64], bounds: NDArray[np.int64], cells: NDArray[np.int64]
) -> tuple[CellLayout, NDArray[np.int64]]:
    """Sort groups so that those compared with each other are adjacent.

    Within a component, groups with short distance lists come first: those are the lists to keep in memory. Empty
    groups, groups without cells, and cells of an empty group are dropped.

    Parameters
    ----------
    rows, bounds, cells
        See `abx_counts`.

    Returns
    -------
    CellLayout
    order : ndarray of int64, shape (m,)
        The index of each position in the caller's `rows`.
    """
    n_all = len(bounds) - 1
    sizes = np.diff(bounds)
    is_used = np.zeros(n_all, bool)
    is_used[cells.reshape(-1)] = True
    list_size = np.zeros(n_all, np.int64)
    pairs = _unique_pairs(cells[:, 2], cells[:, 0], n_all)
    np.add.at(list_size, pairs[:, 0], sizes[pairs[:, 1]] + 1)
    component = _components(n_all, cells)
    groups = np.lexsort((list_size, component))
    groups = groups[is_used[groups] & (sizes[groups] > 0)]
    new_group = np.full(n_all, -1, np.int64)
    new_group[groups] = np.arange(len(groups))

    n_groups, sizes = len(groups), sizes[groups]
    new_bounds = np.concatenate(([0], np.cumsum(sizes)))
    order = np.repeat(bounds[groups] - new_bounds[:-1], sizes) + np.arange(new_bounds[-1])
    a, b, x, cell_id = _sorted_cells(new_group[cells])
    pairs = _unique_pairs(x, a, max(n_groups, 1))
    pair_xa = pairs[:, 0] * n_groups + pairs[:, 1]
    starts = np.flatnonzero(np.diff(component[groups], prepend=-1))
    return CellLayout(
        rows=rows[order],
        bounds=new_bounds,
        group_of=np.repeat(np.arange(n_groups), sizes),
        components=np.append(new_bounds[starts], new_bounds[-1]),
        cell_offsets=np.searchsorted(x, np.arange(n_groups + 1)),
        cell_xb=x * n_groups + b,
        cell_b=b,
        cell_pair=np.searchsorted(pair_xa, x * n_groups + a),
        cell_id=cell_id,
        pair_offsets=np.searchsorted(pairs[:, 0], np.arange(n_groups + 1)),
        pair_xa=pair_xa,
        pair_x=np.ascontiguousarray(pairs[:, 0]),
        pair_a=np.ascontiguousarray(pairs[:, 1]),
        list_size=list_size[groups],
    ), order


def has_cells(layout: CellLayout, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Return whether any cell has its X within the positions i0 to i1 and its B within j0 to j1."""
    return _any_between(layout, layout.cell_xb, i0, i1, j0, j1)


def has_pairs(layout: CellLayout, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Return whether any pair (X, A) has its X within the positions i0 to i1 and its A within j0 to j1."""
    return _any_between(layout, layout.pair_xa, i0, i1, j0, j1)


def max_list_length(layout: CellLayout) -> int:
    """Return the size of the largest set A."""
    return int(np.diff(layout.bounds)[layout.pair_a].max())


def max_cells_per_xb(layout: CellLayout) -> int:
    """Return the largest number of cells that share X and B and differ in A."""
    starts = np.flatnonzero(np.diff(layout.cell_xb, prepend=-1))
    return int(np.diff(starts, append=len(layout.cell_xb)).max())


def _any_between(layout: CellLayout, codes: NDArray[np.int64], i0: int, i1: int, j0: int, j1: int) -> bool:
    """Return whether any of the sorted codes, X · groups + other, has both its groups within the given positions."""
    first_codes = np.arange(layout.group_of[i0], layout.group_of[i1 - 1] + 1) * len(layout.list_size)
    low = np.searchsorted(codes, first_codes + layout.group_of[j0])
    high = np.searchsorted(codes, first_codes + layout.group_of[j1 - 1], side="right")
    return bool((high > low).any())


def _sorted_cells(cells: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return A, B, X and index of the cells without an empty group (−1), sorted by X, B, A."""
    cell_id = np.flatnonzero((cells >= 0).all(axis=1))
    a, b, x = cells[cell_id].T
    order = np.lexsort((a, b, x))
    return a[order], b[order], x[order], cell_id[order]


def _unique_pairs(first: NDArray[np.int64], second: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the distinct pairs of numbers below `n`, sorted, of shape (pairs, 2)."""
    codes = np.unique(first * n + second)
    return np.stack((codes // n, codes % n), axis=1)


def _components(n_groups: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each group, the lowest group of its connected component."""
    lowest = np.arange(n_groups)
    edges = np.concatenate((cells[:, [0, 2]], cells[:, [1, 2]]))
    while True:
        before = lowest.copy()
        edge_lowest = lowest[edges].min(axis=1)
        for side in range(2):
            np.minimum.at(lowest, before[edges[:, side]], edge_lowest)
            np.minimum.at(lowest, edges[:, side], edge_lowest)
        while (lowest[lowest] != lowest).any():
            lowest = lowest[lowest]
        if (lowest == before).all():
            return lowest
