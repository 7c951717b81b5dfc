"""Scores under other labels: every x keeps its sorted list of the others, only the labels along it change."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.cosine import TIE
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELLINGS_PER_BATCH = 64
"""Labellings that are counted together, side by side in vector registers."""


class ComparisonRules(NamedTuple):
    """Which snippets may meet; int64 arrays of shape (n,) but `gap`.

    Attributes
    ----------
    across : ndarray
        x meets those that do not share it, those of each value by themselves; not asked where all are −1.
    recording, place : ndarray
        Snippets of one recording meet from a distance of ``gap[recording]`` places on.
    gap : ndarray of int64, shape (recordings,)
    """

    across: NDArray[np.int64]
    recording: NDArray[np.int64]
    place: NDArray[np.int64]
    gap: NDArray[np.int64]


class NeighbourLists(NamedTuple):
    """For each x, and each value of ACROSS that it meets, the others by distance.

    Attributes
    ----------
    x : ndarray of int64, shape (lists,)
    context : ndarray of int64, shape (lists, 2)
        ACROSS of x, and of the others.
    at : ndarray of int64, shape (lists + 1,)
        List l is ``member[at[l]:at[l + 1]]``.
    member : ndarray of int32
        Rows, nearest first.
    low, high : ndarray of int32
        How many of the list are nearer than this member by more than the tie band; how many are not farther by more.
    """

    x: NDArray[np.int64]
    context: NDArray[np.int64]
    at: NDArray[np.int64]
    member: NDArray[np.int32]
    low: NDArray[np.int32]
    high: NDArray[np.int32]


def sort_neighbours(units: NDArray[np.float64], start: int, stop: int, design: ComparisonRules) -> NeighbourLists:
    """Sort what each x from `start` to `stop` meets.

    Parameters
    ----------
    units : ndarray of float64, shape (n, dim)
        Unit vectors.
    start, stop : int
    design : Design

    Returns
    -------
    Lists

    Notes
    -----
    Distances are those of the float64 products. Unlike in `abx_counts`, a comparison that lies on the very edge of the
    tie band (to within 1e-13) is not taken again in twice the precision: it moves a score by less than a triplet, in
    the observed and the permuted labels alike.
    """
    distances = -(units[start:stop] @ units.T)
    order = np.argsort(distances, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    n_values = max(1, int(design.across.max()) + 1)
    at, x, context = _sizes(start, stop, design, n_values)
    member, low, high = (np.empty(at[-1], np.int32) for _ in range(3))
    _fill(distances, order, start, design, at, x, context, member, low, high)
    return NeighbourLists(x, context, at, member, low, high)


@compiled
def _meets(design, x, other, value):  # type: ignore[no-untyped-def]
    if x == other:
        return False
    if design.across[x] >= 0 and (design.across[other] != value or design.across[x] == value):
        return False
    if design.recording[x] != design.recording[other]:
        return True
    return abs(design.place[x] - design.place[other]) >= design.gap[design.recording[x]]


@compiled
def _sizes(start, stop, design, n_values):  # type: ignore[no-untyped-def]
    most = (stop - start) * n_values
    at, x_of, context = np.zeros(most + 1, np.int64), np.zeros(most, np.int64), np.zeros((most, 2), np.int64)
    count = 0
    for x in range(start, stop):
        for value in range(n_values):
            size = 0
            for other in range(len(design.place)):
                size += _meets(design, x, other, value)
            if size:
                x_of[count] = x
                context[count, 0], context[count, 1] = design.across[x], value
                at[count + 1] = at[count] + size
                count += 1
    return at[: count + 1], x_of[:count], context[:count]


@compiled
def _fill(distances, order, start, design, at, x_of, context, member, low, high):  # type: ignore[no-untyped-def]
    near = np.empty(len(design.place))
    for k in range(len(x_of)):
        x, begin, size = x_of[k], at[k], 0
        for place in range(len(design.place)):
            other = order[x - start, place]
            if _meets(design, x, other, context[k, 1]):
                member[begin + size] = other
                near[size] = distances[x - start, place]
                size += 1
        first = last = 0
        for i in range(size):
            while near[i] - near[first] > TIE:
                first += 1
            while last < size and near[last] - near[i] <= TIE:
                last += 1
            low[begin + i], high[begin + i] = first, last


@compiled
def count_relabelled(lists, slot, labels, wins2, triplets):  # type: ignore[no-untyped-def]
    """Add the counts of some lists under many labellings.

    For x with label g, a are the members that share g, b the others: 2 · wins + ties is the sum over b of how many a
    stand before the tie band of b and how many before its end.

    Parameters
    ----------
    lists : Lists
        Of at most 32,767 members each: they are counted in int16.
    slot : ndarray of int64, shape (lists,)
        The context that each list counts for.
    labels : ndarray of uint8, shape (batches, n, WIDTH)
    wins2, triplets : ndarray of int64, shape (batches, contexts, values, WIDTH)
    """
    longest = 0
    for k in range(len(lists.x)):
        longest = max(longest, lists.at[k + 1] - lists.at[k])
    # Flat, and sliced WIDTH at a time: numba then sees plain stretches and uses vector registers.
    before = np.zeros((longest + 1) * LABELLINGS_PER_BATCH, np.int16)
    total = np.zeros(LABELLINGS_PER_BATCH, np.int32)
    for batch in range(len(labels)):
        label = labels[batch]
        for k in range(len(lists.x)):
            begin, size = lists.at[k], lists.at[k + 1] - lists.at[k]
            own = label[lists.x[k]]
            for i in range(size):
                theirs = label[lists.member[begin + i]]
                here, there = (
                    before[i * LABELLINGS_PER_BATCH : (i + 1) * LABELLINGS_PER_BATCH],
                    before[(i + 1) * LABELLINGS_PER_BATCH : (i + 2) * LABELLINGS_PER_BATCH],
                )
                for p in range(LABELLINGS_PER_BATCH):
                    there[p] = here[p] + (theirs[p] == own[p])
            total[:] = 0
            for i in range(size):
                theirs = label[lists.member[begin + i]]
                first, last = (
                    np.int64(lists.low[begin + i]) * LABELLINGS_PER_BATCH,
                    np.int64(lists.high[begin + i]) * LABELLINGS_PER_BATCH,
                )
                below, upto = before[first : first + LABELLINGS_PER_BATCH], before[last : last + LABELLINGS_PER_BATCH]
                for p in range(LABELLINGS_PER_BATCH):
                    total[p] += (np.int32(below[p]) + np.int32(upto[p])) if theirs[p] != own[p] else 0
            won, of = wins2[batch, slot[k]], triplets[batch, slot[k]]
            every = before[size * LABELLINGS_PER_BATCH : (size + 1) * LABELLINGS_PER_BATCH]
            for p in range(LABELLINGS_PER_BATCH):
                n_own = np.int64(every[p])
                won[own[p], p] += total[p]
                of[own[p], p] += n_own * (size - n_own)
