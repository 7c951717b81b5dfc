"""For each x and set A, the sorted distances of x to A, with a table to look a distance up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.abx_counting.lookup import build_table
from abxfast.kernels.abx_counting.packed_sort import sort_with_order
from abxfast.kernels.abx_counting.pair_constraint import is_excluded
from abxfast.kernels.intrinsics import atomic_add
from abxfast.kernels.jit import compiled
from abxfast.kernels.search import lower_bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.layout import CellLayout

MIN_TABLE_LENGTH = 24
"""Shorter lists have no table and are searched from the front; from this length on, numpy sorts them."""
_MAX_DENSE_LENGTH = 1024  # lists up to this length have two buckets an element, longer ones one
_MAX_UINT16 = 65535


class SortedDistances(NamedTuple):
    """The distance lists of consecutive positions, pair after pair, and position after position within a pair.

    Distances are stored as −cos. A list is one longer than A: it ends with an infinity for each a that x is not
    compared with, and one more.

    Attributes
    ----------
    distances : ndarray of float64
    table : ndarray of uint16 or int32
        For each bucket, how many elements of the list are in the buckets before it. Buckets divide the range of the
        list evenly.
    n_valid : ndarray of int32
        Length of each list without its infinities.
    a_index : ndarray of uint16 or int32
        The index within A of each distance, up to `order_error`; empty unless the order is kept.
    offsets, table_offsets, n_valid_offsets : ndarray of int64, shape (pairs + 1,)
        Where the lists of each pair (X, A) start in `distances` and `a_index`, in `table`, and in `n_valid`.
    n_buckets : ndarray of int64, shape (pairs,)
        Length of each table less one; 0 if the lists have none.
    first_pair, first_position : int
        What the arrays start with.
    """

    distances: NDArray[np.float64]
    table: NDArray[np.uint16] | NDArray[np.int32]
    n_valid: NDArray[np.int32]
    a_index: NDArray[np.uint16] | NDArray[np.int32]
    offsets: NDArray[np.int64]
    table_offsets: NDArray[np.int64]
    n_valid_offsets: NDArray[np.int64]
    n_buckets: NDArray[np.int64]
    first_pair: int
    first_position: int


def list_bytes(layout: CellLayout, *, keep_order: bool) -> NDArray[np.int64]:
    """Return the memory that the distance lists of one x take, for each group.

    Parameters
    ----------
    layout : CellLayout
    keep_order : bool
        Whether `a_index` is kept.

    Returns
    -------
    ndarray of int64, shape (groups,)
        In bytes.
    """
    n_a = np.diff(layout.bounds)[layout.pair_a]
    index_bytes = _index_type(layout)().itemsize
    n_bytes = (n_a + 1) * (8 + index_bytes * keep_order) + (_n_buckets(n_a) + 1) * index_bytes + 4
    total = np.zeros(len(layout.list_size), np.int64)
    np.add.at(total, layout.pair_x, n_bytes)
    return total


def allocate_distances(layout: CellLayout, start: int, stop: int, *, keep_order: bool) -> SortedDistances:
    """Allocate the distance lists of the positions from `start` to `stop`.

    Parameters
    ----------
    layout : CellLayout
    start, stop : int
    keep_order : bool
        Whether to keep `a_index`.

    Returns
    -------
    SortedDistances
        Not initialized.
    """
    pairs = slice(layout.pair_offsets[layout.group_of[start]], layout.pair_offsets[layout.group_of[stop - 1] + 1])
    x, a = layout.pair_x[pairs], layout.pair_a[pairs]
    n_x = np.minimum(layout.bounds[x + 1], stop) - np.maximum(layout.bounds[x], start)
    n_a = layout.bounds[a + 1] - layout.bounds[a]
    n_buckets = _n_buckets(n_a)
    offsets, table_offsets, n_valid_offsets = (
        np.concatenate(([0], np.cumsum(n_x * length))) for length in (n_a + 1, n_buckets + 1, 1)
    )
    return SortedDistances(
        distances=np.empty(offsets[-1]),
        table=np.empty(table_offsets[-1], _index_type(layout)),
        n_valid=np.empty(n_valid_offsets[-1], np.int32),
        a_index=np.empty(offsets[-1] if keep_order else 0, _index_type(layout)),
        offsets=offsets,
        table_offsets=table_offsets,
        n_valid_offsets=n_valid_offsets,
        n_buckets=n_buckets,
        first_pair=int(pairs.start),
        first_position=start,
    )


@compiled
def fill_distances(tile, layout, sorted_distances, constraint):  # type: ignore[no-untyped-def]
    """Copy the distances of a tile into the lists of its rows, to their final length but unsorted.

    Parameters
    ----------
    tile : Tile
    layout : CellLayout
    sorted_distances : SortedDistances
        Written; holds the rows of the tile.
    constraint : PairConstraint
        By position.
    """
    for i in range(tile.i0, tile.i1):
        x = layout.group_of[i]
        row = i - max(layout.bounds[x], sorted_distances.first_position)
        for pair in range(layout.pair_offsets[x], layout.pair_offsets[x + 1]):
            a = layout.pair_a[pair]
            low, high = max(layout.bounds[a], tile.j0), min(layout.bounds[a + 1], tile.j1)
            length = layout.bounds[a + 1] - layout.bounds[a] + 1
            offset = sorted_distances.offsets[pair - sorted_distances.first_pair] + row * length
            for j in range(low, high):
                value = np.inf if is_excluded(constraint, i, j) else -tile.cosines[i - tile.i0, j - tile.j0]
                sorted_distances.distances[offset + j - layout.bounds[a]] = value
            if high == layout.bounds[a + 1]:
                sorted_distances.distances[offset + length - 1] = np.inf


def sort_distances(
    layout: CellLayout, sorted_distances: SortedDistances, start: int, stop: int, n_compared: NDArray[np.int64]
) -> None:
    """Sort the lists of the positions from `start` to `stop` and build their tables.

    Parameters
    ----------
    layout : CellLayout
    sorted_distances : SortedDistances
        Its lists are filled, and sorted in place.
    start, stop : int
    n_compared : ndarray of int64, shape (pairs,)
        The number of (a, x) that are compared is added for each pair.
    """
    first, last = layout.group_of[start], layout.group_of[stop - 1]
    n_a = np.diff(layout.bounds)[layout.pair_a[layout.pair_offsets[first] : layout.pair_offsets[last + 1]]]
    for pair in layout.pair_offsets[first] + np.flatnonzero(n_a >= MIN_TABLE_LENGTH):
        x, a = layout.pair_x[pair], layout.pair_a[pair]
        length = int(layout.bounds[a + 1] - layout.bounds[a]) + 1
        low = max(int(layout.bounds[x]), sorted_distances.first_position)
        n_x = min(int(layout.bounds[x + 1]), stop) - max(low, start)
        begin = sorted_distances.offsets[pair - sorted_distances.first_pair] + (max(low, start) - low) * length
        lists = slice(begin, begin + n_x * length)
        distances = sorted_distances.distances[lists].reshape(n_x, length)
        if len(sorted_distances.a_index):
            sort_with_order(distances, sorted_distances.a_index[lists].reshape(n_x, length))
        else:
            distances.sort(axis=1)
    _finish_lists(layout, sorted_distances, start, stop, n_compared)


@compiled
def _finish_lists(layout, sorted_distances, start, stop, n_compared):  # type: ignore[no-untyped-def]
    """Sort the short lists, count the valid elements of all, and build the tables of the long ones."""
    for i in range(start, stop):
        x = layout.group_of[i]
        row = i - max(layout.bounds[x], sorted_distances.first_position)
        for pair in range(layout.pair_offsets[x], layout.pair_offsets[x + 1]):
            a, p = layout.pair_a[pair], pair - sorted_distances.first_pair
            n_a = layout.bounds[a + 1] - layout.bounds[a]
            offset = sorted_distances.offsets[p] + row * (n_a + 1)
            distances = sorted_distances.distances[offset : offset + n_a + 1]
            if n_a < MIN_TABLE_LENGTH:
                _insertion_sort(distances, sorted_distances.a_index[offset : offset + n_a + 1])
            n_valid = lower_bound(distances, 0, n_a, np.inf)
            sorted_distances.n_valid[sorted_distances.n_valid_offsets[p] + row] = n_valid
            atomic_add(n_compared, pair, n_valid)  # type: ignore[call-arg]
            if n_a >= MIN_TABLE_LENGTH:
                n_table = sorted_distances.n_buckets[p] + 1
                table_offset = sorted_distances.table_offsets[p] + row * n_table
                table = sorted_distances.table[table_offset : table_offset + n_table]
                build_table(sorted_distances.distances, offset, n_valid, table)


@compiled
def _insertion_sort(distances, a_index):  # type: ignore[no-untyped-def]
    """Sort a list in place and write the order unless `a_index` is empty."""
    for k in range(len(a_index)):
        a_index[k] = k
    for k in range(1, len(distances)):
        value, m = distances[k], k
        while m > 0 and distances[m - 1] > value:
            distances[m] = distances[m - 1]
            if len(a_index):
                a_index[m] = a_index[m - 1]
            m -= 1
        distances[m] = value
        if len(a_index):
            a_index[m] = k


def _n_buckets(n_a: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of buckets of lists of given lengths. Long lists have fewer, to save memory."""
    return n_a * np.where(n_a < MIN_TABLE_LENGTH, 0, np.where(n_a <= _MAX_DENSE_LENGTH, 2, 1))


def _index_type(layout: CellLayout) -> type[np.uint16 | np.int32]:
    """Return the type of an index into any distance list."""
    return np.uint16 if len(layout.list_size) == 0 or layout.list_size.max() <= _MAX_UINT16 else np.int32
