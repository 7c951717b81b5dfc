"""Cutting the cells of a task into tiles of few groups, so that a few vectors serve many counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import PairConstraint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from abxfast.scoring import TaskCells

TILES_PER_THREAD = 4
MIN_SHARE = 1 / 16
"""Tiles with less work than this share of a thread's are joined."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of the counting that knows nothing of the rest.

    Attributes
    ----------
    rows : ndarray of int64, shape (m,)
        Rows of the store, group by group.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    groups : ndarray of int64, shape (cells, 3)
        The groups A, B and X of each cell.
    constraint : PairConstraint or None
        Its arrays are indexed as `rows`.
    """

    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    groups: NDArray[np.int64]
    constraint: PairConstraint | None


def partition_cells(cells: TaskCells, n_threads: int, max_rows: int) -> list[NDArray[np.int64]]:
    """Divide the cells among tiles.

    Neighbouring groups form ranges of about equal size, and a tile is a pair of ranges: it has the cells whose A is in
    one and whose B is in the other, in both directions. With ACROSS, the range of X divides further.

    Parameters
    ----------
    cells : TaskCells
    n_threads : int
        Threads of all workers together.
    max_rows : int
        Rows of a range, unless a single group has more.

    Returns
    -------
    list of ndarray of int64
        Indices of cells; each cell is in one tile.
    """
    sizes = np.diff(cells.bounds)
    n_ranges = max(np.ceil(np.sqrt(2 * TILES_PER_THREAD * n_threads)), np.ceil(len(cells.rows) / max_rows))
    range_of_group = (cells.bounds[:-1] // (len(cells.rows) / n_ranges)).astype(np.int64)
    a, b, x = cells.groups.T
    ranges = range_of_group[cells.groups]
    keys = np.stack((ranges[:, :2].min(axis=1), ranges[:, :2].max(axis=1), ranges[:, 2] * (a != x)), axis=1)
    order = np.lexsort(keys.T[::-1])
    starts = 1 + np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1))
    work = (sizes[x] * (sizes[a] + sizes[b])).astype(np.float64)
    joined = _join_small(np.split(order, starts), work, work.sum() * MIN_SHARE / n_threads, cells, 2 * max_rows)
    return list(joined)


def make_tile(cells: TaskCells, constraint: PairConstraint | None, chosen: NDArray[np.int64]) -> Tile:
    """Return the tile of the chosen cells. A row of `cells` is a row of the store."""
    used, groups = np.unique(cells.groups[chosen], return_inverse=True)
    bounds = np.concatenate(([0], np.cumsum(np.diff(cells.bounds)[used])))
    rows = np.concatenate([cells.rows[cells.bounds[group] : cells.bounds[group + 1]] for group in used])
    if constraint is not None:
        codes, recording, start_s, end_s, min_gap_s = constraint
        constraint = PairConstraint(codes[:, rows], recording[rows], start_s[rows], end_s[rows], min_gap_s)
    return Tile(rows, bounds, groups.reshape(-1, 3), constraint)


def _join_small(
    tiles: list[NDArray[np.int64]], work: NDArray[np.float64], min_work: float, cells: TaskCells, max_rows: int
) -> Iterator[NDArray[np.int64]]:
    """Join successive tiles until each has the least work, or would have too many rows."""
    sizes = np.diff(cells.bounds)
    joined = tiles[0]
    for tile in tiles[1:]:
        both = np.concatenate((joined, tile))
        if work[joined].sum() < min_work and sizes[np.unique(cells.groups[both])].sum() <= max_rows:
            joined = both
        else:
            yield joined
            joined = tile
    yield joined
