"""Looking distances up in a sorted list, through a table of buckets of equal width.

All functions take whole arrays and offsets, never slices: slicing changes the reference count of an array, for which
threads that share the array would wait for each other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.intrinsics import prefetch
from abxfast.kernels.jit import compiled
from abxfast.kernels.search import lower_bound, upper_bound

_CACHE_LINE = 64  # bytes that the processor loads at a time


class ListView(NamedTuple):
    """Where the distance list of one x and set A is stored in `SortedDistances`.

    Attributes
    ----------
    offset, length : int
        In `distances`, end mark included.
    n_valid : int
        Length without infinities.
    table_offset, n_buckets : int
        In `table`; `n_buckets` is 0 if there is no table.
    """

    offset: int
    length: int
    n_valid: int
    table_offset: int
    n_buckets: int


class ColumnBlock(NamedTuple):
    """Consecutive columns of one row of a tile.

    Attributes
    ----------
    row, column, size : int
        Indices into the tile, not positions.
    """

    row: int
    column: int
    size: int


@compiled
def bucket_scale(distances, offset, n_valid, n_buckets):  # type: ignore[no-untyped-def]
    """Return the number of buckets per unit of distance; 0, for a single bucket, if all distances are equal."""
    width = distances[offset + n_valid - 1] - distances[offset] if n_valid else 0.0
    return n_buckets / width if width > 1e-290 else 0.0  # noqa: PLR2004


@compiled
def build_table(distances, offset, n_valid, table):  # type: ignore[no-untyped-def]
    """Write, for each bucket, how many elements are in the buckets before it.

    Parameters
    ----------
    distances : ndarray of float64
    offset, n_valid : int
        The list is ``distances[offset:offset + n_valid]``, sorted.
    table : ndarray of uint16 or int32, shape (buckets + 1,)
        Written.
    """
    n_buckets = len(table) - 1
    scale = bucket_scale(distances, offset, n_valid, n_buckets)
    for bucket in range(n_buckets + 1):
        table[bucket] = n_valid
    for k in range(n_valid - 1, -1, -1):
        table[min(np.int64((distances[offset + k] - distances[offset]) * scale), n_buckets - 1)] = k
    for bucket in range(n_buckets - 1, -1, -1):
        table[bucket] = min(table[bucket], table[bucket + 1])


@compiled
def rank_by_table(cosines, block, distances, table, view, margin, ranks):  # type: ignore[no-untyped-def]
    """Write how many elements of a list are below each distance of a block by more than `margin`.

    A bucket rarely holds more than two elements: two steps are taken without a branch, which the processor could not
    predict. Indices are unsigned so that numba does not check for negative ones.

    Parameters
    ----------
    cosines : ndarray of float64, shape (rows, columns)
    block : ColumnBlock
    distances : ndarray of float64
    table : ndarray of uint16 or int32
    view : ListView
    margin : float
    ranks : ndarray of uint32
        Written, from 0 on.

    Returns
    -------
    twice_sum : int
        Twice the sum of the ranks.
    any_tied : bool
        Whether an element is within `margin` of any of the distances.
    """
    first, last = distances[view.offset], view.n_buckets - 1.0
    scale = bucket_scale(distances, view.offset, view.n_valid, view.n_buckets)
    for k in range(block.size):
        bucket = (-cosines[block.row, block.column + k] - margin - first) * scale
        bucket = bucket if bucket > 0.0 else 0.0  # noqa: FURB136 - numba's max() and min() check for NaN, which is slow
        ranks[k] = np.int32(bucket if bucket < last else last)  # noqa: FURB136
    start, table_start, one = np.uint64(view.offset), np.uint64(view.table_offset), np.uint64(1)
    total, n_tied = np.uint64(0), np.uint64(0)
    for k in range(block.size):
        value = -cosines[block.row, block.column + k]
        lower, entry = value - margin, table_start + np.uint64(ranks[k])
        rank = start + np.uint64(table[entry])
        rank += np.uint64(distances[rank] < lower)
        rank += np.uint64(distances[rank] < lower)
        if distances[rank] < lower:
            bucket_end = view.offset + np.int64(table[entry + one])
            rank = np.uint64(lower_bound(distances, np.int64(rank), bucket_end, lower))
        n_tied += np.uint64(distances[rank] <= value + margin)
        rank -= start
        total += rank
        ranks[k] = rank
    return np.int64(total + total), n_tied > np.uint64(0)


@compiled
def rank_by_scan(cosines, block, distances, view, margin, ranks):  # type: ignore[no-untyped-def]
    """Do as `rank_by_table` for a list without a table.

    Parameters
    ----------
    cosines, block, distances, view, margin, ranks
        See `rank_by_table`.

    Returns
    -------
    twice_sum : int
    any_tied : bool
    """
    start, one = np.uint64(view.offset), np.uint64(1)
    total, n_tied = np.uint64(0), np.uint64(0)
    for k in range(block.size):
        value = -cosines[block.row, block.column + k]
        rank = start
        while distances[rank] < value - margin:
            rank += one
        n_tied += np.uint64(distances[rank] <= value + margin)
        rank -= start
        total += rank
        ranks[k] = rank
    return np.int64(total + total), n_tied > np.uint64(0)


@compiled
def tie_end(distances, view, rank, value, tolerance):  # type: ignore[no-untyped-def]
    """Return where the elements tied with `value` end, and whether that is certain.

    Parameters
    ----------
    distances : ndarray of float64
    view : ListView
    rank : int
        Of `value`, from `rank_by_table` with the margin ``TIE + tolerance``.
    value : float
    tolerance : float
        Bound on the error of a comparison.

    Returns
    -------
    end : int
    is_certain : bool
        Whether no element is within `tolerance` of an edge of the tie band.
    """
    low, high = view.offset + rank, view.offset + view.n_valid
    end = upper_bound(distances, low, high, value + TIE + tolerance) - view.offset
    certain_from = upper_bound(distances, low, high, value - TIE + tolerance) - view.offset
    certain_to = lower_bound(distances, low, high, value + TIE - tolerance) - view.offset
    return end, certain_from <= rank and certain_to >= end


@compiled
def prefetch_next_list(sorted_distances, view, done, size, total):  # type: ignore[no-untyped-def]
    """Prefetch the part of the list behind `view` that corresponds to a block of columns.

    Long lists come from main memory, and lookups touch all of a list in an unpredictable order.

    Parameters
    ----------
    sorted_distances : SortedDistances
    view : ListView
    done, size, total : int
        Columns before the block, in it, and in the tile.
    """
    n_table = view.n_buckets + 1
    _prefetch_part(sorted_distances.distances, view.offset + view.length, view.length, done, size, total)
    _prefetch_part(sorted_distances.table, view.table_offset + n_table, n_table, done, size, total)
    if len(sorted_distances.a_index):
        _prefetch_part(sorted_distances.a_index, view.offset + view.length, view.length, done, size, total)


@compiled
def _prefetch_part(array, offset, length, done, size, total):  # type: ignore[no-untyped-def]
    for k in range(length * done // total, length * (done + size) // total, _CACHE_LINE // array.itemsize):
        prefetch(array, offset + k)  # type: ignore[call-arg]
