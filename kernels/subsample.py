"""Subsets that are the same in every run, version and system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = 0x9E3779B97F4A7C15
_UINT64_MASK = (1 << 64) - 1


def splitmix64_keys(seed: int, *counters: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return pseudorandom numbers that depend on seed and counters only.

    The output function of SplitMix64 (Steele, Lea and Flood, 2014), applied once for each counter. It uses integers
    only, so results are the same everywhere, and no state, so an element's number does not depend on the others.

    Parameters
    ----------
    seed : int
    *counters : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of uint64, shape (n,)
    """
    state = np.full(len(counters[0]), seed & _UINT64_MASK, np.uint64)
    for counter in counters:
        state = state ^ counter.astype(np.uint64)
        state = state + np.uint64(_STEP)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state


def cap_per_group(group: NDArray[np.int64], most: int, key: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Select at most `most` elements of each group: those with the lowest keys, or the first of those with equal keys.

    Parameters
    ----------
    group : ndarray of int64, shape (n,)
    most : int
    key : ndarray of uint64, shape (n,)

    Returns
    -------
    ndarray of bool, shape (n,)
        Whether each element is selected.
    """
    order = np.lexsort((key, group))
    sorted_group = group[order]
    first = np.searchsorted(sorted_group, sorted_group)
    selected = np.zeros(len(group), np.bool_)
    selected[order] = np.arange(len(group)) - first < most
    return selected
