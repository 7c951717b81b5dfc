"""Counting a tile: each b is looked up in the own list of each x."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import above, add_shared, at_least, compiled
from abxfast.kernels.lists import bucket_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 256


class Sink(NamedTuple):
    """Where counts go, 2 · wins + ties each; several threads add to them.

    Attributes
    ----------
    cells : ndarray of int64, shape (cells,)
    as_x, as_a, as_b : ndarray of int64
        Marginals, cell after cell, slot after slot; empty unless asked for.
    x_at, a_at, b_at : ndarray of int64, shape (cells + 1,)
        Where the slots of each cell start.
    slots : ndarray of int64, shape (m,)
        The slot of each position within its group.
    marginals : bool
    """

    cells: NDArray[np.int64]
    as_x: NDArray[np.int64]
    as_a: NDArray[np.int64]
    as_b: NDArray[np.int64]
    x_at: NDArray[np.int64]
    a_at: NDArray[np.int64]
    b_at: NDArray[np.int64]
    slots: NDArray[np.int64]
    marginals: bool


@compiled
def count_tile(cosines, i0, i1, j0, j1, plan, lists, edge, sink, open_):  # type: ignore[no-untyped-def]
    """Count the triplets whose x is a row of the tile and whose b is a column.

    Returns how many pairs (x, b) the error bound leaves open; they stand in `open_` as (x, b, cell), uncounted.
    """
    longest = 1
    for x in range(plan.group_of[i0], plan.group_of[i1 - 1] + 1):
        longest = max(longest, plan.width[x])
    lows, n_open = np.empty(_BLOCK, np.uint32), 0
    steps, of_b = np.zeros(longest + 1, np.int64), np.zeros(j1 - j0, np.int64)
    of_a = np.zeros(longest, np.int64)
    start = i0
    while start < i1:
        x = plan.group_of[start]
        stop = min(plan.bounds[x + 1], i1)
        cell = at_least(plan.cell_b, plan.cells_of[x], plan.cells_of[x + 1], plan.group_of[j0])
        while cell < plan.cells_of[x + 1] and plan.cell_b[cell] <= plan.group_of[j1 - 1]:
            n_open = _count_cell(
                cosines, i0, j0, start, stop, cell, plan, lists, edge, sink, open_, n_open, lows, steps, of_a, of_b
            )
            cell += 1
        start = stop
    return n_open


@compiled
def _count_cell(cosines, i0, j0, start, stop, cell, plan, lists, edge, sink, open_, n_open, lows, steps, of_a, of_b):  # type: ignore[no-untyped-def]
    """Count the x from `start` to `stop` against the b of one cell that are columns of the tile.

    No array is sliced in here: a slice counts a reference, and two threads that count on one array wait for each other.
    """
    x, b, target = plan.group_of[start], plan.cell_b[cell], plan.cell_id[cell]
    b0, b1 = max(plan.bounds[b], j0), min(plan.bounds[b + 1], j0 + cosines.shape[1])
    a, p = plan.pair_a[plan.cell_pair[cell]], plan.cell_pair[cell] - lists.first_pair
    n_a = plan.bounds[a + 1] - plan.bounds[a]
    n_buckets, near, below, total = lists.buckets[p], lists.near, TIE + edge, 0
    for i in range(start, stop):
        row = i - max(plan.bounds[x], lists.origin)
        live = lists.live[lists.live_at[p] + row]
        if live == 0:
            continue
        at = lists.near_at[p] + row * (n_a + 1)
        table_at = lists.table_at[p] + row * (n_buckets + 1)
        own = 0
        for begin in range(b0, b1, _BLOCK):
            size = min(_BLOCK, b1 - begin)
            if n_buckets > 0:
                twice, tied = _look_up(
                    cosines, i - i0, begin - j0, size, near, at, live, lists.table, table_at, n_buckets, below, lows
                )
            else:
                twice, tied = _scan(cosines, i - i0, begin - j0, size, near, at, below, lows)
            if not (tied or sink.marginals):
                own += twice
                continue
            more, n_open = _heed_ties(
                cosines, i - i0, begin - j0, size, near, at, live, lows, edge, sink.marginals, steps, of_b,
                open_, n_open, i, begin, cell,
            )  # fmt: skip
            own += more
        total += own
        if sink.marginals:
            add_shared(sink.as_x, sink.x_at[target] + sink.slots[i], own)  # type: ignore[call-arg]
            _hand_out(steps, of_a, lists.perm, at, live)
    add_shared(sink.cells, target, total)  # type: ignore[call-arg]
    if sink.marginals:
        for k in range(n_a):
            add_shared(sink.as_a, sink.a_at[target] + sink.slots[plan.bounds[a] + k], of_a[k])
            of_a[k] = 0
        for k in range(b0 - j0, b1 - j0):
            add_shared(sink.as_b, sink.b_at[target] + sink.slots[j0 + k], of_b[k])
            of_b[k] = 0
    return n_open


@compiled
def _look_up(cosines, row, column, size, near, at, live, table, table_at, n_buckets, below, lows):  # type: ignore[no-untyped-def]
    """Find how many of the list are surely nearer than each b; give twice their sum, and whether any b may tie.

    A bucket seldom holds more than two numbers: two steps are taken without a branch, which the processor could not
    guess. Indices are unsigned so that numba does not look for negative ones.
    """
    first, last = near[at], n_buckets - 1.0
    scale = bucket_scale(near, at, live, n_buckets)
    for k in range(size):
        slot = (-cosines[row, column + k] - below - first) * scale
        slot = slot if slot > 0.0 else 0.0  # noqa: FURB136 - max() and min() of numba heed NaN, and so are slow
        lows[k] = np.int32(slot if slot < last else last)  # noqa: FURB136
    start, of_table, one = np.uint64(at), np.uint64(table_at), np.uint64(1)
    total, tied = np.uint64(0), np.uint64(0)
    for k in range(size):
        value = -cosines[row, column + k]
        edge, bucket = value - below, of_table + np.uint64(lows[k])
        low = start + np.uint64(table[bucket])
        low += np.uint64(near[low] < edge)
        low += np.uint64(near[low] < edge)
        if near[low] < edge:
            low = np.uint64(at_least(near, np.int64(low), at + np.int64(table[bucket + one]), edge))
        tied += np.uint64(near[low] <= value + below)
        low -= start
        total += low
        lows[k] = low
    return np.int64(total + total), tied > np.uint64(0)


@compiled
def _scan(cosines, row, column, size, near, at, below, lows):  # type: ignore[no-untyped-def]
    """As `_look_up`, for lists without a table."""
    start, one = np.uint64(at), np.uint64(1)
    total, tied = np.uint64(0), np.uint64(0)
    for k in range(size):
        value = -cosines[row, column + k]
        low = start
        while near[low] < value - below:
            low += one
        tied += np.uint64(near[low] <= value + below)
        low -= start
        total += low
        lows[k] = low
    return np.int64(total + total), tied > np.uint64(0)


@compiled
def _heed_ties(  # type: ignore[no-untyped-def]
    cosines, row, column, size, near, at, live, lows, edge, marginals, steps, of_b, open_, n_open, i, b, cell
):
    """Count what `_look_up` has found, ties too; write down for the marginals where each b stands.

    `steps` counts the b at each place of the list, twice, or once before and once behind the ties.
    """
    total = 0
    for k in range(size):
        value = -cosines[row, column + k]
        low = high = np.int64(lows[k])
        if near[at + low] <= value + TIE + edge:
            high, clear = _ties(near, at, low, live, value, edge)
            if not clear:
                open_[n_open, 0] = i
                open_[n_open, 1] = b + k
                open_[n_open, 2] = cell
                n_open += 1
                continue
        total += low + high  # type: ignore[assignment]
        if marginals:
            of_b[column + k] += low + high
            steps[low] += 1
            steps[high] += 1
    return total, n_open


@compiled
def _hand_out(steps, of_a, perm, at, live):  # type: ignore[no-untyped-def]
    """Give each a the b that stand behind it, and empty `steps`."""
    running = 0
    for k in range(live - 1, -1, -1):
        running += steps[k + 1]
        steps[k + 1] = 0
        of_a[perm[at + k]] += running
    steps[0] = 0


@compiled
def _ties(near, at, low, live, value, edge):  # type: ignore[no-untyped-def]
    """Give the end of the ties that start at `low`, and whether the error bound leaves none of them open."""
    high = above(near, at + low, at + live, value + TIE + edge) - at
    sure_from = above(near, at + low, at + live, value - TIE + edge) - at
    sure_to = at_least(near, at + low, at + live, value + TIE - edge) - at
    return high, sure_from <= low and sure_to >= high
