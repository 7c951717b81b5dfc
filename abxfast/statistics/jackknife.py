"""The jackknife: variances of mean scores from the influences of units, or of values of a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.statistics.autocorrelation import MIN_BLOCKS
from abxfast.statistics.cell_scores import UnitInfluences
from abxfast.statistics.interactions import delete_one_slopes, pair_variances
from abxfast.statistics.label_influence import label_influence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abxfast.statistics.cell_scores import CellScores
    from abxfast.statistics.dependence import ExchangeableUnits
    from abxfast.statistics.unit_marginals import UnitMarginals, UnitPairMarginals

_MIN_PAIR_SHARE = 0.5
"""Share of the variance due to pairs of units below which the variance of a score is not estimated to be."""


class Variances(NamedTuple):
    """Variance of each row's score; arrays of shape (rows,).

    Attributes
    ----------
    variance, df : ndarray of float64
        Variance and its degrees of freedom.
    equal_df : ndarray of float64
        Its degrees of freedom if all strata contributed equally.
    n_units : ndarray of int64
        Units of the row.
    min_units : ndarray of int64
        Units of the row's smallest stratum; the largest int64 for a row without units.
    """

    variance: NDArray[np.float64]
    df: NDArray[np.float64]
    equal_df: NDArray[np.float64]
    n_units: NDArray[np.int64]
    min_units: NDArray[np.int64]


def unit_influences(
    cells: CellScores, marginals: UnitMarginals, units: ExchangeableUnits, pairs: UnitPairMarginals | None
) -> UnitInfluences:
    """Compute the influences U_k; those of blocks are multiplied by the square root of the variance inflation.

    They are the differences that leaving out one unit makes, times (K − 1) / K for a stratum of K units, if the
    marginals of pairs are given, and derivatives with respect to the weight of a unit if not.
    """
    n_units = len(units.stratum)
    counted = cells.counted[marginals.cell]
    marginals = marginals._replace(**{name: column[counted] for name, column in marginals._asdict().items()})
    cell, unit, wins2, triplets = marginals
    if pairs is None:
        slope = (wins2 / 2 - cells.score[cell] * triplets) / cells.triplets[cell]
    else:
        slope = delete_one_slopes(cells, marginals, pairs, n_units)
    row = cells.row[cell]
    keys, index = np.unique(row * n_units + unit, return_inverse=True)
    influence = np.zeros(len(keys))
    np.add.at(influence, index, slope / cells.n_cells[row])
    row, unit = keys // n_units, keys % n_units
    if pairs is not None:
        size = _stratum_sizes(row, units.stratum[unit])
        influence *= (size - 1) / size
    return UnitInfluences(row, unit, influence * np.sqrt(unit_inflation(units)[unit]))


def unit_inflation(units: ExchangeableUnits) -> NDArray[np.float64]:
    """Return the factor by which the variance that is due to each unit is multiplied, float64 ``(units,)``."""
    if units.kind != "block":
        return np.ones(len(units.stratum))
    inflation: NDArray[np.float64] = units.inflation[_recording_of_unit(units)]
    return inflation


def _stratum_sizes(row: NDArray[np.int64], stratum: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each unit of a row, how many units of its stratum the row has."""
    n_strata = int(stratum.max()) + 1 if len(stratum) else 1
    index = np.unique(row * n_strata + stratum, return_inverse=True)[1].reshape(-1)
    size: NDArray[np.int64] = np.bincount(index)[index]
    return size


def rows_with_recording(
    influences: UnitInfluences, units: ExchangeableUnits, flagged: NDArray[np.bool_], n_rows: int
) -> NDArray[np.bool_]:
    """Return whether a row has a unit of a flagged recording, bool ``(rows,)``; never unless units are blocks."""
    found = np.zeros(n_rows, np.bool_)
    if units.kind == "block":
        np.logical_or.at(found, influences.row, flagged[_recording_of_unit(units)[influences.unit]])
    return found


def _recording_of_unit(units: ExchangeableUnits) -> NDArray[np.int64]:
    recording = np.zeros(len(units.stratum), np.int64)
    recording[units.unit] = units.recording
    return recording


def unit_variances(
    influences: UnitInfluences, units: ExchangeableUnits, cells: CellScores, pairs: UnitPairMarginals | None
) -> Variances:
    """Compute the variance of each row from the influences of its units, and its degrees of freedom.

    If the marginals of pairs are given, what the jackknife counts twice is subtracted.
    """
    n_rows = len(cells.mean)
    stratum, error = units.stratum[influences.unit], None
    if units.kind == "block":
        error = units.inflation_error[_recording_of_unit(units)[influences.unit]]
    variances = _stratified_variances(influences.row, stratum, influences.influence, n_rows, error)
    if pairs is None:
        if units.kind == "recording":
            return variances._replace(df=np.maximum(variances.df / 2, variances.min_units - 1))
        return variances
    of_pairs = pair_variances(cells, influences, pairs, units.stratum, unit_inflation(units))
    jackknife = variances.variance
    variance = np.maximum(jackknife - of_pairs.excess, _MIN_PAIR_SHARE * of_pairs.variance)
    left = np.divide(variance, jackknife, where=jackknife > 0, out=np.ones(n_rows))
    df = np.maximum(variances.df * np.minimum(left, 1) ** 2, variances.min_units - 1)
    return variances._replace(variance=variance, df=df)


def _stratified_variances(
    row: NDArray[np.int64],
    stratum: NDArray[np.int64],
    influence: NDArray[np.float64],
    n_rows: int,
    error: NDArray[np.float64] | None = None,
) -> Variances:
    """Compute Σ K / (K − 1) Σ (U_k − Ū)² over the strata of each row, and its Satterthwaite degrees of freedom.

    `error` is the relative variance of a factor in the squares of the influences, the same throughout a stratum.
    """
    n_strata = int(stratum.max()) + 1 if len(stratum) else 1
    keys, index = np.unique(row * n_strata + stratum, return_inverse=True)
    size = np.bincount(index)
    centred = influence - (np.bincount(index, influence) / size)[index]
    stratum_variance = np.bincount(index, centred**2) * size / np.maximum(size - 1, 1)
    stratum_row = keys // n_strata
    variance, denominator = np.zeros((2, n_rows))
    np.add.at(variance, stratum_row, stratum_variance)
    inverse_df = 1 / np.maximum(size - 1, 1)
    if error is not None:
        inverse_df += np.bincount(index, error) / size / 2
    np.add.at(denominator, stratum_row, stratum_variance**2 * inverse_df)
    min_units = np.full(n_rows, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(min_units, stratum_row, size)
    df = np.divide(variance**2, denominator, where=denominator > 0, out=(min_units - 1).astype(np.float64))
    total = np.bincount(stratum_row, 1 / np.maximum(size - 1, 0.5), n_rows)
    equal_df = np.bincount(stratum_row, minlength=n_rows) ** 2 / np.maximum(total, 1e-300)
    return Variances(variance, df, equal_df, np.bincount(row, minlength=n_rows), min_units)


def replace_by_value_variances(
    variances: Variances,
    single: NDArray[np.bool_],
    cells: CellScores,
    values: Mapping[str, NDArray[np.int64]],
) -> tuple[Variances, list[str]]:
    """Replace the variance of rows with a single unit in a stratum by the one over the values of a label.

    Parameters
    ----------
    variances : Variances
    single : ndarray of bool, shape (rows,)
        The rows to replace, if they have a label with `MIN_BLOCKS` values.
    cells : CellScores
    values : mapping of str to ndarray of int64, shape (cells, 1 or 2)
        See `label_influence`.

    Returns
    -------
    variances : Variances
    label : list of str
        The label of each row that was replaced; empty for the others.
    """
    used = cells.counted & single[cells.row]
    n_rows = len(cells.mean)
    codes = {label: columns[used] for label, columns in values.items()}
    influences = label_influence(cells.score[used], cells.row[used], n_rows, codes)
    one_stratum = np.zeros(len(influences.row), np.int64)
    over_values = _stratified_variances(influences.row, one_stratum, influences.influence, n_rows)
    replaced = single & (over_values.n_units >= MIN_BLOCKS)
    merged = Variances(*(np.where(replaced, new, old) for new, old in zip(over_values, variances, strict=True)))
    return merged, [label if new else "" for label, new in zip(influences.label, replaced, strict=True)]
