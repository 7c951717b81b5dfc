"""Counting the triplets of a tile: each b is looked up in the sorted distances of each x."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from abxfast.kernels.abx_counting.accumulators import RANKS, CellRun, allocate_scratch, cell_members, fit_cells, flush
from abxfast.kernels.abx_counting.lookup import (
    ColumnBlock,
    ListView,
    prefetch_next_list,
    rank_by_scan,
    rank_by_table,
    tie_end,
)
from abxfast.kernels.cosine import TIE
from abxfast.kernels.intrinsics import atomic_add, scatter_suffix_sums
from abxfast.kernels.jit import compiled
from abxfast.kernels.search import lower_bound, upper_bound

_MIN_PREFETCH_LENGTH = 128  # shorter lists stay in the processor's cache anyway
_MAX_PREFETCH_RATIO = 16  # of the length of a list to the columns of a tile


class _Target(NamedTuple):
    """Where the sums of a block are in `Scratch`: the lane, of how many, and where in `b_sums`."""

    n_lanes: int
    lane: int
    b_start: int


@compiled
def count_tile(tile, layout, sorted_distances, accumulators, tolerance, undecided):  # type: ignore[no-untyped-def]
    """Count the triplets whose x is a row of the tile and whose b is a column.

    Pairs (x, b) that the error bound leaves undecided are marked and not counted.

    Parameters
    ----------
    tile : Tile
    layout : CellLayout
    sorted_distances : SortedDistances
        Holds the rows of the tile.
    accumulators : Accumulators
        Added to.
    tolerance : float
        Bound on the error of comparing two distances.
    undecided : ndarray of uint8, shape (rows, columns, cells of one X and B)
        Written: 1 for undecided pairs.

    Returns
    -------
    bool
        Whether any pair is undecided.
    """
    scratch = allocate_scratch(tile, layout, accumulators.has_marginals)
    any_undecided = False
    start = tile.i0
    while start < tile.i1:
        x = layout.group_of[start]
        stop = min(layout.bounds[x + 1], tile.i1)
        cell = lower_bound(layout.cell_b, layout.cell_offsets[x], layout.cell_offsets[x + 1], layout.group_of[tile.j0])
        end = upper_bound(layout.cell_b, cell, layout.cell_offsets[x + 1], layout.group_of[tile.j1 - 1])
        while cell < end:
            run, max_n_x = CellRun(cell, end, 1), stop - start
            if accumulators.has_marginals:
                run, max_n_x = fit_cells(tile, layout, cell, end, scratch)
            for low in range(start, stop, max_n_x):
                high = min(low + max_n_x, stop)
                any_undecided |= _count_run(
                    tile, layout, sorted_distances, accumulators, tolerance, undecided, scratch, run, low, high
                )
            cell = run.last
        start = stop
    return any_undecided


@compiled
def _count_run(  # type: ignore[no-untyped-def]
    tile, layout, sorted_distances, accumulators, tolerance, undecided, scratch, run, start, stop
):
    """Count the x from `start` to `stop`, all of one group, against the b of a run of cells.

    All cells of one x are counted before the next x: they share its list, which may have to come from main memory.
    No array is sliced in this loop, see module `lookup`. For the same reason the arguments are not nested in one tuple,
    which took 15% more time for components of a few snippets.
    """
    margin, n_columns, any_undecided = TIE + tolerance, tile.j1 - tile.j0, False
    cosines, distances, has_marginals = tile.cosines, sorted_distances.distances, accumulators.has_marginals
    first_position = max(layout.bounds[layout.group_of[start]], sorted_distances.first_position)
    for i in range(start, stop):
        a_start = b_start = 0
        for cell in range(run.first, run.last):
            a, b0, b1 = cell_members(tile, layout, cell)
            n_a, lane = layout.bounds[a + 1] - layout.bounds[a], scratch.lanes[cell - run.first]
            view = _view(sorted_distances, layout.cell_pair[cell], i - first_position, n_a)
            prefetches = i + 1 < stop and _MIN_PREFETCH_LENGTH <= n_a <= _MAX_PREFETCH_RATIO * n_columns
            cell_total = 0
            for begin in range(b0, b1 if view.n_valid > 0 else b0, RANKS):
                block = ColumnBlock(i - tile.i0, begin - tile.j0, min(RANKS, b1 - begin))
                if view.n_buckets > 0:
                    if prefetches:
                        prefetch_next_list(sorted_distances, view, block.column, block.size, n_columns)
                    total, any_tied = rank_by_table(
                        cosines, block, distances, sorted_distances.table, view, margin, scratch.ranks
                    )
                else:
                    total, any_tied = rank_by_scan(cosines, block, distances, view, margin, scratch.ranks)
                target = _Target(run.n_lanes, lane, b_start + begin - b0)
                if any_tied:
                    index = _index_among_xb(layout, cell)
                    total, is_undecided = _count_ties(
                        cosines, block, distances, view, tolerance, undecided, index, scratch, target, has_marginals
                    )
                    any_undecided |= is_undecided
                elif has_marginals:
                    _record_ranks(scratch, block.size, target)
                cell_total += total
            scratch.totals[cell - run.first] += cell_total
            if has_marginals:
                slot = accumulators.x_offsets[layout.cell_id[cell]] + accumulators.block_of[i]
                atomic_add(accumulators.wins2_x, slot, cell_total)  # type: ignore[call-arg]
                b_start += b1 - b0
                if scratch.lanes[cell + 1 - run.first] == 0:
                    scatter_suffix_sums(
                        scratch.steps, scratch.a_sums, a_start, run.n_lanes,
                        sorted_distances.a_index, view.offset, view.n_valid,
                    )  # fmt: skip
                    a_start += n_a * run.n_lanes
    flush(tile, layout, run, scratch, accumulators)
    return any_undecided


@compiled
def _view(sorted_distances, pair, row, n_a):  # type: ignore[no-untyped-def]
    """Return where the list of a pair is, for the row-th of the positions that have one."""
    p = pair - sorted_distances.first_pair
    n_buckets = sorted_distances.n_buckets[p]
    return ListView(
        sorted_distances.offsets[p] + row * (n_a + 1),
        n_a + 1,
        sorted_distances.n_valid[sorted_distances.n_valid_offsets[p] + row],
        sorted_distances.table_offsets[p] + row * (n_buckets + 1),
        n_buckets,
    )


@compiled
def _index_among_xb(layout, cell):  # type: ignore[no-untyped-def]
    """Return the index of a cell among those that have its X and its B."""
    index = 0
    while index < cell and layout.cell_xb[cell - index - 1] == layout.cell_xb[cell]:
        index += 1
    return index


@compiled
def _record_ranks(scratch, size, target):  # type: ignore[no-untyped-def]
    """Add the ranks of a block, none of which ties, to the sums for the marginals."""
    for k in range(size):
        scratch.b_sums[target.b_start + k] += 2 * np.int64(scratch.ranks[k])
        scratch.steps[np.uint64(scratch.ranks[k]) * np.uint64(target.n_lanes) + np.uint64(target.lane)] += 2


@compiled
def _count_ties(  # type: ignore[no-untyped-def]
    cosines, block, distances, view, tolerance, undecided, index, scratch, target, has_marginals
):
    """Count a block in which ranks may tie, and add to the sums for the marginals.

    Undecided pairs are marked at `index` of the last axis.

    Returns
    -------
    total : int
        2 · wins + ties of those that are decided.
    any_undecided : bool
    """
    total, any_undecided = 0, False
    for k in range(block.size):
        value = -cosines[block.row, block.column + k]
        rank = end = np.int64(scratch.ranks[k])
        if distances[view.offset + rank] <= value + TIE + tolerance:
            end, is_certain = tie_end(distances, view, rank, value, tolerance)
            if not is_certain:
                undecided[block.row, block.column + k, index] = 1
                any_undecided = True
                continue
        total += rank + end  # type: ignore[assignment]
        if has_marginals:
            scratch.b_sums[target.b_start + k] += rank + end
            scratch.steps[rank * target.n_lanes + target.lane] += 1
            scratch.steps[end * target.n_lanes + target.lane] += 1
    return total, any_undecided
