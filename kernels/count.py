"""Counting a tile: each b is looked up in the own list of each x."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import above, add_shared, at_least, compiled, fetch
from abxfast.kernels.lists import bucket_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 256
_LINE = 64  # bytes that the processor fetches at a time
_FAR = 128  # own lists from this length on are fetched ahead,
_FARTHEST = 16  # up to as many times the b that are looked up
_SHARES = 1 << 16


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

    Returns whether the error bound leaves pairs (x, b) open. They are not counted; `open_`, uint8 of shape (rows,
    columns, cells of one x and b), is 1 there.
    """
    longest, most, any_open = 1, 1, False
    for x in range(plan.group_of[i0], plan.group_of[i1 - 1] + 1):
        longest = max(longest, plan.width[x])
        most = max(most, plan.cells_of[x + 1] - plan.cells_of[x])
    room = max(_SHARES, longest + j1 - j0) if sink.marginals else 0
    work = _Work(np.zeros(most, np.int64), np.zeros(longest + 1, np.int64), np.zeros(room, np.int64))
    lows = np.empty(_BLOCK, np.uint32)
    start = i0
    while start < i1:
        x = plan.group_of[start]
        stop = min(plan.bounds[x + 1], i1)
        cell = at_least(plan.cell_b, plan.cells_of[x], plan.cells_of[x + 1], plan.group_of[j0])
        end = above(plan.cell_b, cell, plan.cells_of[x + 1], plan.group_of[j1 - 1])
        while cell < end:
            first, taken = cell, 0
            while cell < end:
                a, b0, b1 = _sets(plan, cell, j0, j1)
                taken += plan.bounds[a + 1] - plan.bounds[a] + b1 - b0
                if cell > first and sink.marginals and taken > room:
                    break
                cell += 1
            any_open |= _count_cells(
                cosines, i0, j0, start, stop, first, cell, plan, lists, edge, sink, open_, lows, work
            )
        start = stop
    return any_open


class _Work(NamedTuple):
    """Room for sums, all zeros between two uses.

    Attributes
    ----------
    totals : ndarray of int64
        Of each cell.
    steps : ndarray of int64
        How many b stand at each place of a list, twice, or once before and once behind the a that they tie with.
    shares : ndarray of int64
        Cell after cell, what each of its a has won, then each of its b.
    """

    totals: NDArray[np.int64]
    steps: NDArray[np.int64]
    shares: NDArray[np.int64]


@compiled
def _sets(plan, cell, j0, j1):  # type: ignore[no-untyped-def]
    """Give group A of a cell, and which of its b are columns of the tile."""
    b = plan.cell_b[cell]
    return plan.pair_a[plan.cell_pair[cell]], max(plan.bounds[b], j0), min(plan.bounds[b + 1], j1)


@compiled
def _count_cells(cosines, i0, j0, start, stop, first, last, plan, lists, edge, sink, open_, lows, work):  # type: ignore[no-untyped-def]
    """Count the x from `start` to `stop`, of one group, against those b of some cells that are columns of the tile.

    All cells of one x in turn: they share its list, which may have to come from memory. No array is sliced in here: a
    slice counts a reference, and two threads that count on one array wait for each other.
    """
    j1, near, below = j0 + cosines.shape[1], lists.near, TIE + edge
    origin, any_open = max(plan.bounds[plan.group_of[start]], lists.origin), False
    for i in range(start, stop):
        row, of_a = i - origin, 0
        for cell in range(first, last):
            a, b0, b1 = _sets(plan, cell, j0, j1)
            p = plan.cell_pair[cell] - lists.first_pair
            n_a, n_buckets = plan.bounds[a + 1] - plan.bounds[a], lists.buckets[p]
            at, table_at = lists.near_at[p] + row * (n_a + 1), lists.table_at[p] + row * (n_buckets + 1)
            live, of_b, own = lists.live[lists.live_at[p] + row], of_a + n_a, 0
            ahead = i + 1 < stop and _FAR <= n_a <= _FARTHEST * (j1 - j0)
            for begin in range(b0, b1 if live > 0 else b0, _BLOCK):
                size = min(_BLOCK, b1 - begin)
                if n_buckets > 0:
                    if ahead:
                        _fetch_next(lists, at, n_a + 1, table_at, n_buckets + 1, begin - j0, size, j1 - j0)
                    twice, tied = _look_up(
                        cosines, i - i0, begin - j0, size, near, at, live, lists.table, table_at, n_buckets, below, lows
                    )
                else:
                    twice, tied = _scan(cosines, i - i0, begin - j0, size, near, at, below, lows)
                if tied:
                    twice, left = _heed_ties(
                        cosines, i - i0, begin - j0, size, near, at, live, lows, edge, sink.marginals, work,
                        of_b + begin - b0, open_, _which(plan, cell),
                    )  # fmt: skip
                    any_open |= left
                elif sink.marginals:
                    _write_down(lows, size, work, of_b + begin - b0)
                own += twice
            work.totals[cell - first] += own
            if sink.marginals:
                target = plan.cell_id[cell]
                add_shared(sink.as_x, sink.x_at[target] + sink.slots[i], own)  # type: ignore[call-arg]
                _hand_out(work, of_a, lists.perm, at, live)
                of_a = of_b + b1 - b0
    of_a = 0
    for cell in range(first, last):
        target = plan.cell_id[cell]
        add_shared(sink.cells, target, work.totals[cell - first])  # type: ignore[call-arg]
        work.totals[cell - first] = 0
        if sink.marginals:
            a, b0, b1 = _sets(plan, cell, j0, j1)
            n_a = plan.bounds[a + 1] - plan.bounds[a]
            _give(sink.as_a, sink.a_at[target], sink.slots, plan.bounds[a], work.shares, of_a, n_a)
            _give(sink.as_b, sink.b_at[target], sink.slots, b0, work.shares, of_a + n_a, b1 - b0)
            of_a += n_a + b1 - b0
    return any_open


@compiled
def _which(plan, cell):  # type: ignore[no-untyped-def]
    """Give the place of a cell among those that have its X and its B."""
    place = 0
    while place < cell and plan.cell_key[cell - place - 1] == plan.cell_key[cell]:
        place += 1
    return place


@compiled
def _give(marginal, at, slots, first, shares, start, size):  # type: ignore[no-untyped-def]
    """Add the shares of the snippets from position `first` on to those of their slots, and empty them."""
    for k in range(size):
        add_shared(marginal, at + slots[first + k], shares[start + k])  # type: ignore[call-arg]
        shares[start + k] = 0


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
def _fetch_next(lists, at, n_list, table_at, n_table, done, more, whole):  # type: ignore[no-untyped-def]
    """Fetch a share of the next x's own list, as much as of this one's b are looked up meanwhile.

    Long lists come from memory, and looking up touches all of them in no order that the processor could foresee.
    """
    _fetch_share(lists.near, at + n_list, n_list, done, more, whole)
    _fetch_share(lists.table, table_at + n_table, n_table, done, more, whole)
    if len(lists.perm):
        _fetch_share(lists.perm, at + n_list, n_list, done, more, whole)


@compiled
def _fetch_share(array, at, size, done, more, whole):  # type: ignore[no-untyped-def]
    for k in range(size * done // whole, size * (done + more) // whole, _LINE // array.itemsize):
        fetch(array, at + k)  # type: ignore[call-arg]


@compiled
def _write_down(lows, size, work, of_b):  # type: ignore[no-untyped-def]
    """Write down for the marginals where each b stands, none of which ties: see `_heed_ties`."""
    for k in range(size):
        work.shares[of_b + k] += 2 * np.int64(lows[k])
        work.steps[lows[k]] += 2


@compiled
def _heed_ties(  # type: ignore[no-untyped-def]
    cosines, row, column, size, near, at, live, lows, edge, marginals, work, of_b, open_, which
):
    """Count what `_look_up` has found, ties too; write down for the marginals where each b stands."""
    total, left = 0, False
    for k in range(size):
        value = -cosines[row, column + k]
        low = high = np.int64(lows[k])
        if near[at + low] <= value + TIE + edge:
            high, clear = _ties(near, at, low, live, value, edge)
            if not clear:
                open_[row, column + k, which] = 1
                left = True
                continue
        total += low + high  # type: ignore[assignment]
        if marginals:
            work.shares[of_b + k] += low + high
            work.steps[low] += 1
            work.steps[high] += 1
    return total, left


@compiled
def _hand_out(work, of_a, perm, at, live):  # type: ignore[no-untyped-def]
    """Give each a the b that stand behind it, and empty the steps."""
    running = 0
    for k in range(live - 1, -1, -1):
        running += work.steps[k + 1]
        work.steps[k + 1] = 0
        work.shares[np.uint64(of_a + perm[at + k])] += running
    work.steps[0] = 0


@compiled
def _ties(near, at, low, live, value, edge):  # type: ignore[no-untyped-def]
    """Give the end of the ties that start at `low`, and whether the error bound leaves none of them open."""
    high = above(near, at + low, at + live, value + TIE + edge) - at
    sure_from = above(near, at + low, at + live, value - TIE + edge) - at
    sure_to = at_least(near, at + low, at + live, value + TIE - edge) - at
    return high, sure_from <= low and sure_to >= high
