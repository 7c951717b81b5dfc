"""Exact ABX counts by rank: for each x, its distances to A are sorted once and every b is looked up among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import config

from abxfast.kernels.abx_counting.layout import make_layout
from abxfast.kernels.abx_counting.marginals import Marginals, allocate_accumulators, count_triplets
from abxfast.kernels.abx_counting.pair_constraint import PairConstraint, constraint_of_positions
from abxfast.kernels.abx_counting.sweep import Sweep
from abxfast.kernels.abx_counting.tiling import choose_tiling
from abxfast.kernels.abx_counting.vector_cache import UnitVectorCache

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AbxCounts(NamedTuple):
    """The result of `abx_counts`.

    Attributes
    ----------
    wins2 : ndarray of int64, shape (cells,)
        2 · wins + ties.
    triplets : ndarray of int64, shape (cells,)
        Number of triplets.
    marginals : Marginals or None
    """

    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]
    marginals: Marginals | None


def abx_counts(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    cells: NDArray[np.int64],
    *,
    constraint: PairConstraint | None = None,
    blocks: NDArray[np.int64] | None = None,
    memory_mb: float = 512,
    threads: int | None = None,
) -> AbxCounts:
    """Count the triplets of each cell, wins twice and ties once.

    A triplet (a, b, x) is won if d(a, x) < d(b, x), where d is 1 − cos of the float64 unit vectors; distances that
    differ by at most `TIE` are tied. If A and X are the same group, a is never x.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        Finite. May be memory-mapped.
    rows : ndarray of int64, shape (m,)
        Rows of `embeddings`, group by group; each at most once.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    cells : ndarray of int64, shape (cells, 3)
        The groups A, B and X of each cell.
    constraint : PairConstraint, optional
        Pairs (a, x) to exclude. Its arrays are indexed as `embeddings`.
    blocks : ndarray of int64, shape (m,), optional
        The block of each of `rows` within its group: 0, 1, 2, … If given, marginals are computed.
    memory_mb : float, default 512
        Limit on memory beyond the embeddings, the result and `cells`, in megabytes.
    threads : int, optional
        By default as many as there are CPUs that this process may use.

    Returns
    -------
    AbxCounts
        Exactly the same for any `memory_mb`, `threads` and order of rows, groups and cells.

    Notes
    -----
    The number of a with d(a, x) < d(b, x) is the rank of d(b, x) among the n_A sorted distances of x to A, as in the
    Mann–Whitney statistic: O((n_A + n_B) log n_A) for each x instead of O(n_A · n_B). 2 · wins + ties is the sum of two
    ranks, one below the tie band and one above it.

    Products are computed in float64 by BLAS, which may sum in any order. Comparisons closer to an edge of the tie band
    than the worst-case error of two products (`product_error`) are repeated in twice the precision
    (`resolve_near_ties`).
    """
    layout, order = make_layout(rows, bounds, cells)
    wins2, triplets = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    accumulators, marginals = allocate_accumulators(order, bounds, cells, blocks, wins2)
    constraint = constraint_of_positions(constraint, layout.rows)
    if len(layout.cell_id):
        memory = int(memory_mb * 1e6) - sum(array.nbytes for array in layout)
        cache = UnitVectorCache(embeddings, layout.rows)
        tiling = choose_tiling(
            max(memory, 0),
            embeddings.itemsize * cache.dim,
            cache.dim,
            threads or config.NUMBA_DEFAULT_NUM_THREADS,  # type: ignore[attr-defined]
            layout,
            marginals=accumulators.has_marginals,
        )
        n_compared = np.zeros(len(layout.pair_x), np.int64)
        Sweep(layout, cache, constraint, accumulators, n_compared, tiling).run()
        n_b = np.diff(layout.bounds)[layout.cell_b]
        triplets[layout.cell_id] = n_compared[layout.cell_pair] * n_b
        if marginals is not None:
            count_triplets(layout, constraint, accumulators, marginals)
    return AbxCounts(wins2, triplets, marginals)
