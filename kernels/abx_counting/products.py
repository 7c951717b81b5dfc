"""Tiles of inner products of unit vectors, computed by BLAS into buffers of each thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from abxfast.kernels.abx_counting.tiling import Span, Tiling
    from abxfast.kernels.abx_counting.vector_cache import UnitVectorCache

_TRANSPOSE_BLOCK = 16


class Tile(NamedTuple):
    """The inner products of two ranges of positions.

    Attributes
    ----------
    cosines : ndarray of float64, shape (i1 − i0, j1 − j0)
    i0, i1 : int
        The positions of the rows.
    j0, j1 : int
        The positions of the columns.
    """

    cosines: NDArray[np.float64]
    i0: int
    i1: int
    j0: int
    j1: int


class TileProducts:
    """Computes tiles. A thread's next tile overwrites its previous one.

    Parameters
    ----------
    cache : UnitVectorCache
    tiling : Tiling
    """

    def __init__(self, cache: UnitVectorCache, tiling: Tiling) -> None:
        self._cache, self._tiling = cache, tiling
        self._buffers = threading.local()

    def compute(self, rows: Span, columns: Span) -> Tile:
        """Compute the tile of two ranges of positions.

        Parameters
        ----------
        rows, columns : tuple of int
            Start and stop.

        Returns
        -------
        Tile
        """
        row_vectors = self._cache(*rows)
        column_vectors = row_vectors if rows == columns else self._cache(*columns)
        cosines = self._scratch("product", rows[1] - rows[0], columns[1] - columns[0])
        return Tile(np.matmul(row_vectors, column_vectors.T, out=cosines), *rows, *columns)

    def transposed_strips(self, tile: Tile) -> Iterator[Tile]:
        """Transpose a tile in strips, to save memory.

        Parameters
        ----------
        tile : Tile

        Yields
        ------
        Tile
            Its rows are the next columns of `tile`, and its columns are the rows of `tile`.
        """
        for low in range(tile.j0, tile.j1, self._tiling.strip):
            high = min(low + self._tiling.strip, tile.j1)
            strip = self._scratch("strip", high - low, tile.i1 - tile.i0)
            transpose_blocked(tile.cosines[:, low - tile.j0 : high - tile.j0], strip)
            yield Tile(strip, low, high, tile.i0, tile.i1)

    def _scratch(self, name: str, n_rows: int, n_columns: int) -> NDArray[np.float64]:
        """Return an array in a buffer of the calling thread."""
        size = n_rows * n_columns
        buffer = getattr(self._buffers, name, None)
        if buffer is None or buffer.size < size:
            buffer = np.empty(max(size, self._tiling.tile * self._tiling.strip))
            setattr(self._buffers, name, buffer)
        array: NDArray[np.float64] = buffer[:size].reshape(n_rows, n_columns)
        return array


@compiled
def transpose_blocked(matrix, transposed):  # type: ignore[no-untyped-def]
    """Transpose block by block, so that both sides stay in the processor's cache.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, m)
    transposed : ndarray of float64, shape (m, n)
        Written.
    """
    n, m = matrix.shape
    for i0 in range(0, n, _TRANSPOSE_BLOCK):
        for j0 in range(0, m, _TRANSPOSE_BLOCK):
            for j in range(j0, min(j0 + _TRANSPOSE_BLOCK, m)):
                for i in range(i0, min(i0 + _TRANSPOSE_BLOCK, n)):
                    transposed[j, i] = matrix[i, j]
