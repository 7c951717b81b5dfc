"""Scores of the same snippets under many labellings: neighbours are sorted once, labels are counted along them."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels import LABELLINGS_PER_BATCH, ComparisonRules, count_relabelled, sort_neighbours, unit_vectors

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

_MAX_PAIRS = 1 << 20
"""Pairs (x, other) whose neighbour lists are held at once by a thread, at about 30 bytes each."""
_MAX_COUNTS = 1 << 22
"""Counts that are held at once by a thread."""


class _Context(NamedTuple):
    """The snippets of one value of BY."""

    vectors: NDArray[np.float64]
    unit: NDArray[np.int64]
    rules: ComparisonRules


def relabelled_scores(
    vectors: NDArray[np.float32] | NDArray[np.float64],
    labels: NDArray[np.uint8],
    unit: NDArray[np.int64],
    by: NDArray[np.int64],
    rules: ComparisonRules,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Score every labelling.

    Parameters
    ----------
    vectors : ndarray of float32 or float64, shape (n, dim)
    labels : ndarray of uint8, shape (labellings, units)
    unit : ndarray of int64, shape (n,)
        The unit of each snippet, which is labelled as a whole.
    by : ndarray of int64, shape (n,)
        Codes of the context that a, b and x share.
    rules : ComparisonRules
        Which snippets are compared.
    threads : int

    Returns
    -------
    ndarray of float64, shape (labellings,)
        Mean of the ABX scores of each value (that of a and x; b has any other) in each context that has a triplet; NaN
        if none has.
    """
    n_batches, n_values = -(-len(labels) // LABELLINGS_PER_BATCH), int(labels.max()) + 1
    total, n_scores = np.zeros((2, n_batches, LABELLINGS_PER_BATCH))
    with ThreadPoolExecutor(threads) as pool:
        for value in np.unique(by):
            rows = np.flatnonzero(by == value)
            context = _Context(
                unit_vectors(vectors[rows]),
                unit[rows],
                ComparisonRules(rules.across[rows], rules.recording[rows], rules.place[rows], rules.gap),
            )
            _add_scores(pool, threads, context, labels, n_values, total, n_scores)
    mean: NDArray[np.float64] = np.divide(total, n_scores, where=n_scores > 0, out=np.full(total.shape, np.nan))
    return mean.reshape(-1)[: len(labels)]


def _add_scores(
    pool: Executor,
    threads: int,
    context: _Context,
    labels: NDArray[np.uint8],
    n_values: int,
    total: NDArray[np.float64],
    n_scores: NDArray[np.float64],
) -> None:
    """Add the scores of one context to `total` and their number to `n_scores`, both ``(batches, labellings)``."""
    n = len(context.unit)
    across_pairs = _number_across_pairs(context.rules.across)
    if not across_pairs:  # ACROSS has a single value, so that x cannot differ in it
        return
    step = max(1, min(_MAX_PAIRS // n, -(-n // threads)))
    spans = [(start, min(start + step, n)) for start in range(0, n, step)]
    shape = (len(across_pairs), n_values, LABELLINGS_PER_BATCH)
    batches_at_once = max(1, _MAX_COUNTS // math.prod(shape))
    for first in range(0, len(total), batches_at_once):
        last = min(first + batches_at_once, len(total))
        batches = _batch_labels(labels, context.unit, first, last)
        count = partial(_count, context, across_pairs, batches, shape)
        wins2, triplets = np.zeros((2, last - first, *shape), np.int64)
        for span_wins2, span_triplets in pool.map(count, spans):
            wins2 += span_wins2
            triplets += span_triplets
        scored = triplets > 0
        scores = np.divide(wins2, 2 * triplets, where=scored, out=np.zeros(wins2.shape))
        total[first:last] += scores.sum(axis=(1, 2))
        n_scores[first:last] += scored.sum(axis=(1, 2))


def _count(
    context: _Context,
    across_pairs: dict[tuple[int, ...], int],
    batches: NDArray[np.uint8],
    shape: tuple[int, ...],
    span: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count wins2 and triplets, ``(batches, *shape)``, for x from ``span[0]`` to ``span[1]``."""
    neighbours = sort_neighbours(context.vectors, *span, context.rules)
    slot = np.array([across_pairs[tuple(pair)] for pair in neighbours.context.tolist()], np.int64)
    wins2, triplets = np.zeros((2, len(batches), *shape), np.int64)
    count_relabelled(neighbours, slot, batches, wins2, triplets)
    return wins2, triplets


def _number_across_pairs(across: NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    """Return a number for each pair of values of ACROSS (that of x, that of a and b); one pair without ACROSS (−1)."""
    values = np.unique(across).tolist()
    if values[0] < 0:
        return {(values[0], 0): 0}
    return {pair: k for k, pair in enumerate(itertools.permutations(values, 2))}


def _batch_labels(labels: NDArray[np.uint8], unit: NDArray[np.int64], first: int, last: int) -> NDArray[np.uint8]:
    """Return the labels of snippets in batches `first` to `last`, uint8 ``(batches, n, LABELLINGS_PER_BATCH)``.

    The last labelling is repeated to fill the last batch.
    """
    index = np.minimum(np.arange(first * LABELLINGS_PER_BATCH, last * LABELLINGS_PER_BATCH), len(labels) - 1)
    batches = labels[index].reshape(last - first, LABELLINGS_PER_BATCH, -1).transpose(0, 2, 1)
    return np.ascontiguousarray(np.take(batches, unit, axis=1))
