"""Random permutations of the labels of units, within strata."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def permute_labels(
    label: NDArray[np.int64], stratum: NDArray[np.int64], permutations: int, seed: int
) -> NDArray[np.uint8]:
    """Return the observed labels of the units, followed by random permutations of them within strata.

    The permutations depend on the arguments only, not on the vectors, so that tests of one design share them.

    Parameters
    ----------
    label, stratum : ndarray of int64, shape (units,)
        Labels from 0 to 255.
    permutations, seed : int

    Returns
    -------
    ndarray of uint8, shape (permutations + 1, units)
        The observed labels are the first row. Read-only, since the array is cached.
    """
    return _permute(label.astype(np.uint8).tobytes(), stratum.tobytes(), permutations, seed)


@lru_cache(maxsize=4)
def _permute(label: bytes, stratum: bytes, permutations: int, seed: int) -> NDArray[np.uint8]:
    labels = np.tile(np.frombuffer(label, np.uint8), (permutations + 1, 1))
    rng = np.random.default_rng(seed)
    strata = np.frombuffer(stratum, np.int64)
    for value in np.unique(strata):
        units = np.flatnonzero(strata == value)
        labels[1:, units] = rng.permuted(labels[1:, units], axis=1)
    labels.flags.writeable = False
    return labels


def count_distinct(label: NDArray[np.int64], stratum: NDArray[np.int64]) -> float:
    """Count the relabellings whose scores can differ.

    Relabellings that differ only in the names of values, where these have equal counts in every stratum, count once.

    Parameters
    ----------
    label, stratum : ndarray of int64, shape (units,)

    Returns
    -------
    float
        Rounded to a whole number below 10¹⁵; at most 1e304.
    """
    counts = np.zeros((int(stratum.max()) + 1, int(label.max()) + 1), np.int64)
    np.add.at(counts, (stratum, label), 1)
    log_count = 0.0
    for stratum_counts in counts.tolist():
        log_count += math.lgamma(sum(stratum_counts) + 1) - sum(math.lgamma(n + 1) for n in stratum_counts)
    for _, interchangeable in itertools.groupby(sorted(counts.T.tolist())):
        log_count -= math.lgamma(len(list(interchangeable)) + 1)
    count = math.exp(min(log_count, 700.0))
    return float(round(count)) if count < 1e15 else count  # noqa: PLR2004
