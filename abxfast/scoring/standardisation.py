"""Vectors standardised channel by channel, for encoders of which a few channels outweigh all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast._files import allocate
from abxfast.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STANDARDISATIONS = ("center", "zscore")
DOMINANT_SHARE = 0.5
"""Share of the squared length of vectors that few channels hold, if they are dominated by these."""
MAX_DOMINANT_CHANNELS = 0.01
"""Share of the channels that are few."""
_VALUES_PER_CHUNK = 1 << 20


class Dominance(NamedTuple):
    """The fewest channels that hold `DOMINANT_SHARE` of the squared length of vectors.

    Attributes
    ----------
    channels : int
        Number of these channels.
    dim : int
        Number of all channels.
    share : float
        Share that they hold, on average over the vectors, each taken at length 1.
    """

    channels: int
    dim: int
    share: float

    def __str__(self) -> str:
        """Return the three numbers in words."""
        verb = "holds" if self.channels == 1 else "hold"
        return f"{self.channels} of {self.dim} channels {verb} {self.share:.0%} of the squared length of the vectors"


def check_standardisation(method: str | None) -> None:
    """Check the name of a standardisation.

    Raises
    ------
    TaskError
        If it is not in `STANDARDISATIONS`.
    """
    if method is not None and method not in STANDARDISATIONS:
        raise TaskError(f"`standardise`: found {method!r}, expected {' or '.join(map(repr, STANDARDISATIONS))}")


def standardise_vectors(
    embeddings: NDArray[np.float32] | NDArray[np.float64], method: str, *, memory_mb: float = 512
) -> NDArray[np.float64]:
    """Standardise each channel over all vectors.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    method : {'center', 'zscore'}
        Subtract the mean of each channel; or also divide by its standard deviation over the n vectors. A channel that
        is constant becomes 0.
    memory_mb : float
        A larger result is mapped from a scratch file.

    Returns
    -------
    ndarray of float64, shape (n, dim)

    Raises
    ------
    TaskError
        If `method` is neither.
    OutputError
        If there is no room for the scratch file.
    """
    check_standardisation(method)
    n, dim = embeddings.shape
    result = allocate((n, dim), np.float64, memory_mb)
    if not n:
        return result
    mean = sum(chunk.sum(axis=0) for _, chunk in _chunks(embeddings)) / n
    # The mean of a constant is not exact, and its deviation would not be zero.
    first = embeddings[0].astype(np.float64)
    varies = np.zeros(dim, bool)
    squares = np.zeros(dim)
    for _, chunk in _chunks(embeddings):
        varies |= (chunk != first).any(axis=0)
        squares += np.square(chunk - mean).sum(axis=0)
    scale = np.sqrt(squares / n) if method == "zscore" else np.ones(dim)
    scale[~varies] = 1
    for rows, chunk in _chunks(embeddings):
        result[rows] = np.where(varies, (chunk - mean) / scale, 0.0)
    return result


def measure_dominance(embeddings: NDArray[np.float32] | NDArray[np.float64]) -> Dominance | None:
    """Measure whether few channels hold much of the length of vectors.

    A channel that is large in every vector outweighs the others in their cosine.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)

    Returns
    -------
    Dominance or None
        None if more than `MAX_DOMINANT_CHANNELS` of the channels are needed, or if there is no vector but zero.
    """
    dim = embeddings.shape[1]
    shares = np.zeros(dim)
    for _, chunk in _chunks(embeddings):
        squares = np.square(chunk)
        length = squares.sum(axis=1, keepdims=True)
        shares += np.divide(squares, length, out=np.zeros_like(squares), where=length > 0).sum(axis=0)
    if not shares.sum() > 0:
        return None
    cumulated = np.cumsum(np.sort(shares)[::-1]) / shares.sum()
    n_channels = int(np.searchsorted(cumulated, DOMINANT_SHARE)) + 1
    if n_channels > MAX_DOMINANT_CHANNELS * dim:
        return None
    return Dominance(n_channels, dim, float(cumulated[n_channels - 1]))


def _chunks(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    n_rows = max(1, _VALUES_PER_CHUNK // embeddings.shape[1])
    for start in range(0, len(embeddings), n_rows):
        rows = slice(start, start + n_rows)
        yield rows, embeddings[rows].astype(np.float64)
