"""The sweep: tiles of the symmetric half of all inner products, each computed once and counted in both directions."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from abxfast.kernels.blas import one_blas_thread
from abxfast.kernels.cosine import product_error
from abxfast.kernels.counting import Accumulators, count_tile
from abxfast.kernels.jit import LANES, compiled
from abxfast.kernels.layout import has_cells, has_pairs, longest_list, most_cells
from abxfast.kernels.near_ties import resolve_near_ties
from abxfast.kernels.sorted_distances import (
    PairConstraint,
    SortedDistances,
    empty_lists,
    fill_lists,
    list_bytes,
    order_error,
    sort_lists,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from abxfast.kernels.layout import CellLayout
    from abxfast.kernels.vector_cache import UnitVectorCache

_TILE = 512
_WIDE_TILE = 1024
_STRIP = 512
_MIN_TILE = 32
_PACK = 96
_BATCH = 1 << 23
_OPEN = 1 << 13
_STEPS = 3 << 19
_Stretch: TypeAlias = tuple[int, int]
_Meet: TypeAlias = "Callable[[CellLayout, int, int, int, int], bool]"


class Tiling(NamedTuple):
    """How the memory is shared out.

    Attributes
    ----------
    tile : int
        Rows and columns of a tile, at most.
    threads : int
    lists_bytes : int
        What is left for own lists and kept unit vectors.
    """

    tile: int
    threads: int
    lists_bytes: int


def choose_tiling(
    memory: int, vector_bytes: int, dim: int, threads: int, plan: CellLayout, *, marginals: bool
) -> Tiling:
    """Choose tiles so that those of all threads take at most half of the memory.

    Long own lists come from memory anew for each tile: wider ones are worth a quarter of it.

    Parameters
    ----------
    memory : int
        Bytes.
    vector_bytes, dim : int
        Of one embedding.
    threads : int
    plan : Plan
    marginals : bool

    Returns
    -------
    Sizes
    """
    longest, most = longest_list(plan), most_cells(plan)
    steps = 2 * 2 * LANES * longest if marginals else 0

    def taken(tile: int) -> int:
        # A tile, a strip of its transpose and a mask of what is left open; two stretches of unit vectors and a copy of
        # what one is made from; room for what each a wins; what is small, pairs that are being settled among it.
        products = 8 * tile * (tile + min(tile, _STRIP)) + most * tile * tile
        return threads * (products + tile * (2 * 8 * dim + vector_bytes) + steps + _STEPS)

    while threads > 1 and threads * steps > memory // 4:  # narrower tiles would not help
        threads -= 1
    tile = _TILE
    while tile < min(longest, _WIDE_TILE) and taken(2 * tile) <= memory // 4:
        tile *= 2
    while tile > _MIN_TILE and taken(tile) > memory // 2:
        tile //= 2
    while threads > 1 and taken(tile) > memory // 2:
        threads -= 1
    return Tiling(tile, threads, max(0, memory - taken(tile)))


class Sweep:
    """One run over all components.

    Parameters
    ----------
    plan : Plan
    units : Units
    apart : Apart
    sink : Sink
        Where the counts go.
    live : ndarray of int64, shape (pairs,)
        Where the numbers of pairs (a, x) go that are compared, for each pair of groups (X, A).
    dim : int
    sizes : Sizes
    """

    def __init__(
        self,
        plan: CellLayout,
        units: UnitVectorCache,
        apart: PairConstraint,
        sink: Accumulators,
        live: NDArray[np.int64],
        dim: int,
        sizes: Tiling,
    ) -> None:
        self._plan, self._units, self._apart, self._sink, self._live = plan, units, apart, sink, live
        self._dim, self._sizes = dim, sizes
        # Two products are compared; the additions of the tie band round, too.
        self._edge = 2 * product_error(dim) + 1e-15
        if sink.marginals:
            self._edge += order_error(longest_list(plan) + 1)
        self._most = most_cells(plan)
        self._row_bytes = list_bytes(plan, keep_order=sink.marginals)
        self._local = threading.local()

    def run(self) -> None:
        """Count everything."""
        bounds = self._plan.components
        small = np.diff(bounds) <= self._sizes.tile
        with one_blas_thread(), ThreadPoolExecutor(self._sizes.threads) as pool:
            self._pool = pool
            self._each(self._packs, self._batches(_packs(bounds, small, min(_PACK, self._sizes.tile))))
            for component in np.flatnonzero(~small):
                self._large(int(bounds[component]), int(bounds[component + 1]))

    def _each(self, do: Callable[..., None], tasks: Iterable[tuple[Any, ...]]) -> None:
        """Let every thread take the next task until none is left, or one of them, or this one, is interrupted."""
        waiting = iter(tasks)
        lock, over = threading.Lock(), threading.Event()

        def work() -> None:
            while not over.is_set():
                with lock:
                    task = next(waiting, None)
                if task is None:
                    return
                do(*task)

        futures = [self._pool.submit(work) for _ in range(self._sizes.threads)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            over.set()
        for future in futures:
            future.result()

    def _batches(self, packs: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], ...]]:
        """Join packs that lie together, as long as what they need is small."""
        room = min(_BATCH, self._sizes.lists_bytes // (2 * self._sizes.threads))
        batch: list[tuple[int, int]] = []
        taken = 0
        for start, stop in packs:
            more = 8 * (stop - start) ** 2 + int(self._row_bytes[self._plan.group_of[start:stop]].sum())
            if batch and (start != batch[-1][1] or taken + more > room):
                yield tuple(batch)
                batch, taken = [], 0
            batch.append((start, stop))
            taken += more
        if batch:
            yield tuple(batch)

    def _packs(self, *packs: tuple[int, int]) -> None:
        """Count whole components, as many together as fit into a tile."""
        plan = self._plan
        start, stop = packs[0][0], packs[-1][1]
        lists = empty_lists(plan, start, stop, keep_order=self._sink.marginals)
        products = []
        for low, high in packs:
            vectors = self._units(low, high)
            products.append(vectors @ vectors.T)
            fill_lists(products[-1], low, high, low, high, plan, lists, self._apart)
        sort_lists(plan, lists, start, stop, self._live)
        for (low, high), cosines in zip(packs, products, strict=True):
            self._count(cosines, low, high, low, high, lists)

    def _large(self, start: int, stop: int) -> None:
        """Count a component of many tiles.

        The own lists of the rows before `kept` stay in memory for the whole sweep: among those, a tile serves both of
        its sides. The lists of the others are made and dropped stripe by stripe; a tile of a stripe and kept rows
        serves both sides, one of two stripes has to be computed once for each.
        """
        plan, sizes = self._plan, self._sizes
        row_bytes = self._row_bytes[plan.group_of[start:stop]]
        total = np.cumsum(row_bytes)
        kept, stripe, free = stop, 0, sizes.lists_bytes - int(total[-1])
        if free < 0:
            stripe_bytes = min(sizes.lists_bytes // 4, int(row_bytes.max()) * sizes.threads * sizes.tile // 2)
            stripe = max(1, min(sizes.tile // 2, stripe_bytes // sizes.threads // int(row_bytes.max())))
            kept = start + int(np.searchsorted(total, sizes.lists_bytes - stripe_bytes, side="right"))
            free = sizes.lists_bytes - stripe_bytes - (int(total[kept - start - 1]) if kept > start else 0)
        tiles = _tiles(plan, start, kept, sizes.tile)
        rest = _tiles(plan, kept, stop, sizes.tile)
        if 8 * self._dim * (stop - start) <= free:
            self._units.keep(start, stop)
            self._each(self._units.make, [*tiles, *rest])
        lists = empty_lists(plan, start, kept, keep_order=self._sink.marginals) if kept > start else None
        if lists is not None:
            self._each(
                lambda rows, columns, back: self._serve(self._fill, has_pairs, *rows, *columns, lists, back),  # type: ignore[call-arg]
                itertools.chain(
                    ((*tile, lists) for tile in self._half(tiles, has_pairs)),
                    ((i, j, None) for i in tiles for j in rest if has_pairs(plan, *i, *j)),
                ),
            )
            self._each(lambda *rows: sort_lists(plan, lists, *rows, self._live), tiles)  # type: ignore[call-arg]
            self._each(
                lambda rows, columns: self._serve(self._count, has_cells, *rows, *columns, lists, lists),  # type: ignore[call-arg]
                self._half(tiles, has_cells),
            )
        if kept < stop:
            stripes = [(i, min(i + stripe, high)) for low, high in rest for i in range(low, high, stripe)]
            self._each(lambda *rows: self._stripe(*rows, tiles, rest, lists), stripes)  # type: ignore[call-arg]
        self._units.drop()

    def _half(self, tiles: list[_Stretch], meet: _Meet) -> Iterator[tuple[_Stretch, _Stretch]]:
        for k, rows in enumerate(tiles):
            for columns in tiles[k:]:
                if meet(self._plan, *rows, *columns) or meet(self._plan, *columns, *rows):
                    yield rows, columns

    def _stripe(
        self, i0: int, i1: int, tiles: list[_Stretch], rest: list[_Stretch], kept: SortedDistances | None
    ) -> None:
        """Count a stripe of rows whose own lists are not kept."""
        lists = empty_lists(self._plan, i0, i1, keep_order=self._sink.marginals)
        for columns in tiles + rest:
            self._serve(self._fill, has_pairs, i0, i1, *columns, lists, None)
        sort_lists(self._plan, lists, i0, i1, self._live)
        for columns in tiles:
            self._serve(self._count, has_cells, i0, i1, *columns, lists, kept)
        for columns in rest:
            self._serve(self._count, has_cells, i0, i1, *columns, lists, None)

    def _serve(
        self,
        use: Callable[..., None],
        meet: _Meet,
        i0: int,
        i1: int,
        j0: int,
        j1: int,
        rows: SortedDistances | None,
        columns: SortedDistances | None,
    ) -> None:
        """Use a tile for its rows, and for its columns where their lists are at hand and they are not the rows."""
        plan = self._plan
        forth = rows is not None and meet(plan, i0, i1, j0, j1)
        back = columns is not None and i0 != j0 and meet(plan, j0, j1, i0, i1)
        if not (forth or back):
            return
        cosines = self._product(i0, i1, j0, j1)
        if forth:
            use(cosines, i0, i1, j0, j1, rows)
        for low in range(j0, j1, _STRIP) if back else ():
            high = min(low + _STRIP, j1)
            turned = self._room("turned", (high - low) * (i1 - i0)).reshape(high - low, i1 - i0)
            transpose_blocked(cosines[:, low - j0 : high - j0], turned)
            use(turned, low, high, i0, i1, columns)

    def _fill(self, cosines: NDArray[np.float64], i0: int, i1: int, j0: int, j1: int, lists: SortedDistances) -> None:
        fill_lists(cosines, i0, i1, j0, j1, self._plan, lists, self._apart)

    def _count(self, cosines: NDArray[np.float64], i0: int, i1: int, j0: int, j1: int, lists: SortedDistances) -> None:
        plan = self._plan
        open_ = np.zeros((*cosines.shape, self._most), np.uint8)
        if not count_tile(cosines, i0, i1, j0, j1, plan, lists, self._edge, self._sink, open_):
            return
        step = max(1, _OPEN // (self._most * (j1 - j0)))
        for low in range(0, i1 - i0, step):
            row, column, which = np.nonzero(open_[low : low + step])
            if len(row) == 0:
                continue
            x, b = i0 + low + row, j0 + column
            cell = np.searchsorted(plan.cell_key, plan.group_of[x] * len(plan.width) + plan.group_of[b]) + which
            left = np.stack((x, b, cell), axis=1)
            resolve_near_ties(plan, self._units, self._apart, self._sink, left, self._edge, self._sizes.tile)

    def _product(self, i0: int, i1: int, j0: int, j1: int) -> NDArray[np.float64]:
        rows = self._units(i0, i1)
        columns = rows if (i0, i1) == (j0, j1) else self._units(j0, j1)
        out = self._room("product", (i1 - i0) * (j1 - j0)).reshape(i1 - i0, j1 - j0)
        return np.matmul(rows, columns.T, out=out)

    def _room(self, name: str, size: int) -> NDArray[np.float64]:
        """Give a buffer of this thread's own."""
        buffer = getattr(self._local, name, None)
        if buffer is None or buffer.size < size:
            buffer = np.empty(max(size, self._sizes.tile * min(self._sizes.tile, _STRIP)))
            setattr(self._local, name, buffer)
        return buffer[:size]


def _packs(bounds: NDArray[np.int64], small: NDArray[np.bool_], size: int) -> Iterator[tuple[int, int]]:
    """Join neighbouring small components until they have `size` rows."""
    start = stop = 0
    for low, high, fits in zip(bounds[:-1].tolist(), bounds[1:].tolist(), small.tolist(), strict=True):
        if stop > start and (not fits or high - start > size):
            yield start, stop
            start = stop = high if not fits else low
        if fits:
            start, stop = (start if stop > start else low), high
    if stop > start:
        yield start, stop


def _tiles(plan: CellLayout, start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Cut positions into whole groups, several to a tile, or a large group, as far as it is there, into even pieces.

    Where a tile is hardly narrower for it, it holds a multiple of `LANES` groups.
    """
    if stop == start:
        return []
    bounds = plan.bounds[plan.group_of[start] : plan.group_of[stop - 1] + 2].clip(start, stop).tolist()
    edges, first = [start], 0
    for group, (low, high) in enumerate(itertools.pairwise(bounds)):
        pieces = -(-(high - low) // size)
        if high - edges[-1] > size and low > edges[-1]:
            full = first + (group - first) // LANES * LANES
            near = low - bounds[full] <= (low - edges[-1]) // 8 and high - bounds[full] <= size
            first = full if near else group
            edges.append(bounds[first])
        if pieces > 1:
            edges += [low + (high - low) * piece // pieces for piece in range(1, pieces + 1)]
            first = group + 1
    if edges[-1] < stop:
        edges.append(stop)
    return list(itertools.pairwise(edges))


@compiled
def transpose_blocked(tile, turned):  # type: ignore[no-untyped-def]
    """Transpose, block by block, so that both sides stay in cache."""
    n, m = tile.shape
    for i0 in range(0, n, 16):
        for j0 in range(0, m, 16):
            for j in range(j0, min(j0 + 16, m)):
                for i in range(i0, min(i0 + 16, n)):
                    turned[j, i] = tile[i, j]
