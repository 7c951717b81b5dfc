"""Cosine distance: 1 − cos on float64 unit vectors, in [0, 2]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-12
"""Two distances that differ by at most this are a tie: what float64 can certify over thousands of terms."""


def unit_vectors(vectors: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale vectors to length 1.

    A zero vector stays zero, which puts it at distance 1 from everything, itself included.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
        Finite. Each is first divided by its largest magnitude, so neither 1e-300 nor 1e300 is lost in the squares.

    Returns
    -------
    ndarray of float64, shape (n, dim)
    """
    unit = vectors.astype(np.float64)
    largest = np.abs(unit).max(axis=1, keepdims=True, initial=0.0)
    np.divide(unit, largest, out=unit, where=largest > 0)
    length = np.sqrt(np.einsum("ij,ij->i", unit, unit))[:, None]
    np.divide(unit, length, out=unit, where=length > 0)
    return unit
