"""Scores of many labellings of the same snippets: sorted lists made once, labels counted along them."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from abxfast.kernels import unit_vectors
from abxfast.kernels.relabel import MOST, WIDTH, Design, count_relabelled, sorted_lists

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAIRS = 1 << 20  # (x, other) whose lists are held at a time, about 30 bytes each
_COUNTS = 1 << 22


def relabelled_scores(
    vectors: NDArray[np.float32] | NDArray[np.float64],
    labels: NDArray[np.uint8],
    unit: NDArray[np.int64],
    design: tuple[NDArray[np.int64], ...],
    n_values: int,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Score every labelling.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
    labels : ndarray of uint8, shape (labellings, units)
        Below `n_values`.
    unit : ndarray of int64, shape (n,)
    design : tuple of ndarray
        The fields of `Design`.
    n_values : int
    threads : int

    Returns
    -------
    ndarray of float64, shape (labellings,)
        For each value in each context, the share of triplets won where a has the value of x and b another; the mean
        of those that have a triplet, NaN where none has.

    Raises
    ------
    ValueError
        For more snippets or values than the counts can hold.
    """
    n = len(vectors)
    if n > MOST or n_values > 256:  # noqa: PLR2004
        raise ValueError(f"{n} snippets and {n_values} values; at most {MOST} and 256 can be relabelled")
    units, meets = unit_vectors(vectors), Design(*design)
    contexts = _contexts(meets)
    shape = (len(contexts), n_values, WIDTH)
    step = max(1, min(_PAIRS // n, -(-n // threads)))
    stretches = [(start, min(start + step, n)) for start in range(0, n, step)]
    n_batches = -(-len(labels) // WIDTH)
    parts = max(1, _COUNTS // math.prod(shape))
    scores = np.empty((n_batches, WIDTH))
    with ThreadPoolExecutor(threads) as pool:
        for first in range(0, n_batches, parts):
            last = min(first + parts, n_batches)
            count = partial(_count, units, meets, contexts, _batches(labels, unit, first, last), shape)
            wins2, triplets = np.zeros((2, last - first, *shape), np.int64)
            for won, of in pool.map(count, stretches):
                wins2 += won
                triplets += of
            scores[first:last] = _mean(wins2, triplets)
    return scores.reshape(-1)[: len(labels)]


def _count(
    units: NDArray[np.float64],
    design: Design,
    contexts: dict[tuple[int, ...], int],
    batches: NDArray[np.uint8],
    shape: tuple[int, ...],
    stretch: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    lists = sorted_lists(units, *stretch, design)
    slot = np.array([contexts[tuple(each)] for each in lists.context.tolist()], np.int64)
    wins2, triplets = np.zeros((2, len(batches), *shape), np.int64)
    count_relabelled(lists, slot, batches, wins2, triplets)
    return wins2, triplets


def _contexts(design: Design) -> dict[tuple[int, ...], int]:
    """Give each context, BY and ACROSS of x and of a and b, a number."""
    own = np.unique(np.stack((design.by, design.across), axis=1), axis=0).tolist()
    if (design.across < 0).all():
        return {(by, across, 0): k for k, (by, across) in enumerate(own)}
    every = [(by, of_x, across) for by, of_x in own for other, across in own if by == other and across != of_x]
    return {context: k for k, context in enumerate(every)}


def _batches(labels: NDArray[np.uint8], unit: NDArray[np.int64], first: int, last: int) -> NDArray[np.uint8]:
    """Give the labels of snippets, `WIDTH` labellings side by side, the last one repeated where there are too few."""
    index = np.minimum(np.arange(first * WIDTH, last * WIDTH), len(labels) - 1)
    batches = labels[index].reshape(last - first, WIDTH, -1).transpose(0, 2, 1)
    return np.ascontiguousarray(np.take(batches, unit, axis=1))


def _mean(wins2: NDArray[np.int64], triplets: NDArray[np.int64]) -> NDArray[np.float64]:
    there = triplets > 0
    score = np.divide(wins2, 2 * triplets, where=there, out=np.zeros(wins2.shape))
    n = there.sum(axis=(1, 2))
    mean: NDArray[np.float64] = np.divide(score.sum(axis=(1, 2)), n, where=n > 0, out=np.full(n.shape, np.nan))
    return mean
