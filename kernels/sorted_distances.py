"""The own lists: for each x and set A, the sorted distances of x to A, with a table that finds a place in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.jit import atomic_add, compiled, lower_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.layout import CellLayout

SHORT = 24
"""Lists up to this length are searched from the front and have no table; longer ones are sorted by numpy."""
_NARROW = 65535
_LONG = 1024
_BEYOND = 1.25  # no −cos is
_AT_ONCE = 1 << 14  # numbers, so that the steps between stay in cache
_MICROSECOND = 1e-6
"""Decimal times are no binary numbers: 0.3 − 0.2 is less than 0.1."""


class PairConstraint(NamedTuple):
    """Which a and x are not to be compared, besides a snippet with itself.

    Attributes
    ----------
    codes : ndarray of int64, shape (labels, m)
        a and x must differ in each of them.
    recording : ndarray of int64, shape (m,)
    start_s, end_s : ndarray of float64, shape (m,)
    min_gap_s : float
        a and x of one recording must lie this far apart, to the microsecond; not asked where it is 0 or less.
    """

    codes: NDArray[np.int64]
    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    min_gap_s: float


class SortedDistances(NamedTuple):
    """Own lists of the positions from `origin` on, list after list, pair after pair.

    Distances are kept as −cos. A list ends with infinities: one for each a that x is not compared with, and one more.

    Attributes
    ----------
    near : ndarray of float64
    table : ndarray of uint16 or int32
        For each bucket of equal width, how many of the list lie in buckets below.
    live : ndarray of int32
        Length of each list without its infinities.
    perm : ndarray of uint16 or int32
        The place in A of each number in `near`, up to `order_error`; empty unless kept.
    near_at, table_at, live_at : ndarray of int64, shape (pairs,)
        Where the lists of each pair (X, A) start.
    buckets : ndarray of int64, shape (pairs,)
        Those of each table; 0 where lists are searched from the front.
    first_pair, origin : int
    """

    near: NDArray[np.float64]
    table: NDArray[np.uint16] | NDArray[np.int32]
    live: NDArray[np.int32]
    perm: NDArray[np.uint16] | NDArray[np.int32]
    near_at: NDArray[np.int64]
    table_at: NDArray[np.int64]
    live_at: NDArray[np.int64]
    buckets: NDArray[np.int64]
    first_pair: int
    origin: int


def _buckets(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the buckets of lists of n numbers: fewer where they are long, since it is memory that runs out there."""
    return n * np.where(n < SHORT, 0, np.where(n <= _LONG, 2, 1))


def list_bytes(plan: CellLayout, *, keep_order: bool) -> NDArray[np.int64]:
    """Give the bytes that the own lists of one x take, for each group."""
    n_a = np.diff(plan.bounds)[plan.pair_a]
    place = _place_type(plan)().itemsize
    n_bytes = (n_a + 1) * (8 + place * keep_order) + (_buckets(n_a) + 1) * place + 4
    total = np.zeros(len(plan.width), np.int64)
    np.add.at(total, plan.pair_x, n_bytes)
    return total


def empty_lists(plan: CellLayout, start: int, stop: int, *, keep_order: bool) -> SortedDistances:
    """Make room for the own lists of the positions from `start` to `stop`."""
    pairs = slice(plan.pairs_of[plan.group_of[start]], plan.pairs_of[plan.group_of[stop - 1] + 1])
    x, a = plan.pair_x[pairs], plan.pair_a[pairs]
    n_x = np.minimum(plan.bounds[x + 1], stop) - np.maximum(plan.bounds[x], start)
    n_a = plan.bounds[a + 1] - plan.bounds[a]
    near_at, table_at, live_at = (
        np.concatenate(([0], np.cumsum(n_x * each))) for each in (n_a + 1, _buckets(n_a) + 1, 1)
    )
    return SortedDistances(
        np.empty(near_at[-1]),
        np.empty(table_at[-1], _place_type(plan)),
        np.empty(live_at[-1], np.int32),
        np.empty(near_at[-1] if keep_order else 0, _place_type(plan)),
        near_at,
        table_at,
        live_at,
        _buckets(n_a),
        int(pairs.start),
        start,
    )


def sort_lists(plan: CellLayout, lists: SortedDistances, start: int, stop: int, live: NDArray[np.int64]) -> None:
    """Sort the filled lists of the positions from `start` to `stop`, make their tables, add up what they hold."""
    first, last = plan.group_of[start], plan.group_of[stop - 1]
    sizes = np.diff(plan.bounds)[plan.pair_a[plan.pairs_of[first] : plan.pairs_of[last + 1]]]
    for pair in plan.pairs_of[first] + np.flatnonzero(sizes >= SHORT):
        x, a = plan.pair_x[pair], plan.pair_a[pair]
        stride = int(plan.bounds[a + 1] - plan.bounds[a]) + 1
        low = max(int(plan.bounds[x]), lists.origin)
        n_x = min(int(plan.bounds[x + 1]), stop) - max(low, start)
        begin = lists.near_at[pair - lists.first_pair] + (max(low, start) - low) * stride
        block = lists.near[begin : begin + n_x * stride].reshape(n_x, stride)
        if len(lists.perm):
            _sort_with_order(block, lists.perm[begin : begin + n_x * stride].reshape(n_x, stride))
        else:
            block.sort(axis=1)
    _index(plan, lists, start, stop, live)


def order_error(n: int) -> float:
    """Tell how far two distances of a list of n may lie apart and yet stand in `perm` the wrong way round.

    The key of `_pack` cuts off what is below 2^(bits − 61), after an addition that rounds to 2⁻⁵².
    """
    return 2.0 ** (max(n.bit_length(), 10) - 60)


def _sort_with_order(block: NDArray[np.float64], perm: NDArray[np.uint16] | NDArray[np.int32]) -> None:
    """Sort each row and write down in which order it stood.

    What is sorted are whole numbers: the distance in fixed point, and below it the place. That takes half of the time
    of `np.argsort`. Rows whose distances differ by less than the fixed point tells are sorted once more.
    """
    step = max(1, _AT_ONCE // block.shape[1])
    keys = np.empty((min(step, len(block)), block.shape[1]), np.int64)
    for start in range(0, len(block), step):
        part = block[start : start + step]
        packed = keys[: len(part)]
        _pack(part, packed)
        packed.sort(axis=1)
        for row in np.flatnonzero(_unpack(packed, part, perm[start : start + step])):
            part[row].sort()


@compiled
def _bits(n):  # type: ignore[no-untyped-def]
    """Give the bits that a place in a row of n takes."""
    bits = 0
    while n >> bits:
        bits += 1
    return bits


@compiled
def _pack(block, keys):  # type: ignore[no-untyped-def]
    n_rows, n = block.shape
    bits = _bits(n)
    scale = 2.0 ** (61 - bits)
    for row in range(n_rows):
        for k in range(n):
            value = block[row, k]
            value = value if value < _BEYOND else _BEYOND  # noqa: FURB136 - numba's min() heeds NaN, and so is slow
            keys[row, k] = (np.int64((value + _BEYOND) * scale) << bits) + k


@compiled
def _unpack(keys, block, perm):  # type: ignore[no-untyped-def]
    """Bring each row of a block into the order of its keys; tell which rows are not sorted even so."""
    n_rows, n = block.shape
    mask = (1 << _bits(n)) - 1
    mixed, values = np.zeros(n_rows, np.bool_), np.empty(n)
    for row in range(n_rows):
        for k in range(n):
            place = keys[row, k] & mask
            perm[row, k] = place
            values[k] = block[row, np.uint64(place)]
        last = -np.inf
        for k in range(n):
            mixed[row] |= values[k] < last
            last = values[k]
            block[row, k] = last
    return mixed


def _place_type(plan: CellLayout) -> type[np.uint16 | np.int32]:
    return np.uint16 if len(plan.width) == 0 or plan.width.max() <= _NARROW else np.int32


@compiled
def kept_apart(apart, i, j):  # type: ignore[no-untyped-def]
    """Tell whether a at position j is not to be compared with x at position i."""
    if i == j:
        return True
    for label in range(len(apart.codes)):
        if apart.codes[label, i] == apart.codes[label, j]:
            return True
    if apart.min_gap_s > 0 and apart.recording[i] == apart.recording[j]:
        gap = max(apart.start_s[i], apart.start_s[j]) - min(apart.end_s[i], apart.end_s[j])
        return gap < apart.min_gap_s - _MICROSECOND
    return False


@compiled
def fill_lists(cosines, i0, i1, j0, j1, plan, lists, apart):  # type: ignore[no-untyped-def]
    """Take the own distances of the positions i0 to i1 from a tile whose columns are the positions j0 to j1."""
    for i in range(i0, i1):
        x = plan.group_of[i]
        row = i - max(plan.bounds[x], lists.origin)
        for pair in range(plan.pairs_of[x], plan.pairs_of[x + 1]):
            a = plan.pair_a[pair]
            low, high = max(plan.bounds[a], j0), min(plan.bounds[a + 1], j1)
            stride = plan.bounds[a + 1] - plan.bounds[a] + 1
            at = lists.near_at[pair - lists.first_pair] + row * stride
            for j in range(low, high):
                value = np.inf if kept_apart(apart, i, j) else -cosines[i - i0, j - j0]
                lists.near[at + j - plan.bounds[a]] = value
            if high == plan.bounds[a + 1]:
                lists.near[at + stride - 1] = np.inf


@compiled
def _index(plan, lists, start, stop, all_live):  # type: ignore[no-untyped-def]
    """Sort the short lists, count what is live in each, make the tables of the long ones."""
    for i in range(start, stop):
        x = plan.group_of[i]
        row = i - max(plan.bounds[x], lists.origin)
        for pair in range(plan.pairs_of[x], plan.pairs_of[x + 1]):
            a, p = plan.pair_a[pair], pair - lists.first_pair
            n = plan.bounds[a + 1] - plan.bounds[a]
            at = lists.near_at[p] + row * (n + 1)
            near = lists.near[at : at + n + 1]
            if n < SHORT:
                _insertion(near, lists.perm[at : at + n + 1])
            live = lower_bound(near, 0, n, np.inf)
            lists.live[lists.live_at[p] + row] = live
            atomic_add(all_live, pair, live)  # type: ignore[call-arg]
            if n >= SHORT:
                table = lists.table_at[p] + row * (lists.buckets[p] + 1)
                _tabulate(lists.near, at, live, lists.table[table : table + lists.buckets[p] + 1])


@compiled
def _insertion(near, perm):  # type: ignore[no-untyped-def]
    for k in range(len(perm)):
        perm[k] = k
    for k in range(1, len(near)):
        value, m = near[k], k
        while m > 0 and near[m - 1] > value:
            near[m] = near[m - 1]
            if len(perm):
                perm[m] = perm[m - 1]
            m -= 1
        near[m] = value
        if len(perm):
            perm[m] = k


@compiled
def bucket_scale(near, at, live, n_buckets):  # type: ignore[no-untyped-def]
    """Give buckets per unit of distance; 0, which puts all into one, where the list at `at` has no width."""
    width = near[at + live - 1] - near[at] if live else 0.0
    return n_buckets / width if width > 1e-290 else 0.0  # noqa: PLR2004


@compiled
def _tabulate(near, at, live, table):  # type: ignore[no-untyped-def]
    n_buckets = len(table) - 1
    scale = bucket_scale(near, at, live, n_buckets)
    for bucket in range(n_buckets + 1):
        table[bucket] = live
    for k in range(live - 1, -1, -1):
        table[min(np.int64((near[at + k] - near[at]) * scale), n_buckets - 1)] = k
    for bucket in range(n_buckets - 1, -1, -1):
        table[bucket] = min(table[bucket], table[bucket + 1])
