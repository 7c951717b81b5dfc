"""Marginals of pairs of blocks: the triplets in which two blocks have two of the roles, whatever has the third."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.abx_counting.marginals import RoleMarginals
from abxfast.kernels.abx_counting.pair_constraint import constraint_of_positions, is_excluded
from abxfast.kernels.cosine import TIE, unit_vectors
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.pair_constraint import PairConstraint

_MAX_DISTANCES = 1 << 20
"""Distances that a thread holds and sorts at once, at 16 bytes each."""


class PairMarginals(NamedTuple):
    """The marginals of pairs of blocks in the roles of x and a, of x and b, and of a and b.

    Blocks i and j of cell c are at ``at[c] + i * n + j``, where n is the number of blocks of the second role.
    """

    xa: RoleMarginals
    xb: RoleMarginals
    ab: RoleMarginals


def count_block_pairs(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    blocks: NDArray[np.int64],
    *,
    constraint: PairConstraint | None = None,
    threads: int = 1,
) -> PairMarginals:
    """Count the triplets of each cell by pairs of blocks.

    Parameters
    ----------
    embeddings, rows, bounds, cells, constraint
        See `abx_counts`.
    blocks : ndarray of int64, shape (m,)
        The block of each of `rows` within its group: 0, 1, 2, …
    threads : int

    Notes
    -----
    The a and the b of each x are sorted by distance and merged, while the a of each block are counted:
    O(n_X · n_B · blocks of A). Comparisons on the very edge of the tie band are not repeated in twice the precision as
    in `abx_counts`; for the variances that these counts are for, a triplet more or less does not matter.
    """
    by_position = constraint_of_positions(constraint, rows)
    vectors = unit_vectors(embeddings[rows])
    n_blocks = np.maximum.reduceat(blocks, bounds[:-1]) + 1
    a, b, x = n_blocks[cells.T]
    marginals = PairMarginals(*(_allocate(size) for size in (x * a, x * b, a * b)))

    def count(span: tuple[int, int]) -> None:
        for c in range(*span):
            of_a, of_b, of_x = (slice(bounds[group], bounds[group + 1]) for group in cells[c])
            step = max(1, _MAX_DISTANCES // (of_a.stop - of_a.start + of_b.stop - of_b.start))
            for first in range(of_x.start, of_x.stop, step):
                of_some = slice(first, min(first + step, of_x.stop))
                to_a, to_b = (-(vectors[of_some] @ vectors[other].T) for other in (of_a, of_b))
                orders = np.argsort(to_a, axis=1), np.argsort(to_b, axis=1)
                of_role = blocks[of_some], blocks[of_a], blocks[of_b]
                _count_some(c, (a[c], b[c]), (to_a, to_b), orders, of_role, (first, of_a.start), by_position, marginals)

    size = max(1, -(-len(cells) // (4 * threads)))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(count, [(start, min(start + size, len(cells))) for start in range(0, len(cells), size)]))
    return marginals


def _allocate(size: NDArray[np.int64]) -> RoleMarginals:
    at = np.concatenate(([0], np.cumsum(size)))
    return RoleMarginals(at, np.zeros(at[-1], np.int64), np.zeros(at[-1], np.int64))


@compiled
def _count_some(cell, n_blocks, distances, orders, blocks, first_positions, constraint, marginals):  # type: ignore[no-untyped-def]
    """Add the triplets of some x of a cell to its marginals."""
    n_a_blocks, n_b_blocks = n_blocks
    to_a, to_b = distances
    a_order, b_order = orders
    block_of_x, block_of_a, block_of_b = blocks
    first_x, first_a = first_positions
    xa, xb, ab = marginals.xa.at[cell], marginals.xb.at[cell], marginals.ab.at[cell]
    (n_x, n_a), n_b = to_a.shape, to_b.shape[1]
    wins2 = np.empty((n_b_blocks, n_a_blocks), np.int64)
    n_in_b_block = np.zeros(n_b_blocks, np.int64)
    for j in range(n_b):
        n_in_b_block[block_of_b[j]] += 1
    n_before, n_compared = np.empty((2, n_a_blocks), np.int64)
    distance, block = np.empty(n_a), np.empty(n_a, np.int64)
    for i in range(n_x):
        size = 0
        n_compared[:] = 0
        for rank in range(n_a):
            j = a_order[i, rank]
            if not is_excluded(constraint, first_x + i, first_a + j):
                distance[size], block[size] = to_a[i, j], block_of_a[j]
                n_compared[block_of_a[j]] += 1
                size += 1
        wins2[:] = 0
        n_before[:] = 0
        first = last = 0
        for rank in range(n_b):
            j = b_order[i, rank]
            # n_before counts each a once below the tie band of b, and once below its upper edge.
            while first < size and distance[first] < to_b[i, j] - TIE:
                n_before[block[first]] += 1
                first += 1
            while last < size and distance[last] <= to_b[i, j] + TIE:
                n_before[block[last]] += 1
                last += 1
            row = wins2[block_of_b[j]]
            for k in range(n_a_blocks):
                row[k] += n_before[k]
        x_a, x_b = xa + block_of_x[i] * n_a_blocks, xb + block_of_x[i] * n_b_blocks
        for b in range(n_b_blocks):
            for a in range(n_a_blocks):
                won, total = wins2[b, a], n_compared[a] * n_in_b_block[b]
                marginals.xa.wins2[x_a + a] += won
                marginals.xa.triplets[x_a + a] += total
                marginals.xb.wins2[x_b + b] += won
                marginals.xb.triplets[x_b + b] += total
                marginals.ab.wins2[ab + a * n_b_blocks + b] += won
                marginals.ab.triplets[ab + a * n_b_blocks + b] += total


@compiled
def expand_block_pairs(at, first, second, n_second, values, cell, one, other):  # type: ignore[no-untyped-def]
    """Write the cell of each element of one of `PairMarginals`, and the values of its two blocks.

    Parameters
    ----------
    at : ndarray of int64, shape (cells + 1,)
    first, second : ndarray of int64, shape (cells,)
        Where the values of the blocks of either role start in `values`, in each cell.
    n_second : ndarray of int64, shape (cells,)
        Number of blocks of the second role.
    values : ndarray of int64
        One for each block.
    cell, one, other : ndarray of int64, shape (at[-1],)
        Written.
    """
    for c in range(len(first)):
        for k in range(at[c], at[c + 1]):
            i = (k - at[c]) // n_second[c]
            cell[k], one[k] = c, values[first[c] + i]
            other[k] = values[second[c] + k - at[c] - i * n_second[c]]
