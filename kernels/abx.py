"""Exact ABX counts by rank: for each x, its distances to A are sorted once and every b is looked up among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import config

from abxfast.kernels.layout import make_layout
from abxfast.kernels.marginals import Marginals, count_triplets, empty_accumulators
from abxfast.kernels.sorted_distances import PairConstraint
from abxfast.kernels.sweep import Sweep, choose_tiling
from abxfast.kernels.vector_cache import UnitVectorCache

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AbxCounts(NamedTuple):
    """What `abx_counts` gives.

    Attributes
    ----------
    wins2 : ndarray of int64, shape (cells,)
        2 · wins + ties.
    triplets : ndarray of int64, shape (cells,)
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
    apart: PairConstraint | None = None,
    blocks: NDArray[np.int64] | None = None,
    memory_mb: float = 512,
    threads: int | None = None,
) -> AbxCounts:
    """Count the triplets of every cell, wins twice and ties once.

    A triplet (a, b, x) is won where d(a, x) < d(b, x), d being 1 − cos of the float64 unit vectors; distances that
    differ by at most `TIE` are a tie. Where A and X are one group, a is never x.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        Finite. May be mapped from a file.
    rows : ndarray of int64, shape (m,)
        Rows of `embeddings`, group by group; each at most once.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    cells : ndarray of int64, shape (cells, 3)
        The groups A, B and X of each cell.
    apart : Apart, optional
        Pairs (a, x) to leave out; its arrays are as long as `embeddings`.
    blocks : ndarray of int64, shape (m,), optional
        Asks for marginals: the block of each of `rows` within its group, 0, 1, 2, …
    memory_mb : float
        Bound on the memory taken beyond the embeddings, the result and the list of cells.
    threads : int, optional
        All that this process may use, unless given.

    Returns
    -------
    AbxCounts
        Independent of `memory_mb`, `threads` and the order of rows, groups and cells, to the last triplet.

    Notes
    -----
    With n_A own distances sorted, the number of a for which d(a, x) < d(b, x) is the rank of d(b, x) among them, as in
    the Mann–Whitney statistic: O((n_A + n_B) log n_A) for each x in place of O(n_A · n_B). Ties count one half, so
    2 · wins + ties is the sum of two ranks, one with the tie band below and one with it above.

    Products are taken in float64 by BLAS, in any order. Where two of them lie closer to the edge of the tie band than
    the worst-case error of both (`product_error`), the comparison is taken again in twice the precision
    (`resolve_near_ties`).
    """
    plan, order = make_layout(rows, bounds, cells)
    wins2, triplets = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    sink, marginals = empty_accumulators(plan, order, bounds, cells, blocks, wins2)
    there = _sorted_apart(apart, plan.rows)
    if len(plan.cell_id):
        memory = int(memory_mb * 1e6) - sum(array.nbytes for array in plan)
        dim = embeddings.shape[1]
        sizes = choose_tiling(
            max(memory, 0),
            embeddings.itemsize * dim,
            dim,
            threads or config.NUMBA_DEFAULT_NUM_THREADS,  # type: ignore[attr-defined]
            plan,
            marginals=sink.marginals,
        )
        live = np.zeros(len(plan.pair_x), np.int64)
        Sweep(plan, UnitVectorCache(embeddings, plan.rows), there, sink, live, dim, sizes).run()
        n_b = np.diff(plan.bounds)[plan.cell_b]
        triplets[plan.cell_id] = live[plan.cell_pair] * n_b
        if marginals is not None:
            count_triplets(plan, there, sink, marginals)
    return AbxCounts(wins2, triplets, marginals)


def _sorted_apart(apart: PairConstraint | None, rows: NDArray[np.int64]) -> PairConstraint:
    if apart is None:
        none, nowhere = np.empty(0, np.int64), np.empty(0)
        return PairConstraint(np.empty((0, 0), np.int64), none, nowhere, nowhere, 0.0)
    codes = np.ascontiguousarray(apart.codes[:, rows])
    if apart.min_gap_s <= 0:
        return PairConstraint(codes, np.empty(0, np.int64), np.empty(0), np.empty(0), 0.0)
    return PairConstraint(codes, apart.recording[rows], apart.start_s[rows], apart.end_s[rows], float(apart.min_gap_s))
