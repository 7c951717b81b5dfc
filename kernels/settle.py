"""Settles what the error bound leaves open: comparisons nearer to the edge of the tie band than two products err."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.cosine import TIE, exact_products
from abxfast.kernels.jit import add_shared, compiled
from abxfast.kernels.lists import kept_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.count import Sink
    from abxfast.kernels.lists import Apart
    from abxfast.kernels.plan import Plan
    from abxfast.kernels.units import Units


def settle(plan: Plan, units: Units, apart: Apart, sink: Sink, open_: NDArray[np.int64], step: int) -> None:
    """Count the pairs (x, b) that `count_tile` left open, with products in twice float64's precision.

    What decides is the unit vectors of x, a and b and nothing else, so the counts do not depend on how the work was
    cut up.

    Parameters
    ----------
    plan, units, apart, sink
    open_ : ndarray of int64, shape (n, 3)
        Position of x, position of b, cell.
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
        high, low = np.empty(last - first), np.empty(last - first)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            exact_products(x, units(begin, end), high[begin - first : end - first], low[begin - first : end - first])
        b_high, b_low = np.empty(stop - start), np.empty(stop - start)
        for begin in range(start, stop, step):
            end = min(begin + step, stop)
            others = units.at(open_[begin:end, 1])
            exact_products(x, others, b_high[begin - start : end - start], b_low[begin - start : end - start])
        _compare(plan, apart, sink, open_[start:stop], first, high, low, b_high, b_low)


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
                add_shared(sink.as_a, sink.a_at[target] + sink.slots[first + k], won)  # type: ignore[call-arg]
        add_shared(sink.cells, target, total)  # type: ignore[call-arg]
        if sink.marginals:
            add_shared(sink.as_x, sink.x_at[target] + sink.slots[i], total)
            add_shared(sink.as_b, sink.b_at[target] + sink.slots[open_[row, 1]], total)
