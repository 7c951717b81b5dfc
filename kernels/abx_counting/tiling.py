"""How the work is divided: tiles and threads that fit the memory, what to keep in memory, where tiles are cut."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from abxfast.kernels.abx_counting.layout import max_cells_per_xb, max_list_length
from abxfast.kernels.intrinsics import LANES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.layout import CellLayout

_TILE = 512
_WIDE_TILE = 1024
_MIN_TILE = 32
_STRIP = 512
_JOINED = 96  # rows up to which small components are joined
_BATCH_BYTES = 1 << 23
_FIXED_BYTES = 3 << 19  # for everything small, including near ties while they are resolved

Span: TypeAlias = tuple[int, int]
"""A range of positions: start and stop."""


class Tiling(NamedTuple):
    """Sizes that fit the memory.

    Attributes
    ----------
    tile : int
        Largest number of rows and of columns of a tile.
    strip : int
        Number of columns of a tile that are transposed at a time.
    threads : int
    lists_bytes : int
        Memory left for distance lists and cached unit vectors.
    """

    tile: int
    strip: int
    threads: int
    lists_bytes: int


def choose_tiling(
    memory: int, vector_bytes: int, dim: int, threads: int, layout: CellLayout, *, marginals: bool
) -> Tiling:
    """Choose tiles that take at most half of the memory, for all threads together.

    Long distance lists have to come from main memory for each tile, so for them tiles are wider if that takes at most
    a quarter of the memory.

    Parameters
    ----------
    memory : int
        In bytes.
    vector_bytes, dim : int
        Of one embedding.
    threads : int
        Upper limit.
    layout : CellLayout
    marginals : bool

    Returns
    -------
    Tiling
    """
    max_length, max_cells = max_list_length(layout), max_cells_per_xb(layout)
    scratch_bytes = 2 * 2 * LANES * max_length if marginals else 0  # `steps` and `a_sums`

    def tile_bytes(tile: int) -> int:
        # A tile, a strip of its transpose and the mask of undecided pairs; the unit vectors of rows and columns, and a
        # copy of the embeddings of one of them.
        products = 8 * tile * (tile + min(tile, _STRIP)) + max_cells * tile * tile
        return threads * (products + tile * (2 * 8 * dim + vector_bytes) + scratch_bytes + _FIXED_BYTES)

    while threads > 1 and threads * scratch_bytes > memory // 4:  # narrower tiles would not help
        threads -= 1
    tile = _TILE
    while tile < min(max_length, _WIDE_TILE) and tile_bytes(2 * tile) <= memory // 4:
        tile *= 2
    while tile > _MIN_TILE and tile_bytes(tile) > memory // 2:
        tile //= 2
    while threads > 1 and tile_bytes(tile) > memory // 2:
        threads -= 1
    return Tiling(tile, min(tile, _STRIP), threads, max(0, memory - tile_bytes(tile)))


class Retention(NamedTuple):
    """Which distance lists of a large component are kept in memory.

    Attributes
    ----------
    n_kept : int
        Number of positions, from the first one on, whose lists are kept during the whole sweep.
    stripe : int
        Number of other positions whose lists each thread has in memory at a time; 0 if all are kept.
    free_bytes : int
        Memory that is left.
    """

    n_kept: int
    stripe: int
    free_bytes: int


def choose_retention(list_bytes: NDArray[np.int64], tiling: Tiling) -> Retention:
    """Choose how many lists to keep for a whole sweep.

    All of them, if they fit. Otherwise memory is reserved for one stripe per thread, of half a tile or as many
    positions as fit into a quarter of the memory, and as many lists as fit are kept in the rest.

    Parameters
    ----------
    list_bytes : ndarray of int64, shape (n,)
        Memory that the distance lists of each position take.
    tiling : Tiling

    Returns
    -------
    Retention
    """
    total = np.cumsum(list_bytes)
    free_bytes = tiling.lists_bytes - int(total[-1])
    if free_bytes >= 0:
        return Retention(len(list_bytes), 0, free_bytes)
    max_bytes = int(list_bytes.max())
    stripe_bytes = min(tiling.lists_bytes // 4, max_bytes * tiling.threads * tiling.tile // 2)
    stripe = max(1, min(tiling.tile // 2, stripe_bytes // tiling.threads // max_bytes))
    kept_bytes = tiling.lists_bytes - stripe_bytes
    n_kept = int(np.searchsorted(total, kept_bytes, side="right"))
    return Retention(n_kept, stripe, kept_bytes - (int(total[n_kept - 1]) if n_kept else 0))


def join_small_components(components: NDArray[np.int64], tile: int) -> Iterator[Span]:
    """Join adjacent components that fit into a tile, up to a number of rows that is still fast to multiply.

    Parameters
    ----------
    components : ndarray of int64, shape (components + 1,)
        Bounds of the components, in positions.
    tile : int

    Yields
    ------
    tuple of int
        Start and stop of whole components. Those larger than a tile are left out.
    """
    is_small = (np.diff(components) <= tile).tolist()
    max_rows = min(_JOINED, tile)
    start = stop = 0
    for (low, high), fits in zip(itertools.pairwise(components.tolist()), is_small, strict=True):
        if stop > start and (not fits or high - start > max_rows):
            yield start, stop
            start = stop = high if not fits else low
        if fits:
            start, stop = (start if stop > start else low), high
    if stop > start:
        yield start, stop


def batch_spans(
    spans: Iterable[Span], layout: CellLayout, list_bytes: NDArray[np.int64], tiling: Tiling
) -> Iterator[tuple[Span, ...]]:
    """Group adjacent spans whose products and lists together take little memory.

    Parameters
    ----------
    spans : iterable of tuple of int
        Start and stop.
    layout : CellLayout
    list_bytes : ndarray of int64, shape (groups,)
        Memory that the distance lists of one x of each group take.
    tiling : Tiling

    Yields
    ------
    tuple of tuple of int
        Spans without a gap between them.
    """
    max_bytes = min(_BATCH_BYTES, tiling.lists_bytes // (2 * tiling.threads))
    batch: list[Span] = []
    batch_bytes = 0
    for start, stop in spans:
        span_bytes = 8 * (stop - start) ** 2 + int(list_bytes[layout.group_of[start:stop]].sum())
        if batch and (start != batch[-1][1] or batch_bytes + span_bytes > max_bytes):
            yield tuple(batch)
            batch, batch_bytes = [], 0
        batch.append((start, stop))
        batch_bytes += span_bytes
    if batch:
        yield tuple(batch)


def cut_tiles(layout: CellLayout, start: int, stop: int, size: int) -> list[Span]:
    """Cut a range of positions into tiles of whole groups, and groups larger than a tile into equal parts.

    A tile has a multiple of `LANES` groups if that makes it at most an eighth narrower.

    Parameters
    ----------
    layout : CellLayout
    start, stop : int
    size : int
        Largest number of positions in a tile.

    Returns
    -------
    list of tuple of int
        Start and stop of each tile, in order.
    """
    if stop == start:
        return []
    groups = layout.bounds[layout.group_of[start] : layout.group_of[stop - 1] + 2].clip(start, stop).tolist()
    cuts, first_group = [start], 0
    for group, (low, high) in enumerate(itertools.pairwise(groups)):
        n_parts = -(-(high - low) // size)
        if high - cuts[-1] > size and low > cuts[-1]:
            full = first_group + (group - first_group) // LANES * LANES
            is_wide = low - groups[full] <= (low - cuts[-1]) // 8 and high - groups[full] <= size
            first_group = full if is_wide else group
            cuts.append(groups[first_group])
        if n_parts > 1:
            cuts += [low + (high - low) * part // n_parts for part in range(1, n_parts + 1)]
            first_group = group + 1
    if cuts[-1] < stop:
        cuts.append(stop)
    return list(itertools.pairwise(cuts))
