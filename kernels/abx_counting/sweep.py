"""The sweep over all tiles: the inner products of two tiles are computed once and counted in both directions."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from abxfast.kernels.abx_counting.counting import count_tile
from abxfast.kernels.abx_counting.layout import has_cells, has_pairs, max_cells_per_xb, max_list_length
from abxfast.kernels.abx_counting.near_ties import resolve_near_ties
from abxfast.kernels.abx_counting.packed_sort import order_error
from abxfast.kernels.abx_counting.parallel import for_each
from abxfast.kernels.abx_counting.products import Tile, TileProducts
from abxfast.kernels.abx_counting.sorted_distances import allocate_distances, fill_distances, list_bytes, sort_distances
from abxfast.kernels.abx_counting.tiling import batch_spans, choose_retention, cut_tiles, join_small_components
from abxfast.kernels.blas import one_blas_thread
from abxfast.kernels.cosine import product_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.accumulators import Accumulators
    from abxfast.kernels.abx_counting.layout import CellLayout
    from abxfast.kernels.abx_counting.pair_constraint import PairConstraint
    from abxfast.kernels.abx_counting.sorted_distances import SortedDistances
    from abxfast.kernels.abx_counting.tiling import Span, Tiling
    from abxfast.kernels.abx_counting.vector_cache import UnitVectorCache

_UNDECIDED = 1 << 13  # elements of the mask of undecided pairs that are searched at a time
_ROUNDING = 1e-15  # of the additions of the tie band

_Use: TypeAlias = "Callable[[Tile, SortedDistances], None]"
_IsNeeded: TypeAlias = "Callable[[CellLayout, int, int, int, int], bool]"


class Sweep:
    """One pass over all components.

    Parameters
    ----------
    layout : CellLayout
    cache : UnitVectorCache
    constraint : PairConstraint
        By position.
    accumulators : Accumulators
        Added to.
    n_compared : ndarray of int64, shape (pairs,)
        The number of (a, x) that are compared is added for each pair (X, A) of groups.
    tiling : Tiling
    """

    def __init__(
        self,
        layout: CellLayout,
        cache: UnitVectorCache,
        constraint: PairConstraint,
        accumulators: Accumulators,
        n_compared: NDArray[np.int64],
        tiling: Tiling,
    ) -> None:
        self._layout, self._cache, self._constraint, self._tiling = layout, cache, constraint, tiling
        self._accumulators, self._n_compared = accumulators, n_compared
        self._keep_order = accumulators.has_marginals
        self._tolerance = 2 * product_error(cache.dim) + _ROUNDING
        if self._keep_order:
            self._tolerance += order_error(max_list_length(layout) + 1)
        self._max_cells_per_xb = max_cells_per_xb(layout)
        self._list_bytes = list_bytes(layout, keep_order=self._keep_order)
        self._products = TileProducts(cache, tiling)
        self._pool = ThreadPoolExecutor(tiling.threads)  # starts no thread before it is used

    def run(self) -> None:
        """Count all cells."""
        components, tile = self._layout.components, self._tiling.tile
        batches = batch_spans(join_small_components(components, tile), self._layout, self._list_bytes, self._tiling)
        with one_blas_thread(), self._pool:
            self._for_each(self._count_small, batches)
            for component in np.flatnonzero(np.diff(components) > tile):
                self._count_large(int(components[component]), int(components[component + 1]))

    def _for_each(self, function: Callable[..., object], tasks: Iterable[tuple[Any, ...]]) -> None:
        for_each(self._pool, self._tiling.threads, function, tasks)

    def _count_small(self, *spans: Span) -> None:
        """Count adjacent spans of whole components, none larger than a tile."""
        start, stop = spans[0][0], spans[-1][1]
        distances = allocate_distances(self._layout, start, stop, keep_order=self._keep_order)
        tiles = []
        for span in spans:
            vectors = self._cache(*span)
            tiles.append(Tile(vectors @ vectors.T, *span, *span))
            self._fill(tiles[-1], distances)
        sort_distances(self._layout, distances, start, stop, self._n_compared)
        for tile in tiles:
            self._count(tile, distances)

    def _count_large(self, start: int, stop: int) -> None:
        """Count a component of many tiles.

        A tile of rows and columns whose distance lists are both kept in memory is computed twice, once to fill the
        lists and once to count, and serves both directions each time. The lists of other rows are made and dropped
        stripe by stripe: a tile of a stripe and kept rows serves both directions, one of two stripes is computed once
        for each.
        """
        layout, tiling = self._layout, self._tiling
        n_kept, stripe, free_bytes = choose_retention(self._list_bytes[layout.group_of[start:stop]], tiling)
        kept_tiles = cut_tiles(layout, start, start + n_kept, tiling.tile)
        other_tiles = cut_tiles(layout, start + n_kept, stop, tiling.tile)
        if 8 * self._cache.dim * (stop - start) <= free_bytes:
            self._cache.allocate(start, stop)
            self._for_each(self._cache.fill, [*kept_tiles, *other_tiles])
        kept = self._count_kept(kept_tiles, other_tiles) if n_kept else None
        stripes = [(low, min(low + stripe, j)) for i, j in other_tiles for low in range(i, j, stripe)]
        self._for_each(lambda low, high: self._count_stripe((low, high), kept_tiles, other_tiles, kept), stripes)
        self._cache.clear()

    def _count_kept(self, kept_tiles: list[Span], other_tiles: list[Span]) -> SortedDistances:
        """Make the lists of all kept tiles, count these tiles against each other, and return the lists."""
        layout = self._layout
        kept = allocate_distances(layout, kept_tiles[0][0], kept_tiles[-1][1], keep_order=self._keep_order)
        both = ((*spans, kept, kept) for spans in self._unordered_pairs(kept_tiles, has_pairs))
        one_way = ((i, j, kept, None) for i in kept_tiles for j in other_tiles if has_pairs(layout, *i, *j))
        self._for_each(partial(self._compute_and_use, self._fill, has_pairs), itertools.chain(both, one_way))
        self._for_each(lambda low, high: sort_distances(layout, kept, low, high, self._n_compared), kept_tiles)
        self._for_each(
            partial(self._compute_and_use, self._count, has_cells),
            ((*spans, kept, kept) for spans in self._unordered_pairs(kept_tiles, has_cells)),
        )
        return kept

    def _count_stripe(
        self, rows: Span, kept_tiles: list[Span], other_tiles: list[Span], kept: SortedDistances | None
    ) -> None:
        """Count a stripe of rows whose lists are not kept, in both directions against the kept tiles."""
        distances = allocate_distances(self._layout, *rows, keep_order=self._keep_order)
        for columns in kept_tiles + other_tiles:
            self._compute_and_use(self._fill, has_pairs, rows, columns, distances, None)
        sort_distances(self._layout, distances, *rows, self._n_compared)
        for columns in kept_tiles:
            self._compute_and_use(self._count, has_cells, rows, columns, distances, kept)
        for columns in other_tiles:
            self._compute_and_use(self._count, has_cells, rows, columns, distances, None)

    def _unordered_pairs(self, tiles: list[Span], is_needed: _IsNeeded) -> Iterator[tuple[Span, Span]]:
        for rows, columns in itertools.combinations_with_replacement(tiles, 2):
            if is_needed(self._layout, *rows, *columns) or is_needed(self._layout, *columns, *rows):
                yield rows, columns

    def _compute_and_use(
        self,
        use: _Use,
        is_needed: _IsNeeded,
        rows: Span,
        columns: Span,
        row_distances: SortedDistances,
        column_distances: SortedDistances | None,
    ) -> None:
        """Compute a tile and use it for its rows, then its transpose for its columns if their lists are given.

        Either is skipped if it is not needed, and the second also if rows and columns are the same.
        """
        if rows[0] == columns[0] or not is_needed(self._layout, *columns, *rows):
            column_distances = None
        use_rows = is_needed(self._layout, *rows, *columns)
        if not use_rows and column_distances is None:
            return
        tile = self._products.compute(rows, columns)
        if use_rows:
            use(tile, row_distances)
        if column_distances is not None:
            for strip in self._products.transposed_strips(tile):
                use(strip, column_distances)

    def _fill(self, tile: Tile, distances: SortedDistances) -> None:
        fill_distances(tile, self._layout, distances, self._constraint)

    def _count(self, tile: Tile, distances: SortedDistances) -> None:
        layout, n_cells = self._layout, self._max_cells_per_xb
        mask = np.zeros((*tile.cosines.shape, n_cells), np.uint8)
        if not count_tile(tile, layout, distances, self._accumulators, self._tolerance, mask):
            return
        step = max(1, _UNDECIDED // (n_cells * (tile.j1 - tile.j0)))
        for low in range(0, tile.i1 - tile.i0, step):
            row, column, index = np.nonzero(mask[low : low + step])
            if len(row) == 0:
                continue
            x, b = tile.i0 + low + row, tile.j0 + column
            codes = layout.group_of[x] * len(layout.list_size) + layout.group_of[b]
            cell = np.searchsorted(layout.cell_xb, codes) + index
            undecided = np.stack((x, b, cell), axis=1)
            resolve_near_ties(
                layout, self._cache, self._constraint, self._accumulators, undecided, self._tolerance, self._tiling.tile
            )
