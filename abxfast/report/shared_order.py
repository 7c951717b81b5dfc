"""One order of names for all matrices that a reader compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures import cluster_order
from abxfast.results import score_matrix

if TYPE_CHECKING:
    from abxfast.results import Results, ScoreMatrix


def shared_order(results: Results) -> dict[str, list[str]]:
    """Return the order of names that all matrices of an experiment share.

    The names are clustered by their scores averaged over encoders, variants and lengths, so that matrices can be
    compared row by row.

    Returns
    -------
    dict of str to list of str
        By experiment.
    """
    series: dict[str, list[ScoreMatrix]] = {}
    for key, pairs in results.groups("pairs").items():
        series.setdefault(key.experiment, []).append(score_matrix(key, pairs, None))
    return {experiment: _order(matrices) for experiment, matrices in series.items()}


def _order(matrices: list[ScoreMatrix]) -> list[str]:
    names = list(dict.fromkeys(name for matrix in matrices for name in matrix.names))
    index = {name: number for number, name in enumerate(names)}
    total, count = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    for matrix in matrices:
        rows = np.array([index[name] for name in matrix.names])
        total[np.ix_(rows, rows)] += np.nan_to_num(matrix.symmetric)
        count[np.ix_(rows, rows)] += np.isfinite(matrix.symmetric)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return [names[number] for number in cluster_order(mean)]
