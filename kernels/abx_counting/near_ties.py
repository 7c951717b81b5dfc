"""Near ties: comparisons closer to an edge of the tie band than the error of two products, repeated more precisely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.abx_counting.pair_constraint import is_excluded
from abxfast.kernels.cosine import TIE, exact_products
from abxfast.kernels.intrinsics import atomic_add
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.accumulators import Accumulators
    from abxfast.kernels.abx_counting.layout import CellLayout
    from abxfast.kernels.abx_counting.pair_constraint import PairConstraint
    from abxfast.kernels.abx_counting.vector_cache import UnitVectorCache


def resolve_near_ties(
    layout: CellLayout,
    cache: UnitVectorCache,
    constraint: PairConstraint,
    accumulators: Accumulators,
    undecided: NDArray[np.int64],
    tolerance: float,
    chunk: int,
) -> None:
    """Count the pairs (x, b) that `count_tile` left undecided, with near ties in twice float64's precision.

    The outcome depends on the unit vectors of x, a and b only, not on tiles or threads: a comparison further than
    `tolerance` from the edges of the tie band is the same with products in any order of summation.

    Parameters
    ----------
    layout : CellLayout
    cache : UnitVectorCache
    constraint : PairConstraint
        By position.
    accumulators : Accumulators
        Added to.
    undecided : ndarray of int64, shape (n, 3)
        Position of x, position of b, cell.
    tolerance : float
        Bound on the error of a comparison: that of two float64 products and, with marginals, that of the order of the
        distance lists.
    chunk : int
        Number of unit vectors in memory at a time.
    """
    pairs = layout.cell_pair[undecided[:, 2]]
    order = np.lexsort((pairs, undecided[:, 0]))
    undecided, pairs = undecided[order], pairs[order]
    # One run for each x and set A.
    starts = np.flatnonzero((np.diff(undecided[:, 0], prepend=-1) != 0) | (np.diff(pairs, prepend=-1) != 0))
    for start, stop in zip(starts, np.append(starts[1:], len(undecided)), strict=True):
        i, a = int(undecided[start, 0]), layout.pair_a[pairs[start]]
        a0, a1 = int(layout.bounds[a]), int(layout.bounds[a + 1])
        x = cache(i, i + 1)[0]
        a_products = _Products(cache, x, np.arange(a0, a1), chunk)
        b_products = _Products(cache, x, undecided[start:stop, 1], chunk)
        a_is_near, b_is_near = np.zeros(a1 - a0, np.bool_), np.zeros(stop - start, np.bool_)
        _find_near_ties(a_products.high, b_products.high, tolerance, a_is_near, b_is_near)
        a_products.refine(a_is_near)
        b_products.refine(b_is_near)
        _count_undecided(
            layout,
            constraint,
            accumulators,
            undecided[start:stop],
            a0,
            (a_products.high, a_products.low),
            (b_products.high, b_products.low),
        )


class _Products:
    """The products of x with the vectors at some positions.

    Each is a sum ``high + low``: in float64, with ``low`` 0, until it is refined.
    """

    def __init__(
        self, cache: UnitVectorCache, x: NDArray[np.float64], positions: NDArray[np.int64], chunk: int
    ) -> None:
        self._cache, self._x, self._positions, self._chunk = cache, x, positions, chunk
        self.high, self.low = np.empty(len(positions)), np.zeros(len(positions))
        for start in range(0, len(positions), chunk):
            self.high[start : start + chunk] = cache.take(positions[start : start + chunk]) @ x

    def refine(self, mask: NDArray[np.bool_]) -> None:
        """Compute some of the products again in twice float64's precision."""
        indices = np.flatnonzero(mask)
        for start in range(0, len(indices), self._chunk):
            chunk = indices[start : start + self._chunk]
            high, low = np.empty(len(chunk)), np.empty(len(chunk))
            exact_products(self._x, self._cache.take(self._positions[chunk]), high, low)
            self.high[chunk], self.low[chunk] = high, low


@compiled
def _find_near_ties(a_products, b_products, tolerance, a_is_near, b_is_near):  # type: ignore[no-untyped-def]
    """Mark the a and b of comparisons within `tolerance` of an edge of the tie band."""
    for row in range(len(b_products)):
        for k in range(len(a_products)):
            if abs(abs(a_products[k] - b_products[row]) - TIE) <= tolerance:
                a_is_near[k] = b_is_near[row] = True


@compiled
def _count_undecided(  # type: ignore[no-untyped-def]
    layout, constraint, accumulators, undecided, first_a, a_products, b_products
):
    """Count the pairs (x, b) of one x and set A; products are tuples (high, low)."""
    (a_high, a_low), (b_high, b_low) = a_products, b_products
    i = undecided[0, 0]
    is_compared = np.empty(len(a_high), np.bool_)
    for k in range(len(a_high)):
        is_compared[k] = not is_excluded(constraint, i, first_a + k)
    for row in range(len(undecided)):
        cell_id, total = layout.cell_id[undecided[row, 2]], 0
        for k in range(len(a_high)):
            # d(b, x) − d(a, x). In near ties the high parts are so close that their difference is exact.
            difference = (a_high[k] - b_high[row]) + (a_low[k] - b_low[row])
            won = 2 * (difference > TIE) + (abs(difference) <= TIE) if is_compared[k] else 0
            total += won
            if accumulators.has_marginals and won:
                a_slot = accumulators.a_offsets[cell_id] + accumulators.block_of[first_a + k]
                atomic_add(accumulators.wins2_a, a_slot, won)  # type: ignore[call-arg]
        atomic_add(accumulators.wins2, cell_id, total)  # type: ignore[call-arg]
        if accumulators.has_marginals:
            x_slot = accumulators.x_offsets[cell_id] + accumulators.block_of[i]
            b_slot = accumulators.b_offsets[cell_id] + accumulators.block_of[undecided[row, 1]]
            atomic_add(accumulators.wins2_x, x_slot, total)
            atomic_add(accumulators.wins2_b, b_slot, total)
