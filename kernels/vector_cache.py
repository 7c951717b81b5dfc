"""Unit vectors on demand: kept where they fit, made anew from the caller's array where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.cosine import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class UnitVectorCache:
    """The unit vectors of positions.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        May be mapped from a file.
    rows : ndarray of int64, shape (m,)
        The row of each position.
    """

    def __init__(self, embeddings: NDArray[np.float32] | NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        # A mapped file as a plain array, without a copy.
        self._embeddings: NDArray[np.float32] | NDArray[np.float64] = embeddings.view(np.ndarray)
        self._rows = rows
        self._kept = np.empty((0, embeddings.shape[1]))
        self._kept_from = 0

    def keep(self, start: int, stop: int) -> None:
        """Make room for a stretch of positions; `make` fills it."""
        self._kept = np.empty((stop - start, self._embeddings.shape[1]))
        self._kept_from = start

    def make(self, start: int, stop: int) -> None:
        """Fill a part of what is kept."""
        self._kept[start - self._kept_from : stop - self._kept_from] = unit_vectors(self._raw(start, stop))

    def drop(self) -> None:
        """Keep nothing any more."""
        self._kept = np.empty((0, self._kept.shape[1]))  # a view of nothing would hold the whole

    def __call__(self, start: int, stop: int) -> NDArray[np.float64]:
        """Give the unit vectors of a stretch of positions, float64 ``(stop − start, dim)``."""
        low, high = start - self._kept_from, stop - self._kept_from
        if low >= 0 and high <= len(self._kept):
            return self._kept[low:high]
        return unit_vectors(self._raw(start, stop))

    def at(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the unit vectors of some positions."""
        if len(self._kept):
            return self._kept[positions - self._kept_from]
        return unit_vectors(self._embeddings[self._rows[positions]])

    def _raw(self, start: int, stop: int) -> NDArray[np.float32] | NDArray[np.float64]:
        rows = self._rows[start:stop]
        first = int(rows[0])
        # Sorted input needs no copy.
        together = rows[-1] - first == stop - start - 1 and bool((np.diff(rows) == 1).all())
        return self._embeddings[first : first + stop - start] if together else self._embeddings[rows]
