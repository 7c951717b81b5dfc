"""Permutations of the labels of units, within strata: random ones, or all of them."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


_MAX_UNITS = 200
"""Units beyond which relabellings are not enumerated, even if there are few."""


def permute_labels(
    label: NDArray[np.int64], stratum: NDArray[np.int64], permutations: int, seed: int
) -> NDArray[np.uint8]:
    """Return the observed labels of the units, followed by permutations of them within strata.

    These are all distinct relabellings if there are at most `permutations` of them (see `count_distinct`), of at most
    200 units, and random ones otherwise, which depend on the arguments only, so that tests of one design share them.

    Parameters
    ----------
    label, stratum : ndarray of int64, shape (units,)
        Labels from 0 to 255.
    permutations, seed : int

    Returns
    -------
    ndarray of uint8, shape (permutations + 1 or distinct relabellings, units)
        The observed labels are the first row. Read-only, since the array is cached.
    """
    exact = len(label) <= _MAX_UNITS and count_distinct(label, stratum) <= permutations
    return _permute(label.astype(np.uint8).tobytes(), stratum.tobytes(), 0 if exact else permutations, seed)


@lru_cache(maxsize=4)
def _permute(label: bytes, stratum: bytes, permutations: int, seed: int) -> NDArray[np.uint8]:
    observed, strata = np.frombuffer(label, np.uint8), np.frombuffer(stratum, np.int64)
    if permutations:
        labels = np.tile(observed, (permutations + 1, 1))
        rng = np.random.default_rng(seed)
        for value in np.unique(strata):
            units = np.flatnonzero(strata == value)
            labels[1:, units] = rng.permuted(labels[1:, units], axis=1)
    else:
        every = np.array(list(_every_relabelling(observed.tolist(), strata.tolist())), np.uint8)
        is_observed = (every == _rename(observed, strata)).all(axis=1)
        labels = np.concatenate((observed[None], every[~is_observed]))
    labels.flags.writeable = False
    return labels


def _every_relabelling(label: list[int], stratum: list[int]) -> Iterator[list[int]]:
    """Yield each distinct relabelling once.

    Of values that are interchangeable, those with equal counts in every stratum, one is first used only after all those
    before it are.
    """
    left = {s: [0] * (max(label) + 1) for s in set(stratum)}
    for value, s in zip(label, stratum, strict=True):
        left[s][value] += 1
    classes = _interchangeable(np.array(label), np.array(stratum))
    used = [0] * (max(label) + 1)
    chosen: list[int] = []

    def place(unit: int) -> Iterator[list[int]]:
        if unit == len(label):
            yield list(chosen)
            return
        counts = left[stratum[unit]]
        for value, count in enumerate(counts):
            earlier = classes[value]
            if not count or (not used[value] and any(not used[other] for other in earlier)):
                continue
            counts[value] -= 1
            used[value] += 1
            chosen.append(value)
            yield from place(unit + 1)
            chosen.pop()
            used[value] -= 1
            counts[value] += 1

    yield from place(0)


def _interchangeable(label: NDArray[np.int64], stratum: NDArray[np.int64]) -> list[list[int]]:
    """Return, for each value, the smaller values that are interchangeable with it."""
    counts = _count(label, stratum).T.tolist()
    return [[other for other in range(value) if counts[other] == counts[value]] for value in range(len(counts))]


def _rename(label: NDArray[np.uint8], stratum: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Rename interchangeable values in the order of their first units, as `_every_relabelling` has them."""
    counts = _count(label.astype(np.int64), stratum).T.tolist()
    names: dict[int, int] = {}
    for value in dict.fromkeys(label.tolist()):
        same = [other for other in range(len(counts)) if counts[other] == counts[value]]
        names[value] = same[sum(other in names for other in same)]
    return np.array([names[value] for value in label.tolist()], np.uint8)


def _count(label: NDArray[np.int64], stratum: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of units of each value in each stratum, ``(strata, values)``."""
    counts = np.zeros((int(stratum.max()) + 1, int(label.max()) + 1), np.int64)
    np.add.at(counts, (stratum, label), 1)
    return counts


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
    counts = _count(label, stratum)
    log_count = 0.0
    for stratum_counts in counts.tolist():
        log_count += math.lgamma(sum(stratum_counts) + 1) - sum(math.lgamma(n + 1) for n in stratum_counts)
    for _, interchangeable in itertools.groupby(sorted(counts.T.tolist())):
        log_count -= math.lgamma(len(list(interchangeable)) + 1)
    count = math.exp(min(log_count, 700.0))
    return float(round(count)) if count < 1e15 else count  # noqa: PLR2004


def count_relabellings(n_a: int, n_b: int) -> float:
    """Count the relabellings of `n_a` and `n_b` units of two values whose scores can differ.

    Examples
    --------
    >>> from abxfast.statistics import count_relabellings
    >>> count_relabellings(3, 3), count_relabellings(2, 8)
    (10.0, 45.0)
    """
    label = np.repeat([0, 1], [n_a, n_b])
    return count_distinct(label, np.zeros(n_a + n_b, np.int64))
