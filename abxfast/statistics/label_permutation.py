"""Lots: labels drawn anew over units, within strata."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_labels(
    label: NDArray[np.int64], stratum: NDArray[np.int64], permutations: int, seed: int
) -> NDArray[np.uint8]:
    """Give the labels of the units as they are, and then permuted within strata.

    The draw depends on the seed and on how the units stand, not on the vectors: tests of one shape share it.

    Parameters
    ----------
    label, stratum : ndarray of int64, shape (units,)
        Labels from 0 to 255.
    permutations, seed : int

    Returns
    -------
    ndarray of uint8, shape (permutations + 1, units)
        Not to be written to.
    """
    return _draw(label.astype(np.uint8).tobytes(), stratum.tobytes(), permutations, seed)


@lru_cache(maxsize=4)
def _draw(label: bytes, stratum: bytes, permutations: int, seed: int) -> NDArray[np.uint8]:
    labels = np.tile(np.frombuffer(label, np.uint8), (permutations + 1, 1))
    random = np.random.default_rng(seed)
    strata = np.frombuffer(stratum, np.int64)
    for own in np.unique(strata):
        columns = np.flatnonzero(strata == own)
        labels[1:, columns] = random.permuted(labels[1:, columns], axis=1)
    labels.flags.writeable = False
    return labels


def count_distinct(label: NDArray[np.int64], stratum: NDArray[np.int64]) -> float:
    """Count the relabellings that can differ in their score.

    To exchange two values everywhere, where every stratum has as many of either, changes nothing.

    Parameters
    ----------
    label, stratum : ndarray of int64, shape (units,)

    Returns
    -------
    float
        Whole where it is below 10¹⁵; at most 1e304.
    """
    counts = np.zeros((int(stratum.max()) + 1, int(label.max()) + 1), np.int64)
    np.add.at(counts, (stratum, label), 1)
    log = 0.0
    for row in counts.tolist():
        log += math.lgamma(sum(row) + 1) - sum(math.lgamma(n + 1) for n in row)
    for _, same in itertools.groupby(sorted(counts.T.tolist())):
        log -= math.lgamma(len(list(same)) + 1)
    found = math.exp(min(log, 700.0))
    return float(round(found)) if found < 1e15 else found  # noqa: PLR2004
