"""Confidence intervals by the jackknife, from the wins of each unit and pair, without recounting triplets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from abxfast.statistics.autocorrelation import MIN_BLOCKS, MIN_INDEPENDENT
from abxfast.statistics.cell_scores import score_cells
from abxfast.statistics.jackknife import (
    replace_by_value_variances,
    rows_with_recording,
    unit_influences,
    unit_variances,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits
    from abxfast.statistics.jackknife import Variances
    from abxfast.statistics.unit_marginals import UnitMarginals, UnitPairMarginals

_MIN_UNITS = 2
"""Units of a stratum below which its variance cannot be estimated."""
_MIN_DF = 4
"""Degrees of freedom below which there is no interval."""
_MIN_EQUAL_DF = 8
"""The same if all strata contributed equally: five and five units have eight."""
_MAX_WIDTH = 0.5
"""Width beyond which an interval says too little to be given."""
_EDGE_UNITS = 6
"""At a score of 1, an interval allows for a loss of 1 / (6 · (units + 1))."""
_MANY_UNITS = 10**9
_EQUIVALENCE_LEVEL = 0.9
"""Level of the interval that two one-sided tests at 0.05 amount to."""
_ROUNDING = 1e-9
"""Width of an interval below which it is rounding error only."""


@dataclass(frozen=True)
class Intervals:
    """Mean scores with confidence intervals, one entry per row.

    Attributes
    ----------
    score : ndarray of float64
        Mean of the scores of the row's cells; NaN without any.
    low, high : ndarray of float64
        Ends of the interval; NaN where there is none, for the reason in `note`.
    equivalence_low, equivalence_high : ndarray of float64
        Ends of the 90% interval, which two one-sided tests at 0.05 amount to; NaN as above.
    df : ndarray of float64
        Degrees of freedom of the variance.
    blocks : ndarray of int64
        Number of units, or of values of a label, that the variance is estimated from.
    note : list of str
        Why there is no interval, or which label's values it is estimated from; empty otherwise.
    """

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    equivalence_low: NDArray[np.float64]
    equivalence_high: NDArray[np.float64]
    df: NDArray[np.float64]
    blocks: NDArray[np.int64]
    note: list[str]


def jackknife_intervals(
    wins2: NDArray[np.int64],
    triplets: NDArray[np.int64],
    marginals: UnitMarginals,
    row_of_cell: NDArray[np.int64],
    units: ExchangeableUnits,
    *,
    pairs: UnitPairMarginals | None = None,
    values: Mapping[str, NDArray[np.int64]] | None = None,
    level: float = 0.95,
) -> Intervals:
    """Compute confidence intervals of scores, and of means of scores.

    Parameters
    ----------
    wins2, triplets : ndarray of int64, shape (cells,)
        2 · wins + ties, and the number of triplets, of each cell.
    marginals : UnitMarginals
        Of the same cells, by `sum_by_unit`.
    row_of_cell : ndarray of int64, shape (cells,)
        The row of the result that each cell is averaged into; −1 for none. Cells without triplets are left out.
    units : ExchangeableUnits
    pairs : UnitPairMarginals, optional
        Of the same cells: `AbxScores.pair_marginals` by unit.
    values : mapping of str to ndarray of int64, shape (cells, 1 or 2), optional
        For each label of the task, the codes of the values of each cell: see `label_influence`. Where a stratum has a
        single unit, as with one token of each kind, the variance is estimated over the values of the label that has
        most of them, if there are `MIN_BLOCKS`: the interval is then for other values of that label, with the values
        of all other labels held fixed.
    level : float
        Coverage, such as 0.95.

    Returns
    -------
    Intervals

    Notes
    -----
    With the marginals of pairs, units are left out one at a time: the variance is the sum over strata of K units of
    (K − 1) / K Σ (S₍ₖ₎ − S̄)², where S₍ₖ₎ is the score without unit k (the jackknife for U-statistics, Arvesen 1969;
    for blocks, Künsch 1989). The jackknife counts what pairs of units contribute beyond the single ones twice (Efron
    and Stein 1981), and near chance that is all there is. It is estimated from the pairs (`pair_variances`) and
    subtracted once, though at least half of it is left. The degrees of freedom are Satterthwaite's (1946), times the
    square of the share of the variance that is left, since subtracting does not make it more certain; but not below
    those of the smallest stratum. For blocks, the squares are multiplied by `ExchangeableUnits.inflation`, whose error
    also costs degrees of freedom.

    Without the marginals of pairs, which very large tasks lack, the influence U_k = (W_k − score · T_k) / T takes the
    place of S − S₍ₖ₎, where W_k and T_k are the wins and triplets of the unit over all three roles, and T is the number
    of triplets of the cell: the infinitesimal jackknife (Efron 1982, The jackknife, chapter 6). The variance is then
    Σ K / (K − 1) Σ (U_k − Ū)², nothing is subtracted, and the degrees of freedom of recordings are halved.

    The interval is computed on the logit scale from a t quantile. With fewer than four degrees of freedom, or fewer
    than the eight that five and five units of equal variance have, or if the interval would be wider than 0.5, none is
    given.

    Near 0 and 1 units hardly differ, which says little about further units. There the score is taken to be at least
    e = 1 / (6 (K + 1)) from 0 and 1, where K is the number of units of the smallest stratum, and the square of what it
    lacks to e is added to the variance. The ends are continuous in the score.

    The variance over the values of a label is that of their influences, as one stratum. The influence of value k is
    summed over all cells that contain k, on either side, which accounts for the dependence of cells that share a value.
    """
    cells = score_cells(wins2, triplets, row_of_cell)
    influences = unit_influences(cells, marginals, units, pairs)
    variances = unit_variances(influences, units, cells, pairs)
    n_rows = len(cells.mean)
    too_short, drifts = (
        rows_with_recording(influences, units, flagged, n_rows) for flagged in (units.too_short, units.drifts)
    )
    single = (variances.min_units < _MIN_UNITS) & ~too_short & (cells.n_cells > 0)
    label = [""] * n_rows
    if values and single.any():
        variances, label = replace_by_value_variances(variances, single, cells, values)
    low, high = _logit_interval(cells.mean, variances, level)
    no_label = f", and no label has {MIN_BLOCKS} values to estimate one over" if values else ""
    reasons = {
        "no triplet": cells.n_cells == 0,
        "no interval: a recording changes over time": drifts,
        f"no interval: a recording is too short: it holds fewer than {MIN_INDEPENDENT} independent snippets": too_short,
        f"no interval: one side has a single {units.kind}{no_label}": variances.min_units < _MIN_UNITS,
        "no interval: the score does not vary": (high - low < _ROUNDING) & (cells.mean > 0) & (cells.mean < 1),
        f"no interval: too few {units.kind}s": (variances.df < _MIN_DF) | (variances.equal_df < _MIN_EQUAL_DF),
        f"no interval: it would be wider than {_MAX_WIDTH}": high - low > _MAX_WIDTH,
    }
    missing = np.logical_or.reduce(list(reasons.values()))
    narrow_low, narrow_high = _logit_interval(cells.mean, variances, _EQUIVALENCE_LEVEL)
    low, high, narrow_low, narrow_high = (
        np.where(missing, np.nan, end) for end in (low, high, narrow_low, narrow_high)
    )
    note = _notes(reasons, label, variances.n_units)
    return Intervals(cells.mean, low, high, narrow_low, narrow_high, variances.df, variances.n_units, note)


def _notes(reasons: dict[str, NDArray[np.bool_]], label: list[str], n_values: NDArray[np.int64]) -> list[str]:
    """Return the first reason that holds for each row, or else the label that the interval is over, if any."""
    note = [
        f"the interval is over the {n} values of {name}, with all else held fixed" if name else ""
        for name, n in zip(label, n_values.tolist(), strict=True)
    ]
    for reason, holds in reversed(reasons.items()):
        for row in np.flatnonzero(holds).tolist():
            note[row] = reason
    return note


def _logit_interval(
    score: NDArray[np.float64], variances: Variances, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the interval of each score, float64 ``(rows,)``."""
    edge = 1 / (_EDGE_UNITS * (np.minimum(variances.min_units, _MANY_UNITS) + 1))
    centre = np.clip(score, edge, 1 - edge)
    variance = variances.variance + (score - centre) ** 2
    quantile = stats.t.ppf((1 + level) / 2, np.maximum(variances.df, 1))
    half_width = quantile * np.sqrt(variance) / (centre * (1 - centre))
    logit = np.log(centre / (1 - centre))
    low, high = 1 / (1 + np.exp(half_width - logit)), 1 / (1 + np.exp(-half_width - logit))
    return np.minimum(low, score), np.maximum(high, score)
