"""Marginals: what each snippet, or block of snippets, wins as x, as a and as b."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.counting import Accumulators
from abxfast.kernels.jit import compiled
from abxfast.kernels.sorted_distances import kept_apart

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.layout import CellLayout
    from abxfast.kernels.sorted_distances import PairConstraint


class RoleMarginals(NamedTuple):
    """What the blocks of one role won: those of cell c stand at ``at[c]`` to ``at[c + 1]``.

    Attributes
    ----------
    at : ndarray of int64, shape (cells + 1,)
    wins2, triplets : ndarray of int64, shape (at[-1],)
    """

    at: NDArray[np.int64]
    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]


class Marginals(NamedTuple):
    """The shares of X, A and B. Each sums to the cell's own count."""

    x: RoleMarginals
    a: RoleMarginals
    b: RoleMarginals


def empty_accumulators(
    plan: CellLayout,
    order: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    blocks: NDArray[np.int64] | None,
    wins2: NDArray[np.int64],
) -> tuple[Accumulators, Marginals | None]:
    """Make room for the counts, and for the marginals where blocks are given."""
    none = np.empty(0, np.int64)
    if blocks is None:
        return Accumulators(wins2, none, none, none, none, none, none, none, marginals=False), None
    n_blocks = np.zeros(len(bounds) - 1, np.int64)
    np.maximum.at(n_blocks, np.repeat(np.arange(len(n_blocks)), np.diff(bounds)), blocks + 1)
    shares = []
    for role in (2, 0, 1):
        at = np.concatenate(([0], np.cumsum(n_blocks[cells[:, role]])))
        shares.append(RoleMarginals(at, np.zeros(at[-1], np.int64), np.zeros(at[-1], np.int64)))
    x, a, b = shares
    slots = np.ascontiguousarray(blocks[order])
    return Accumulators(wins2, x.wins2, a.wins2, b.wins2, x.at, a.at, b.at, slots, marginals=True), Marginals(x, a, b)


def count_triplets(plan: CellLayout, apart: PairConstraint, sink: Accumulators, marginals: Marginals) -> None:
    """Count the triplets that each block takes part in."""
    x, a, b = (share.triplets for share in marginals)
    # numba takes a second and a half to compile a sort of its own.
    _count_triplets(plan, np.argsort(plan.cell_pair, kind="stable"), apart, sink, x, a, b)


@compiled
def _count_triplets(plan, order, apart, sink, of_x, of_a, of_b):  # type: ignore[no-untyped-def]
    k, all_meet = 0, len(apart.codes) == 0 and apart.min_gap_s <= 0
    for pair in range(len(plan.pair_x)):
        x, a = plan.pair_x[pair], plan.pair_a[pair]
        x0, a0 = plan.bounds[x], plan.bounds[a]
        n_x, n_a = plan.bounds[x + 1] - x0, plan.bounds[a + 1] - a0
        by_x, by_a = np.empty(n_x, np.int64), np.empty(n_a, np.int64)
        for i in range(n_x):
            by_x[i] = n_a - (x == a) if all_meet else 0
        for j in range(n_a):
            by_a[j] = n_x - (x == a) if all_meet else 0
        for i in range(0 if all_meet else n_x):
            for j in range(n_a):
                if not kept_apart(apart, x0 + i, a0 + j):
                    by_x[i] += 1
                    by_a[j] += 1
        while k < len(order) and plan.cell_pair[order[k]] == pair:
            cell = order[k]
            target, b = plan.cell_id[cell], plan.cell_b[cell]
            b0, b1 = plan.bounds[b], plan.bounds[b + 1]
            for i in range(n_x):
                of_x[sink.x_at[target] + sink.slots[x0 + i]] += by_x[i] * (b1 - b0)
            for j in range(n_a):
                of_a[sink.a_at[target] + sink.slots[a0 + j]] += by_a[j] * (b1 - b0)
            total = by_x.sum()
            for j in range(b0, b1):
                of_b[sink.b_at[target] + sink.slots[j]] += total
            k += 1


@compiled
def expand_blocks(at, first, values, cell, value):  # type: ignore[no-untyped-def]
    """Write down the cell of each number of a share, and the value of its block.

    Parameters
    ----------
    at : ndarray of int64, shape (cells + 1,)
        Where the numbers of each cell start.
    first : ndarray of int64, shape (cells,)
        Where the values of each cell's blocks start.
    values : ndarray of int64
    cell, value : ndarray of int64, shape (at[-1],)
        Written.
    """
    for c in range(len(first)):
        for k in range(at[c], at[c + 1]):
            cell[k] = c
            value[k] = values[first[c] + k - at[c]]
