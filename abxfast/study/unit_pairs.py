"""Whether the pairs of exchangeable units of an experiment are few enough to count their triplets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAX_PAIRS = 1 << 22
"""Marginals of pairs of exchangeable units that are kept (170 MB); beyond it, intervals do without."""
_SORTED_PER_PAIR = 32
"""Distances that may be sorted for each of them, in some ten seconds altogether."""
_MAX_VALUES = 1 << 26
"""Values of the vectors beyond which intervals do without pairs, which need the vectors in float64."""


def are_pairs_few(
    on: NDArray[np.int64], unit: NDArray[np.int64], context: NDArray[np.int64] | None, n_across: int, n_values: int
) -> bool:
    """Return whether the triplets of pairs of units can be counted in bounded memory and time.

    Parameters
    ----------
    on, unit : ndarray of int64, shape (n,)
        Codes of ON, and the unit of each snippet.
    context : ndarray of int64, shape (n,), optional
        Codes of BY and ACROSS jointly.
    n_across : int
        Values of ACROSS.
    n_values : int
        Values of all vectors.
    """
    return n_values <= _MAX_VALUES and _count_pairs(on, unit, context, n_across) <= _MAX_PAIRS


def _count_pairs(
    on: NDArray[np.int64], unit: NDArray[np.int64], context: NDArray[np.int64] | None, n_across: int
) -> int:
    """Return about how many marginals of pairs there are, or how many distances are sorted for them if that is more.

    Groups of n and m rows with k and l units, A and X of one size, have k² + 2 k l marginals and sort n (n + m).
    """
    context = np.zeros(len(on), np.int64) if context is None else context
    each_unit = np.unique(np.stack((context, on, unit), axis=1), axis=0, return_index=True)[1]
    most = 0.0
    for rows, per_pair in ((np.arange(len(on)), _SORTED_PER_PAIR), (each_unit, 1)):
        groups, size = np.unique(np.stack((context[rows], on[rows]), axis=1), axis=0, return_counts=True)
        n_groups, total, squares = (np.bincount(groups[:, 0], size**power) for power in (0, 1, 2))
        count = ((n_groups - 1) * squares + 2 * (total**2 - squares)).sum() * max(1, n_across - 1)
        most = max(most, float(count) / per_pair)
    return int(most)
