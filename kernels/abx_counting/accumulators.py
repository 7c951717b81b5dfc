"""Where counts are summed: first in scratch memory of one thread, then in the accumulators that all threads share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.intrinsics import LANES, atomic_add
from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKS = 256
"""Number of b that are looked up at a time."""
_MAX_A_SUMS = 1 << 18
_MAX_B_SUMS = 1 << 14
_MAX_UINT16 = (1 << 16) - 1


class Accumulators(NamedTuple):
    """Shared sums of 2 · wins + ties, to which several threads add.

    Attributes
    ----------
    wins2 : ndarray of int64, shape (cells,)
    wins2_x, wins2_a, wins2_b : ndarray of int64
        Marginals, cell after cell, block after block; empty unless `has_marginals`.
    x_offsets, a_offsets, b_offsets : ndarray of int64, shape (cells + 1,)
        Where the blocks of each cell start in them.
    block_of : ndarray of int64, shape (m,)
        The block of each position, counted within its group.
    has_marginals : bool
    """

    wins2: NDArray[np.int64]
    wins2_x: NDArray[np.int64]
    wins2_a: NDArray[np.int64]
    wins2_b: NDArray[np.int64]
    x_offsets: NDArray[np.int64]
    a_offsets: NDArray[np.int64]
    b_offsets: NDArray[np.int64]
    block_of: NDArray[np.int64]
    has_marginals: bool


class CellRun(NamedTuple):
    """Consecutive cells of one X that are counted together.

    Attributes
    ----------
    first, last : int
        The cells from `first` to before `last`.
    n_lanes : int
        Lanes of their vectors in `Scratch`.
    """

    first: int
    last: int
    n_lanes: int


class Scratch(NamedTuple):
    """Sums of one thread over a run of cells; all zeros between runs, except for `ranks`.

    Consecutive cells that have X and A in common share vectors of `LANES` elements, a lane for each cell; in a run
    where no two have, vectors have a single lane.

    Attributes
    ----------
    totals : ndarray of int64
        For each cell.
    lanes : ndarray of int64
        The lane of each cell; 0 after the last.
    steps : ndarray of uint16
        For each rank in a list, a vector of how many b have that rank, counted twice: a b without ties twice at its
        rank, one with ties once at either end of the tie. Less than 2¹⁶, since tiles have less than 2¹⁵ columns.
    a_sums : ndarray of uint16
        For each a of each vector of cells, a vector of what the a has won.
    b_sums : ndarray of int64
        For each b of each cell, what the b has won.
    ranks : ndarray of uint32, shape (RANKS,)
    """

    totals: NDArray[np.int64]
    lanes: NDArray[np.int64]
    steps: NDArray[np.uint16]
    a_sums: NDArray[np.uint16]
    b_sums: NDArray[np.int64]
    ranks: NDArray[np.uint32]


@compiled
def allocate_scratch(tile, layout, has_marginals):  # type: ignore[no-untyped-def]
    """Return scratch memory for any run of cells of a tile; for sums of a and b only with marginals.

    Parameters
    ----------
    tile : Tile
    layout : CellLayout
    has_marginals : bool

    Returns
    -------
    Scratch
    """
    max_n_a, max_cells, n_columns = 1, 1, tile.j1 - tile.j0
    for x in range(layout.group_of[tile.i0], layout.group_of[tile.i1 - 1] + 1):
        max_cells = max(max_cells, layout.cell_offsets[x + 1] - layout.cell_offsets[x])
        for pair in range(layout.pair_offsets[x], layout.pair_offsets[x + 1]):
            a = layout.pair_a[pair]
            max_n_a = max(max_n_a, layout.bounds[a + 1] - layout.bounds[a])
    if not has_marginals:
        max_n_a = n_columns = 0
    return Scratch(
        np.zeros(max_cells, np.int64),
        np.zeros(max_cells + 1, np.int64),
        np.zeros((max_n_a + 1) * LANES, np.uint16),
        np.zeros(max(max_n_a * LANES, min(max_n_a * LANES * max_cells, _MAX_A_SUMS)), np.uint16),
        np.zeros(max(n_columns, min(n_columns * max_cells, _MAX_B_SUMS)), np.int64),
        np.empty(RANKS, np.uint32),
    )


@compiled
def cell_members(tile, layout, cell):  # type: ignore[no-untyped-def]
    """Return the group A of a cell, and the range of its b that are columns of the tile."""
    b = layout.cell_b[cell]
    return (
        layout.pair_a[layout.cell_pair[cell]],
        max(layout.bounds[b], tile.j0),
        min(layout.bounds[b + 1], tile.j1),
    )


@compiled
def fit_cells(tile, layout, first, end, scratch):  # type: ignore[no-untyped-def]
    """Find how many cells the scratch memory holds, and assign their lanes.

    Parameters
    ----------
    tile : Tile
    layout : CellLayout
    first, end : int
        The cells to fit, at least one.
    scratch : Scratch
        Its `lanes` are written.

    Returns
    -------
    run : CellRun
    max_n_x : int
        The number of x after which an element of `a_sums` might overflow.
    """
    cell, n_lanes, lane, n_a_sums, n_b_sums, max_n_b = first, 0, 0, 0, 0, 1
    while cell < end:
        shares_vector = cell + 1 < end and layout.cell_pair[cell + 1] == layout.cell_pair[cell]
        if cell == first:
            n_lanes = LANES if shares_vector else 1
        a, b0, b1 = cell_members(tile, layout, cell)
        n_a_sums += (layout.bounds[a + 1] - layout.bounds[a]) * n_lanes if lane == 0 else 0
        n_b_sums += b1 - b0
        is_full = n_a_sums > len(scratch.a_sums) or n_b_sums > len(scratch.b_sums)
        if is_full or (shares_vector and n_lanes == 1):
            break
        max_n_b = max(max_n_b, b1 - b0)
        scratch.lanes[cell - first] = lane
        lane = lane + 1 if shares_vector and lane + 1 < n_lanes else 0
        cell += 1
    scratch.lanes[cell - first] = 0
    return CellRun(first, cell, n_lanes), max(_MAX_UINT16 // (2 * max_n_b), 1)


@compiled
def flush(tile, layout, run, scratch, accumulators):  # type: ignore[no-untyped-def]
    """Add the sums of a run of cells to the accumulators and zero them.

    Parameters
    ----------
    tile : Tile
    layout : CellLayout
    run : CellRun
    scratch : Scratch
    accumulators : Accumulators
    """
    a_start = b_start = 0
    for cell in range(run.first, run.last):
        cell_id = layout.cell_id[cell]
        atomic_add(accumulators.wins2, cell_id, scratch.totals[cell - run.first])  # type: ignore[call-arg]
        scratch.totals[cell - run.first] = 0
        if accumulators.has_marginals:
            a, b0, b1 = cell_members(tile, layout, cell)
            n_a = layout.bounds[a + 1] - layout.bounds[a]
            a_lane = a_start + scratch.lanes[cell - run.first]
            block_of, a_offset, b_offset = accumulators.block_of, accumulators.a_offsets, accumulators.b_offsets
            _flush_marginal(
                accumulators.wins2_a, a_offset[cell_id], block_of, layout.bounds[a], n_a,
                scratch.a_sums, a_lane, run.n_lanes,
            )  # fmt: skip
            _flush_marginal(accumulators.wins2_b, b_offset[cell_id], block_of, b0, b1 - b0, scratch.b_sums, b_start, 1)
            a_start += n_a * run.n_lanes if scratch.lanes[cell + 1 - run.first] == 0 else 0
            b_start += b1 - b0


@compiled
def _flush_marginal(marginal, offset, block_of, first, size, sums, start, step):  # type: ignore[no-untyped-def]
    """Add every `step`-th of the sums, for the `size` positions from `first` on, to those of their blocks."""
    for k in range(size):
        atomic_add(marginal, offset + block_of[first + k], np.int64(sums[start + k * step]))  # type: ignore[call-arg]
        sums[start + k * step] = 0
