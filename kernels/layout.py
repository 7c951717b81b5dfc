"""What is to be counted, in the order in which the kernels walk through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CellLayout(NamedTuple):
    """Cells sorted by X, then B; positions sorted by component, then group.

    A component is a set of groups that no cell ties to another: a value of BY. A position is a place in `rows`. The own
    lists of x are its distances to the sets A that it is compared with, one for each pair (X, A).

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        The row of each position.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g stands at the positions ``bounds[g]`` to ``bounds[g + 1]``.
    group_of : ndarray of int64, shape (m,)
    components : ndarray of int64, shape (components + 1,)
        Bounds of the components, in positions.
    cells_of : ndarray of int64, shape (groups + 1,)
        The cells with X = g are ``cells_of[g]`` to ``cells_of[g + 1]``.
    cell_key, cell_b, cell_pair, cell_id : ndarray of int64, shape (cells,)
        X · groups + B, sorted; group B, pair (X, A), and place in the caller's order.
    pairs_of : ndarray of int64, shape (groups + 1,)
        As `cells_of`, for the pairs.
    pair_key, pair_x, pair_a : ndarray of int64, shape (pairs,)
        X · groups + A, sorted; group X, group A.
    width : ndarray of int64, shape (groups,)
        Numbers in the own lists of one x of a group, an end mark for each list included.
    """

    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    group_of: NDArray[np.int64]
    components: NDArray[np.int64]
    cells_of: NDArray[np.int64]
    cell_key: NDArray[np.int64]
    cell_b: NDArray[np.int64]
    cell_pair: NDArray[np.int64]
    cell_id: NDArray[np.int64]
    pairs_of: NDArray[np.int64]
    pair_key: NDArray[np.int64]
    pair_x: NDArray[np.int64]
    pair_a: NDArray[np.int64]
    width: NDArray[np.int64]


def make_layout(
    rows: NDArray[np.int64], bounds: NDArray[np.int64], cells: NDArray[np.int64]
) -> tuple[CellLayout, NDArray[np.int64]]:
    """Sort groups so that what belongs together lies together.

    Within a component, groups with narrow own lists come first: those are the ones to keep in memory.

    Parameters
    ----------
    rows, bounds, cells
        See `abx_counts`.

    Returns
    -------
    Plan
    order : ndarray of int64, shape (m,)
        The place in the caller's `rows` of each position.
    """
    n_groups = len(bounds) - 1
    sizes = np.diff(bounds)
    used = np.zeros(n_groups, bool)
    used[cells.reshape(-1)] = True
    width = np.zeros(n_groups, np.int64)
    pairs = _unique_pairs(cells[:, 2], cells[:, 0], n_groups)
    np.add.at(width, pairs[:, 0], sizes[pairs[:, 1]] + 1)
    component = _components(n_groups, cells)
    by_place = np.lexsort((width, component))
    by_place = by_place[used[by_place] & (sizes[by_place] > 0)]
    place = np.full(n_groups, -1, np.int64)
    place[by_place] = np.arange(len(by_place))

    sizes, width = sizes[by_place], width[by_place]
    new_bounds = np.concatenate(([0], np.cumsum(sizes)))
    order = np.repeat(bounds[by_place] - new_bounds[:-1], sizes) + np.arange(new_bounds[-1])
    moved = place[cells]
    cell_id = np.flatnonzero((moved >= 0).all(axis=1))  # an empty group makes no triplet
    a, b, x = moved[cell_id].T
    position = np.lexsort((a, b, x))
    a, b, x, cell_id = a[position], b[position], x[position], cell_id[position]
    pairs = _unique_pairs(x, a, max(len(sizes), 1))
    keys = pairs[:, 0] * max(len(sizes), 1) + pairs[:, 1]
    starts = np.flatnonzero(np.diff(component[by_place], prepend=-1))
    edges = np.arange(len(sizes) + 1)
    return CellLayout(
        rows=rows[order],
        bounds=new_bounds,
        group_of=np.repeat(np.arange(len(sizes)), sizes),
        components=np.append(new_bounds[starts], new_bounds[-1]),
        cells_of=np.searchsorted(x, edges),
        cell_key=x * len(sizes) + b,
        cell_b=b,
        cell_pair=np.searchsorted(keys, x * max(len(sizes), 1) + a),
        cell_id=cell_id,
        pairs_of=np.searchsorted(pairs[:, 0], edges),
        pair_key=keys,
        pair_x=np.ascontiguousarray(pairs[:, 0]),
        pair_a=np.ascontiguousarray(pairs[:, 1]),
        width=width,
    ), order


def has_cells(plan: CellLayout, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Tell whether a cell has its X among the positions i0 to i1 and its B among j0 to j1."""
    return _meet(plan, plan.cell_key, i0, i1, j0, j1)


def has_pairs(plan: CellLayout, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Tell whether a pair (X, A) has its X among the positions i0 to i1 and its A among j0 to j1."""
    return _meet(plan, plan.pair_key, i0, i1, j0, j1)


def longest_list(plan: CellLayout) -> int:
    """Give the size of the largest set A."""
    return int(np.diff(plan.bounds)[plan.pair_a].max())


def most_cells(plan: CellLayout) -> int:
    """Give in how many cells, with different A, the same x and b meet, at most."""
    starts = np.flatnonzero(np.diff(plan.cell_key, prepend=-1))
    return int(np.diff(starts, append=len(plan.cell_key)).max())


def _meet(plan: CellLayout, keys: NDArray[np.int64], i0: int, i1: int, j0: int, j1: int) -> bool:
    x = np.arange(plan.group_of[i0], plan.group_of[i1 - 1] + 1) * len(plan.width)
    low = np.searchsorted(keys, x + plan.group_of[j0])
    high = np.searchsorted(keys, x + plan.group_of[j1 - 1], side="right")
    return bool((high > low).any())


def _unique_pairs(first: NDArray[np.int64], second: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    keys = np.unique(first * n + second)
    return np.stack((keys // n, keys % n), axis=1)


def _components(n_groups: int, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each group the lowest group that cells tie it to."""
    lowest = np.arange(n_groups)
    ties = np.concatenate((cells[:, [0, 2]], cells[:, [1, 2]]))
    while True:
        before = lowest.copy()
        least = lowest[ties].min(axis=1)
        for side in range(2):
            np.minimum.at(lowest, before[ties[:, side]], least)
            np.minimum.at(lowest, ties[:, side], least)
        while (lowest[lowest] != lowest).any():
            lowest = lowest[lowest]
        if (lowest == before).all():
            return lowest
