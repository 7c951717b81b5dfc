"""Settles what the error bound leaves open: comparisons nearer to the edge of the tie band than two products err."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.cosine import TIE, exact_products
from abxfast.kernels.jit import atomic_add, compiled
from abxfast.kernels.sorted_distances import kept_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.counting import Accumulators
    from abxfast.kernels.layout import CellLayout
    from abxfast.kernels.sorted_distances import PairConstraint
    from abxfast.kernels.vector_cache import UnitVectorCache


def resolve_near_ties(
    plan: CellLayout,
    units: UnitVectorCache,
    apart: PairConstraint,
    sink: Accumulators,
    open_: NDArray[np.int64],
    edge: float,
    step: int,
) -> None:
    """Count the pairs (x, b) that `count_tile` left open: what lies on an edge with products in twice the precision.

    What decides is the unit vectors of x, a and b and nothing else, so the counts do not depend on how the work was
    cut up: a comparison further than `edge` from the edges of the tie band comes out the same with any products.

    Parameters
    ----------
    plan, units, apart, sink
    open_ : ndarray of int64, shape (n, 3)
        Position of x, position of b, cell.
    edge : float
        How far a comparison may err: two float64 products together, and with marginals the order of the own lists.
    step : int
        Unit vectors made at a time.
    """
    pairs = plan.cell_pair[open_[:, 2]]
    order = np.lexsort((pairs, open_[:, 0]))
    open_, pairs = open_[order], pairs[order]
    starts = np.flatnonzero((np.diff(open_[:, 0], prepend=-1) != 0) | (np.diff(pairs, prepend=-1) != 0))
    for start, stop in zip(starts, np.append(starts[1:], len(open_)), strict=True):
        i, a = int(open_[start, 0]), plan.pair_a[pairs[start]]
        first, last = int(plan.bounds[a]), int(plan.bounds[a + 1])
        x = units(i, i + 1)[0]
        of_a = _Products(units, x, np.arange(first, last), step)
        of_b = _Products(units, x, open_[start:stop, 1], step)
        a_open, b_open = np.zeros(last - first, np.bool_), np.zeros(stop - start, np.bool_)
        _find_open(of_a.high, of_b.high, edge, a_open, b_open)
        of_a.refine(a_open)
        of_b.refine(b_open)
        _compare(plan, apart, sink, open_[start:stop], first, of_a.high, of_a.low, of_b.high, of_b.low)


class _Products:
    """The products of x with the vectors at some positions, high + low; in float64, and low 0, until refined."""

    def __init__(self, units: UnitVectorCache, x: NDArray[np.float64], positions: NDArray[np.int64], step: int) -> None:
        self._units, self._x, self._positions, self._step = units, x, positions, step
        self.high, self.low = np.empty(len(positions)), np.zeros(len(positions))
        for begin in range(0, len(positions), step):
            self.high[begin : begin + step] = units.at(positions[begin : begin + step]) @ x

    def refine(self, which: NDArray[np.bool_]) -> None:
        """Take some anew in twice the precision."""
        places = np.flatnonzero(which)
        for begin in range(0, len(places), self._step):
            some = places[begin : begin + self._step]
            high, low = np.empty(len(some)), np.empty(len(some))
            exact_products(self._x, self._units.at(self._positions[some]), high, low)
            self.high[some], self.low[some] = high, low


@compiled
def _find_open(near, far, edge, a_open, b_open):  # type: ignore[no-untyped-def]
    for row in range(len(far)):
        for k in range(len(near)):
            if abs(abs(near[k] - far[row]) - TIE) <= edge:
                a_open[k] = b_open[row] = True


@compiled
def _compare(plan, apart, sink, open_, first, high, low, b_high, b_low):  # type: ignore[no-untyped-def]
    i = open_[0, 0]
    allowed = np.empty(len(high), np.bool_)
    for k in range(len(high)):
        allowed[k] = not kept_apart(apart, i, first + k)
    for row in range(len(open_)):
        target, total = plan.cell_id[open_[row, 2]], 0
        for k in range(len(high)):
            # d(b, x) − d(a, x); the high parts are close where it matters, so that their difference is exact
            gap = (high[k] - b_high[row]) + (low[k] - b_low[row])
            won = 2 * (gap > TIE) + (abs(gap) <= TIE) if allowed[k] else 0
            total += won
            if sink.marginals and won:
                atomic_add(sink.as_a, sink.a_at[target] + sink.slots[first + k], won)  # type: ignore[call-arg]
        atomic_add(sink.cells, target, total)  # type: ignore[call-arg]
        if sink.marginals:
            atomic_add(sink.as_x, sink.x_at[target] + sink.slots[i], total)
            atomic_add(sink.as_b, sink.b_at[target] + sink.slots[open_[row, 1]], total)
