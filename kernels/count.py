"""Counting a tile: each b is looked up in the own list of each x."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import above, add_shared, at_least, compiled
from abxfast.kernels.lists import BUCKETS, SHORT, bucket_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 256
_SCAN = 8


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
    place, n_open = np.empty(_BLOCK, np.int32), np.zeros(1, np.int64)
    steps, of_b = np.zeros(longest + 1, np.int64), np.zeros(j1 - j0, np.int64)
    of_a = np.zeros(longest, np.int64)
    start = i0
    while start < i1:
        x = plan.group_of[start]
        stop = min(plan.bounds[x + 1], i1)
        cell = at_least(plan.cell_b, plan.cells_of[x], plan.cells_of[x + 1], plan.group_of[j0])
        while cell < plan.cells_of[x + 1] and plan.cell_b[cell] <= plan.group_of[j1 - 1]:
            b = plan.cell_b[cell]
            b0, b1 = max(plan.bounds[b], j0), min(plan.bounds[b + 1], j1)
            a = plan.pair_a[plan.cell_pair[cell]]
            n_a = plan.bounds[a + 1] - plan.bounds[a]
            p = plan.cell_pair[cell] - lists.first_pair
            target, total = plan.cell_id[cell], 0
            for i in range(start, stop):
                row = i - max(plan.bounds[x], lists.origin)
                at = lists.near_at[p] + row * (n_a + 1)
                near = lists.near[at : at + n_a + 1]
                live = lists.live[lists.live_at[p] + row]
                if n_a >= SHORT:
                    at = lists.table_at[p] + row * (BUCKETS * n_a + 1)
                    table = lists.table[at : at + BUCKETS * n_a + 1]
                else:
                    table = lists.table[:0]
                own = _count_row(
                    cosines[i - i0, b0 - j0 : b1 - j0], near, live, table, edge, place,
                    sink.marginals, steps, of_b, open_, n_open, i, b0, cell,
                )  # fmt: skip
                total += own
                if sink.marginals:
                    add_shared(sink.as_x, sink.x_at[target] + sink.slots[i], own)  # type: ignore[call-arg]
                    at = lists.near_at[p] + row * (n_a + 1)
                    running = 0
                    for k in range(live - 1, -1, -1):
                        running += steps[k + 1]
                        steps[k + 1] = 0
                        of_a[lists.perm[at + k]] += running
                    steps[0] = 0
            add_shared(sink.cells, target, total)  # type: ignore[call-arg]
            if sink.marginals:
                for k in range(n_a):
                    add_shared(sink.as_a, sink.a_at[target] + sink.slots[plan.bounds[a] + k], of_a[k])
                    of_a[k] = 0
                for k in range(b1 - b0):
                    add_shared(sink.as_b, sink.b_at[target] + sink.slots[b0 + k], of_b[k])
                    of_b[k] = 0
            cell += 1
        start = stop
    return n_open[0]


@compiled
def _count_row(cosines, near, live, table, edge, place, marginals, steps, of_b, open_, n_open, i, b0, cell):  # type: ignore[no-untyped-def]
    """Count one x against the b of one cell; `edge` is what two products can be wrong by together."""
    if live == 0:
        return 0
    total, n_buckets = 0, len(table) - 1
    scale = bucket_scale(near, live, n_buckets)
    below = TIE + edge
    for begin in range(0, len(cosines), _BLOCK):
        size = min(_BLOCK, len(cosines) - begin)
        if n_buckets > 0:
            for k in range(size):
                slot = (-cosines[begin + k] - below - near[0]) * scale
                place[k] = np.int32(min(max(slot, 0.0), n_buckets - 1.0))
        for k in range(size):
            value = -cosines[begin + k]
            low = 0
            if n_buckets > 0:
                low, high = np.int64(table[place[k]]), np.int64(table[place[k] + 1])  # type: ignore[assignment]
                if high - low > _SCAN:
                    low = at_least(near, low, high, value - below)
            while near[low] < value - below:
                low += 1
            high = low  # type: ignore[assignment]
            if near[low] <= value + below:
                high, clear = _ties(near, low, live, value, edge)
                if not clear:
                    open_[n_open[0], 0] = i
                    open_[n_open[0], 1] = b0 + begin + k
                    open_[n_open[0], 2] = cell
                    n_open[0] += 1
                    continue
            total += low + high  # type: ignore[assignment]
            if marginals:
                of_b[begin + k] += low + high
                steps[low] += 1
                steps[high] += 1
    return total


@compiled
def _ties(near, low, live, value, edge):  # type: ignore[no-untyped-def]
    """Give the end of the ties that start at `low`, and whether the error bound leaves none of them open."""
    high = above(near, low, live, value + TIE + edge)
    sure_from = above(near, low, live, value - TIE + edge)
    sure_to = at_least(near, low, live, value + TIE - edge)
    return high, sure_from <= low and sure_to >= high
