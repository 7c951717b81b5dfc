"""Scores of many labellings of the same snippets: sorted lists made once, labels counted along them."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels import LABELLINGS_PER_BATCH, ComparisonRules, count_relabelled, sort_neighbours, unit_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIRS = 1 << 20  # (x, other) whose lists are held at a time, about 30 bytes each
_COUNTS = 1 << 22


class Rows(NamedTuple):
    """What a test is taken on; int64 arrays of shape (n,).

    Attributes
    ----------
    unit : ndarray
        What is labelled as a whole.
    by : ndarray
        Codes of the context that all share.
    design : Design
    """

    unit: NDArray[np.int64]
    by: NDArray[np.int64]
    design: ComparisonRules


def relabelled_scores(
    vectors: NDArray[np.float32] | NDArray[np.float64],
    labels: NDArray[np.uint8],
    rows: Rows,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Score every labelling.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
    labels : ndarray of uint8, shape (labellings, units)
    rows : Rows
    threads : int

    Returns
    -------
    ndarray of float64, shape (labellings,)
        For each value in each context, the share of triplets won where a has the value of x and b another; the mean
        of those that have a triplet, NaN where none has.
    """
    n_batches, n_values = -(-len(labels) // LABELLINGS_PER_BATCH), int(labels.max()) + 1
    total, there = np.zeros((2, n_batches, LABELLINGS_PER_BATCH))
    with ThreadPoolExecutor(threads) as pool:
        for context in np.unique(rows.by):
            own = np.flatnonzero(rows.by == context)
            design = rows.design
            part = ComparisonRules(design.across[own], design.recording[own], design.place[own], design.gap)
            pairs = _pairs(part.across)
            if not pairs:  # a single value of ACROSS: no x differs in it
                continue
            units = unit_vectors(vectors[own])
            step = max(1, min(_PAIRS // len(own), -(-len(own) // threads)))
            stretches = [(start, min(start + step, len(own))) for start in range(0, len(own), step)]
            shape = (len(pairs), n_values, LABELLINGS_PER_BATCH)
            batches_at_once = max(1, _COUNTS // math.prod(shape))
            for first in range(0, n_batches, batches_at_once):
                last = min(first + batches_at_once, n_batches)
                count = partial(_count, units, part, pairs, _batches(labels, rows.unit[own], first, last), shape)
                wins2, triplets = np.zeros((2, last - first, *shape), np.int64)
                for won, of in pool.map(count, stretches):
                    wins2 += won
                    triplets += of
                some = triplets > 0
                scores = np.divide(wins2, 2 * triplets, where=some, out=np.zeros(wins2.shape))
                total[first:last] += scores.sum(axis=(1, 2))
                there[first:last] += some.sum(axis=(1, 2))
    mean: NDArray[np.float64] = np.divide(total, there, where=there > 0, out=np.full(total.shape, np.nan))
    return mean.reshape(-1)[: len(labels)]


def _count(
    units: NDArray[np.float64],
    design: ComparisonRules,
    pairs: dict[tuple[int, ...], int],
    batches: NDArray[np.uint8],
    shape: tuple[int, ...],
    stretch: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lists = sort_neighbours(units, *stretch, design)
    slot = np.array([pairs[tuple(each)] for each in lists.context.tolist()], np.int64)
    wins2, triplets = np.zeros((2, len(batches), *shape), np.int64)
    count_relabelled(lists, slot, batches, wins2, triplets)
    return wins2, triplets


def _pairs(across: NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    """Give each pair of ACROSS, of x and of a and b, a number; there is a single one where ACROSS is not asked for."""
    own = np.unique(across).tolist()
    if own[0] < 0:
        return {(own[0], 0): 0}
    return {pair: k for k, pair in enumerate(itertools.permutations(own, 2))}


def _batches(labels: NDArray[np.uint8], unit: NDArray[np.int64], first: int, last: int) -> NDArray[np.uint8]:
    """Give the labels of snippets, `LABELLINGS_PER_BATCH` labellings side by side, the last one repeated where there are too few."""
    index = np.minimum(np.arange(first * LABELLINGS_PER_BATCH, last * LABELLINGS_PER_BATCH), len(labels) - 1)
    batches = labels[index].reshape(last - first, LABELLINGS_PER_BATCH, -1).transpose(0, 2, 1)
    return np.ascontiguousarray(np.take(batches, unit, axis=1))
