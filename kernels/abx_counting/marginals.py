"""Marginals: what each snippet, or block of snippets, wins as x, as a and as b."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.abx_counting.accumulators import Accumulators
from abxfast.kernels.abx_counting.pair_constraint import is_excluded
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.layout import CellLayout
    from abxfast.kernels.abx_counting.pair_constraint import PairConstraint


class RoleMarginals(NamedTuple):
    """What the blocks of one role (x, a or b) win; those of cell c are at ``at[c]`` to ``at[c + 1]``.

    Attributes
    ----------
    at : ndarray of int64, shape (cells + 1,)
    wins2, triplets : ndarray of int64, shape (at[-1],)
        2 · wins + ties, and the number of triplets.
    """

    at: NDArray[np.int64]
    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]


class Marginals(NamedTuple):
    """The marginals of X, A and B. Those of one role sum to the counts of the cell."""

    x: RoleMarginals
    a: RoleMarginals
    b: RoleMarginals


def allocate_accumulators(
    order: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    blocks: NDArray[np.int64] | None,
    wins2: NDArray[np.int64],
) -> tuple[Accumulators, Marginals | None]:
    """Allocate accumulators, and marginals that share their memory.

    Parameters
    ----------
    order : ndarray of int64, shape (m,)
        See `make_layout`.
    bounds, cells, blocks
        See `abx_counts`.
    wins2 : ndarray of int64, shape (cells,)
        Zeros; becomes part of the accumulators.

    Returns
    -------
    Accumulators
    Marginals or None
        None without blocks. Their numbers of triplets are still 0.
    """
    empty = np.empty(0, np.int64)
    if blocks is None:
        return Accumulators(wins2, empty, empty, empty, empty, empty, empty, empty, has_marginals=False), None
    n_blocks = np.zeros(len(bounds) - 1, np.int64)
    np.maximum.at(n_blocks, np.repeat(np.arange(len(n_blocks)), np.diff(bounds)), blocks + 1)
    roles = []
    for column in (2, 0, 1):
        offsets = np.concatenate(([0], np.cumsum(n_blocks[cells[:, column]])))
        roles.append(RoleMarginals(offsets, np.zeros(offsets[-1], np.int64), np.zeros(offsets[-1], np.int64)))
    x, a, b = roles
    block_of = np.ascontiguousarray(blocks[order])
    accumulators = Accumulators(wins2, x.wins2, a.wins2, b.wins2, x.at, a.at, b.at, block_of, has_marginals=True)
    return accumulators, Marginals(x, a, b)


def count_triplets(
    layout: CellLayout, constraint: PairConstraint, accumulators: Accumulators, marginals: Marginals
) -> None:
    """Count the triplets that each block takes part in.

    Parameters
    ----------
    layout : CellLayout
    constraint : PairConstraint
        By position.
    accumulators : Accumulators
    marginals : Marginals
        Its `triplets` are added to.
    """
    # Sorted here because numba takes 1.5 s to compile a sort.
    order = np.argsort(layout.cell_pair, kind="stable")
    _count_triplets(layout, order, constraint, accumulators, *(role.triplets for role in marginals))


@compiled
def _count_triplets(layout, order, constraint, accumulators, x_triplets, a_triplets, b_triplets):  # type: ignore[no-untyped-def]
    k, no_constraint = 0, len(constraint.codes) == 0 and constraint.min_gap_s <= 0
    block_of = accumulators.block_of
    for pair in range(len(layout.pair_x)):
        x, a = layout.pair_x[pair], layout.pair_a[pair]
        x0, a0 = layout.bounds[x], layout.bounds[a]
        n_x, n_a = layout.bounds[x + 1] - x0, layout.bounds[a + 1] - a0
        # How many a each x is compared with, and how many x each a.
        by_x, by_a = np.empty(n_x, np.int64), np.empty(n_a, np.int64)
        for i in range(n_x):
            by_x[i] = n_a - (x == a) if no_constraint else 0
        for j in range(n_a):
            by_a[j] = n_x - (x == a) if no_constraint else 0
        for i in range(0 if no_constraint else n_x):
            for j in range(n_a):
                if not is_excluded(constraint, x0 + i, a0 + j):
                    by_x[i] += 1
                    by_a[j] += 1
        while k < len(order) and layout.cell_pair[order[k]] == pair:
            cell = order[k]
            cell_id, b = layout.cell_id[cell], layout.cell_b[cell]
            b0, b1 = layout.bounds[b], layout.bounds[b + 1]
            for i in range(n_x):
                x_triplets[accumulators.x_offsets[cell_id] + block_of[x0 + i]] += by_x[i] * (b1 - b0)
            for j in range(n_a):
                a_triplets[accumulators.a_offsets[cell_id] + block_of[a0 + j]] += by_a[j] * (b1 - b0)
            total = by_x.sum()
            for j in range(b0, b1):
                b_triplets[accumulators.b_offsets[cell_id] + block_of[j]] += total
            k += 1


@compiled
def expand_blocks(at, first, values, cell, value):  # type: ignore[no-untyped-def]
    """Write the cell of each element of a `RoleMarginals`, and the value of its block.

    Parameters
    ----------
    at : ndarray of int64, shape (cells + 1,)
        Where the elements of each cell start.
    first : ndarray of int64, shape (cells,)
        Where the values of each cell's blocks start in `values`.
    values : ndarray of int64
        One for each block.
    cell, value : ndarray of int64, shape (at[-1],)
        Written.
    """
    for c in range(len(first)):
        for k in range(at[c], at[c + 1]):
            cell[k] = c
            value[k] = values[first[c] + k - at[c]]
