"""Scores under other labellings: every x keeps its sorted list of neighbours, and only their labels change."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLINGS_PER_BATCH = 64
"""Number of labellings that are counted together, side by side in vector registers."""


class ComparisonRules(NamedTuple):
    """Which snippets may be compared with each other.

    Attributes
    ----------
    across : ndarray of int64, shape (n,)
        x is compared only with snippets of another value, each value separately; no rule if all are −1.
    recording, place : ndarray of int64, shape (n,)
        Snippets of one recording are compared only if their places differ by at least ``gap[recording]``.
    gap : ndarray of int64, shape (recordings,)
    """

    across: NDArray[np.int64]
    recording: NDArray[np.int64]
    place: NDArray[np.int64]
    gap: NDArray[np.int64]


class NeighbourLists(NamedTuple):
    """For each x, and each value of ACROSS that it is compared with, the other snippets sorted by distance.

    Attributes
    ----------
    x : ndarray of int64, shape (lists,)
    context : ndarray of int64, shape (lists, 2)
        The values of ACROSS of x and of the others.
    at : ndarray of int64, shape (lists + 1,)
        List l is ``member[at[l]:at[l + 1]]``.
    member : ndarray of int32
        Rows, nearest first.
    low, high : ndarray of int32
        For each member, where in its list the members tied with it begin and end.
    """

    x: NDArray[np.int64]
    context: NDArray[np.int64]
    at: NDArray[np.int64]
    member: NDArray[np.int32]
    low: NDArray[np.int32]
    high: NDArray[np.int32]


def sort_neighbours(vectors: NDArray[np.float64], start: int, stop: int, design: ComparisonRules) -> NeighbourLists:
    """Sort the snippets that each x from `start` to `stop` is compared with.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n, dim)
        Unit vectors.
    start, stop : int
    design : ComparisonRules

    Returns
    -------
    NeighbourLists

    Notes
    -----
    Distances come from float64 products. Unlike in `abx_counts`, comparisons on the very edge of the tie band (within
    1e-13) are not repeated in twice the precision: they move a score by less than one triplet, under the observed and
    the permuted labels alike.
    """
    distances = -(vectors[start:stop] @ vectors.T)
    order = np.argsort(distances, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    n_values = max(1, int(design.across.max()) + 1)
    offsets, x, context = _find_lists(start, stop, design, n_values)
    member, low, high = (np.empty(offsets[-1], np.int32) for _ in range(3))
    _fill_lists(distances, order, start, design, offsets, x, context, member, low, high)
    return NeighbourLists(x, context, offsets, member, low, high)


@compiled
def _is_compared(rules, x, other, value):  # type: ignore[no-untyped-def]
    """Return whether x is compared with another snippet, in the list of a value of ACROSS."""
    if x == other:
        return False
    if rules.across[x] >= 0 and (rules.across[other] != value or rules.across[x] == value):
        return False
    if rules.recording[x] != rules.recording[other]:
        return True
    return abs(rules.place[x] - rules.place[other]) >= rules.gap[rules.recording[x]]


@compiled
def _find_lists(start, stop, rules, n_values):  # type: ignore[no-untyped-def]
    """Return the offsets, x and context of all lists that are not empty."""
    max_lists = (stop - start) * n_values
    offsets, x_of = np.zeros(max_lists + 1, np.int64), np.zeros(max_lists, np.int64)
    context = np.zeros((max_lists, 2), np.int64)
    n_lists = 0
    for x in range(start, stop):
        for value in range(n_values):
            size = 0
            for other in range(len(rules.place)):
                size += _is_compared(rules, x, other, value)
            if size:
                x_of[n_lists] = x
                context[n_lists, 0], context[n_lists, 1] = rules.across[x], value
                offsets[n_lists + 1] = offsets[n_lists] + size
                n_lists += 1
    return offsets[: n_lists + 1], x_of[:n_lists], context[:n_lists]


@compiled
def _fill_lists(distances, order, start, rules, offsets, x_of, context, member, low, high):  # type: ignore[no-untyped-def]
    """Write members and ties of the lists, from the sorted distances of each x and their order."""
    list_distances = np.empty(len(rules.place))
    for k in range(len(x_of)):
        x, begin, size = x_of[k], offsets[k], 0
        for rank in range(len(rules.place)):
            other = order[x - start, rank]
            if _is_compared(rules, x, other, context[k, 1]):
                member[begin + size] = other
                list_distances[size] = distances[x - start, rank]
                size += 1
        first = last = 0
        for i in range(size):
            while list_distances[i] - list_distances[first] > TIE:
                first += 1
            while last < size and list_distances[last] - list_distances[i] <= TIE:
                last += 1
            low[begin + i], high[begin + i] = first, last


@compiled
def count_relabelled(lists, slot, labels, wins2, triplets):  # type: ignore[no-untyped-def]
    """Add the counts of some lists under many labellings.

    For an x with label g, a are the members of its list with label g, and b the others. 2 · wins + ties is the sum,
    over b, of the number of a before the members tied with b and of the number of a before the end of them.

    Parameters
    ----------
    lists : NeighbourLists
        Of at most 32,767 members each, since they are counted in int16.
    slot : ndarray of int64, shape (lists,)
        The index of the context to which each list adds.
    labels : ndarray of uint8, shape (batches, n, LABELLINGS_PER_BATCH)
    wins2, triplets : ndarray of int64, shape (batches, contexts, values, LABELLINGS_PER_BATCH)
        Added to.
    """
    width = LABELLINGS_PER_BATCH
    max_size = 0
    for k in range(len(lists.x)):
        max_size = max(max_size, lists.at[k + 1] - lists.at[k])
    # Flat arrays, sliced a batch at a time, because numba vectorizes loops over contiguous slices.
    n_before = np.zeros((max_size + 1) * width, np.int16)
    total = np.zeros(width, np.int32)
    for batch in range(len(labels)):
        label = labels[batch]
        for k in range(len(lists.x)):
            begin, size = lists.at[k], lists.at[k + 1] - lists.at[k]
            x_label = label[lists.x[k]]
            for i in range(size):
                member_label = label[lists.member[begin + i]]
                before = n_before[i * width : (i + 1) * width]
                including = n_before[(i + 1) * width : (i + 2) * width]
                for p in range(width):
                    including[p] = before[p] + (member_label[p] == x_label[p])
            total[:] = 0
            for i in range(size):
                member_label = label[lists.member[begin + i]]
                first, last = np.int64(lists.low[begin + i]) * width, np.int64(lists.high[begin + i]) * width
                below, up_to = n_before[first : first + width], n_before[last : last + width]
                for p in range(width):
                    ranks = np.int32(below[p]) + np.int32(up_to[p])
                    total[p] += ranks if member_label[p] != x_label[p] else 0
            slot_wins2, slot_triplets = wins2[batch, slot[k]], triplets[batch, slot[k]]
            n_a_all = n_before[size * width : (size + 1) * width]
            for p in range(width):
                n_a = np.int64(n_a_all[p])
                slot_wins2[x_label[p], p] += total[p]
                slot_triplets[x_label[p], p] += n_a * (size - n_a)
