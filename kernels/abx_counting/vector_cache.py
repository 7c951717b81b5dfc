"""Unit vectors on demand: from memory if they fit, or else computed again from the embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels.cosine import unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray


class UnitVectorCache:
    """The unit vectors of positions, of which one range may be kept in memory.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        May be memory-mapped.
    rows : ndarray of int64, shape (m,)
        The row of each position.
    """

    def __init__(self, embeddings: NDArray[np.float32] | NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        # A view turns a memory map into a plain array without a copy.
        self._embeddings: NDArray[np.float32] | NDArray[np.float64] = embeddings.view(np.ndarray)
        self._rows = rows
        self._cached = np.empty((0, embeddings.shape[1]))
        self._first_cached = 0

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._embeddings.shape[1])

    def allocate(self, start: int, stop: int) -> None:
        """Allocate memory for the positions from `start` to `stop`, all of which `fill` must then compute."""
        self._cached = np.empty((stop - start, self.dim))
        self._first_cached = start

    def fill(self, start: int, stop: int) -> None:
        """Compute the cached vectors from `start` to `stop`. Several threads may fill different parts."""
        self._cached[start - self._first_cached : stop - self._first_cached] = unit_vectors(self._raw(start, stop))

    def clear(self) -> None:
        """Free the memory."""
        self._cached = np.empty((0, self.dim))  # an empty view would keep the whole array alive

    def __call__(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the unit vectors of a range of positions.

        Parameters
        ----------
        start, stop : int

        Returns
        -------
        ndarray of float64, shape (stop − start, dim)
            Not to be written to.
        """
        low, high = start - self._first_cached, stop - self._first_cached
        if low >= 0 and high <= len(self._cached):
            return self._cached[low:high]
        return unit_vectors(self._raw(start, stop))

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the unit vectors of single positions.

        Parameters
        ----------
        positions : ndarray of int64, shape (n,)
            If a range is cached, all of them within it.

        Returns
        -------
        ndarray of float64, shape (n, dim)
        """
        if len(self._cached):
            return self._cached[positions - self._first_cached]
        return unit_vectors(self._embeddings[self._rows[positions]])

    def _raw(self, start: int, stop: int) -> NDArray[np.float32] | NDArray[np.float64]:
        rows = self._rows[start:stop]
        first = int(rows[0])
        # Consecutive rows need no copy.
        consecutive = rows[-1] - first == stop - start - 1 and bool((np.diff(rows) == 1).all())
        return self._embeddings[first : first + stop - start] if consecutive else self._embeddings[rows]
