"""One order of names for all matrices of a series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.figures import cluster_order
from abxfast.results import score_matrix

if TYPE_CHECKING:
    from abxfast.results import Results, ScoreMatrix


def series_order(results: Results) -> dict[tuple[str, str, str], list[str]]:
    """Give one order of names to all lengths of an experiment, encoder and variant, so that matrices compare."""
    orders: dict[tuple[str, str, str], list[str]] = {}
    series: dict[tuple[str, str, str], list[ScoreMatrix]] = {}
    for key, rows in results.groups("pairs").items():
        series.setdefault((key.experiment, key.encoder, key.variant), []).append(score_matrix(key, rows, None))
    for which, matrices in series.items():
        names = list(dict.fromkeys(name for one in matrices for name in one.names))
        place = {name: number for number, name in enumerate(names)}
        total, count = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
        for one in matrices:
            rows = np.array([place[name] for name in one.names])
            total[np.ix_(rows, rows)] += np.nan_to_num(one.symmetric)
            count[np.ix_(rows, rows)] += np.isfinite(one.symmetric)
        mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        orders[which] = [names[number] for number in cluster_order(mean)]
    return orders
