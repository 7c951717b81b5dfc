"""Counting a tile: each b is looked up in the own list of each x."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import LANES, atomic_add, compiled, lower_bound, prefetch, scatter_suffix_sums, upper_bound
from abxfast.kernels.sorted_distances import bucket_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 256
_LINE = 64  # bytes that the processor fetches at a time
_FAR = 128  # own lists from this length on are fetched ahead,
_FARTHEST = 16  # up to as many times the b that are looked up
_SHARES = 1 << 18
_SHARES_B = 1 << 14
_MOST = (1 << 16) - 1  # that a share holds


class Accumulators(NamedTuple):
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
    longest, most, columns, any_open = 1, 1, j1 - j0, False
    for x in range(plan.group_of[i0], plan.group_of[i1 - 1] + 1):
        most = max(most, plan.cells_of[x + 1] - plan.cells_of[x])
        for pair in range(plan.pairs_of[x], plan.pairs_of[x + 1]):
            longest = max(longest, plan.bounds[plan.pair_a[pair] + 1] - plan.bounds[plan.pair_a[pair]])
    if not sink.marginals:
        longest = columns = 0
    work = _Work(
        np.zeros(most, np.int64),
        np.zeros(most + 1, np.int64),
        np.zeros((longest + 1) * LANES, np.uint16),
        np.zeros(max(longest * LANES, min(longest * LANES * most, _SHARES)), np.uint16),
        np.zeros(max(columns, min(columns * most, _SHARES_B)), np.int64),
    )
    lows = np.empty(_BLOCK, np.uint32)
    start = i0
    while start < i1:
        x = plan.group_of[start]
        stop = min(plan.bounds[x + 1], i1)
        cell = lower_bound(plan.cell_b, plan.cells_of[x], plan.cells_of[x + 1], plan.group_of[j0])
        end = upper_bound(plan.cell_b, cell, plan.cells_of[x + 1], plan.group_of[j1 - 1])
        while cell < end:
            last, width, step = _fit(plan, cell, end, j0, j1, work) if sink.marginals else (end, 1, stop - start)
            for low in range(start, stop, step):
                high = min(low + step, stop)
                any_open |= _count_cells(
                    cosines, i0, j0, low, high, cell, last, width, plan, lists, edge, sink, open_, lows, work
                )
            cell = last
        start = stop
    return any_open


class _Work(NamedTuple):
    """Room for sums, all zeros between two uses.

    Cells that follow one another and have their X and A in common share one vector, up to `LANES` of them, each in a
    lane of its own; where no two have, vectors are one lane wide.

    Attributes
    ----------
    totals, lanes : ndarray of int64
        Of each cell; the lane after the last is 0.
    steps : ndarray of uint16
        For each place of a list and each lane how many b stand there, twice, or once before and once behind the a that
        they tie with: tiles are far narrower than 2¹⁵.
    of_a : ndarray of uint16
        Vector after vector, for each a and each lane what the a has won.
    of_b : ndarray of int64
        Cell after cell, what each of its b has won.
    """

    totals: NDArray[np.int64]
    lanes: NDArray[np.int64]
    steps: NDArray[np.uint16]
    of_a: NDArray[np.uint16]
    of_b: NDArray[np.int64]


@compiled
def _fit(plan, first, end, j0, j1, work):  # type: ignore[no-untyped-def]
    """Find how many cells there is room for.

    Returns where they end, how many lanes their vectors have, and for how many x a share of 16 bits holds what an a
    wins.
    """
    cell, width, lane, of_a, of_b, most = first, 0, 0, 0, 0, 1
    while cell < end:
        alike = cell + 1 < end and plan.cell_pair[cell + 1] == plan.cell_pair[cell]
        if cell == first:
            width = LANES if alike else 1
        a, b0, b1 = _sets(plan, cell, j0, j1)
        of_a += (plan.bounds[a + 1] - plan.bounds[a]) * width if lane == 0 else 0
        of_b += b1 - b0
        if of_a > len(work.of_a) or of_b > len(work.of_b) or (alike and width == 1):
            break
        most = max(most, b1 - b0)
        work.lanes[cell - first] = lane
        lane = lane + 1 if alike and lane + 1 < width else 0
        cell += 1
    work.lanes[cell - first] = 0
    return cell, width, max(_MOST // (2 * most), 1)


@compiled
def _sets(plan, cell, j0, j1):  # type: ignore[no-untyped-def]
    """Give group A of a cell, and which of its b are columns of the tile."""
    b = plan.cell_b[cell]
    return plan.pair_a[plan.cell_pair[cell]], max(plan.bounds[b], j0), min(plan.bounds[b + 1], j1)


@compiled
def _count_cells(cosines, i0, j0, start, stop, first, last, width, plan, lists, edge, sink, open_, lows, work):  # type: ignore[no-untyped-def]
    """Count the x from `start` to `stop`, of one group, against those b of some cells that are columns of the tile.

    All cells of one x in turn: they share its list, which may have to come from memory. No array is sliced in here: a
    slice counts a reference, and two threads that count on one array wait for each other.
    """
    j1, near, below = j0 + cosines.shape[1], lists.near, TIE + edge
    origin, any_open = max(plan.bounds[plan.group_of[start]], lists.origin), False
    for i in range(start, stop):
        row, of_a, of_b = i - origin, 0, 0
        for cell in range(first, last):
            a, b0, b1 = _sets(plan, cell, j0, j1)
            lane = work.lanes[cell - first]
            p = plan.cell_pair[cell] - lists.first_pair
            n_a, n_buckets = plan.bounds[a + 1] - plan.bounds[a], lists.buckets[p]
            at, table_at = lists.near_at[p] + row * (n_a + 1), lists.table_at[p] + row * (n_buckets + 1)
            live, own = lists.live[lists.live_at[p] + row], 0
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
                        width, lane, of_b + begin - b0, open_, _which(plan, cell),
                    )  # fmt: skip
                    any_open |= left
                elif sink.marginals:
                    _write_down(lows, size, work, width, lane, of_b + begin - b0)
                own += twice
            work.totals[cell - first] += own
            if sink.marginals:
                target = plan.cell_id[cell]
                atomic_add(sink.as_x, sink.x_at[target] + sink.slots[i], own)  # type: ignore[call-arg]
                of_b += b1 - b0
                if work.lanes[cell + 1 - first] == 0:
                    scatter_suffix_sums(work.steps, work.of_a, of_a, width, lists.perm, at, live)
                    of_a += n_a * width
    _give_out(j0, j1, first, last, width, plan, sink, work)
    return any_open


@compiled
def _which(plan, cell):  # type: ignore[no-untyped-def]
    """Give the place of a cell among those that have its X and its B."""
    place = 0
    while place < cell and plan.cell_key[cell - place - 1] == plan.cell_key[cell]:
        place += 1
    return place


@compiled
def _give_out(j0, j1, first, last, width, plan, sink, work):  # type: ignore[no-untyped-def]
    """Add to the sink what some cells have won, and empty the sums."""
    of_a, of_b = 0, 0
    for cell in range(first, last):
        target = plan.cell_id[cell]
        atomic_add(sink.cells, target, work.totals[cell - first])  # type: ignore[call-arg]
        work.totals[cell - first] = 0
        if sink.marginals:
            a, b0, b1 = _sets(plan, cell, j0, j1)
            n_a = plan.bounds[a + 1] - plan.bounds[a]
            lane = of_a + work.lanes[cell - first]
            _give(sink.as_a, sink.a_at[target], sink.slots, plan.bounds[a], n_a, work.of_a, lane, width)
            _give(sink.as_b, sink.b_at[target], sink.slots, b0, b1 - b0, work.of_b, of_b, 1)
            of_a += n_a * width if work.lanes[cell + 1 - first] == 0 else 0
            of_b += b1 - b0


@compiled
def _give(marginal, at, slots, first, size, shares, start, step):  # type: ignore[no-untyped-def]
    """Add the shares of the snippets from position `first` on to those of their slots, and empty them."""
    for k in range(size):
        atomic_add(marginal, at + slots[first + k], np.int64(shares[start + k * step]))  # type: ignore[call-arg]
        shares[start + k * step] = 0


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
            low = np.uint64(lower_bound(near, np.int64(low), at + np.int64(table[bucket + one]), edge))
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
        prefetch(array, at + k)  # type: ignore[call-arg]


@compiled
def _write_down(lows, size, work, width, lane, of_b):  # type: ignore[no-untyped-def]
    """Write down for the marginals where each b stands, none of which ties: see `_heed_ties`."""
    for k in range(size):
        work.of_b[of_b + k] += 2 * np.int64(lows[k])
        work.steps[np.uint64(lows[k]) * np.uint64(width) + np.uint64(lane)] += 2


@compiled
def _heed_ties(  # type: ignore[no-untyped-def]
    cosines, row, column, size, near, at, live, lows, edge, marginals, work, width, lane, of_b, open_, which
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
            work.of_b[of_b + k] += low + high
            work.steps[low * width + lane] += 1
            work.steps[high * width + lane] += 1
    return total, left


@compiled
def _ties(near, at, low, live, value, edge):  # type: ignore[no-untyped-def]
    """Give the end of the ties that start at `low`, and whether the error bound leaves none of them open."""
    high = upper_bound(near, at + low, at + live, value + TIE + edge) - at
    sure_from = upper_bound(near, at + low, at + live, value - TIE + edge) - at
    sure_to = lower_bound(near, at + low, at + live, value + TIE - edge) - at
    return high, sure_from <= low and sure_to >= high
