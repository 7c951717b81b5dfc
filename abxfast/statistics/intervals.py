"""Confidence intervals by the infinitesimal jackknife: from what each unit won, without counting a triplet again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.errors import MissingPackageError
from abxfast.statistics.dependence import MIN_BLOCKS
from abxfast.statistics.label_influence import label_influence

try:
    from scipy import stats
except ImportError as error:
    raise MissingPackageError("intervals need scipy, which is not installed: pip install '.[report]'") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from abxfast.statistics.dependence import ExchangeableUnits


_MIN_UNITS = 2
"""Units of a side below which nothing tells how it varies."""
_ROUNDING = 1e-9
"""Width of an interval that is all rounding."""


class UnitMarginals(NamedTuple):
    """What each unit won in each cell, as x, as a and as b together; int64 arrays of one length.

    Attributes
    ----------
    cell, unit : ndarray of int64
    wins2, triplets : ndarray of int64
        Of a cell, three times its own: every triplet has an x, an a and a b.
    """

    cell: NDArray[np.int64]
    unit: NDArray[np.int64]
    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]


@dataclass(frozen=True)
class Intervals:
    """Scores and how sure they are; one entry a row.

    Attributes
    ----------
    score : ndarray of float64
        Mean of the scores of the row's cells; NaN without any.
    low, high : ndarray of float64
        NaN where no interval can be given; `note` says why.
    df : ndarray of float64
        Degrees of freedom of the variance.
    blocks : ndarray of int64
        Units, or values of a label, that it is taken over.
    note : list of str
        Why there is no interval, or that it is one over the values of a label.
    """

    score: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    df: NDArray[np.float64]
    blocks: NDArray[np.int64]
    note: list[str]


def sum_by_unit(tables: Mapping[str, pa.Table], unit: NDArray[np.int64]) -> UnitMarginals:
    """Add up the shares of snippets, in all roles, by unit.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `AbxScores.marginals`, asked for with ``marginals=True``.
    unit : ndarray of int64, shape (n,)
        The unit of each snippet (row of the embeddings).

    Returns
    -------
    Shares
    """
    columns = [
        np.concatenate([table[name].to_numpy() for table in tables.values()])
        for name in ("cell", "snippet", "wins2", "triplets")
    ]
    n_units = int(unit.max()) + 1
    keys, place = np.unique(columns[0] * n_units + unit[columns[1]], return_inverse=True)
    wins2, triplets = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.int64)
    np.add.at(wins2, place, columns[2])
    np.add.at(triplets, place, columns[3])
    return UnitMarginals(keys // n_units, keys % n_units, wins2, triplets)


def jackknife_intervals(
    wins2: NDArray[np.int64],
    triplets: NDArray[np.int64],
    shares: UnitMarginals,
    row_of_cell: NDArray[np.int64],
    units: ExchangeableUnits,
    *,
    values: Mapping[str, NDArray[np.int64]] | None = None,
    level: float = 0.95,
) -> Intervals:
    """Give confidence intervals of scores, and of means of scores.

    Parameters
    ----------
    wins2, triplets : ndarray of int64, shape (cells,)
        2 · wins + ties, and triplets.
    shares : Shares
    row_of_cell : ndarray of int64, shape (cells,)
        The row of the result that each cell is averaged into; −1 for none. A cell without triplets is left out.
    units : Units
    values : mapping of str to ndarray of int64, shape (cells, 1 or 2), optional
        For each label of the task, the codes of the values that each cell is made of: see `label_influence`. Where a
        single unit stands for one side, as with one token of each kind, the interval is one over the values of the
        label that has the most of them, `MIN_BLOCKS` at least: it tells what other values would score, and holds the
        values of all other labels as they are.
    level : float

    Returns
    -------
    Intervals

    Notes
    -----
    Give each unit a weight, every triplet the product of those of its members: the slope of the score in the weight of
    unit k is U_k = (W_k − score · T_k) / T, with W_k and T_k what it won and took part in, in all three roles (Efron
    1982, The jackknife, chapter 6; for samples of blocks, Künsch 1989). The variance is Σ K / (K − 1) Σ (U_k − Ū)² over
    strata of K units; of blocks, it is raised by what the cuts hide (`Units.inflation`). The interval is taken on the
    logit scale, with a t quantile of the degrees of freedom that the strata have together (Satterthwaite 1946); where
    the units are recordings, which are few, of half as many, or of those of the smallest stratum where these are more.

    Over the values of a label the same is done with their influences, as one stratum: U_k is a sum over all cells that
    value k is in, on either side, so that what two cells have in common by sharing it is heeded.
    """
    n_rows = int(row_of_cell.max()) + 1 if len(row_of_cell) else 0
    short = np.zeros(n_rows, np.bool_)
    there = (triplets > 0) & (row_of_cell >= 0)
    of_cell = np.divide(wins2, 2 * triplets, where=there, out=np.zeros(len(wins2)))
    n_cells = np.bincount(row_of_cell[there], minlength=n_rows)
    total = np.bincount(row_of_cell[there], of_cell[there], minlength=n_rows)
    score = np.divide(total, n_cells, where=n_cells > 0, out=np.full(n_rows, np.nan))

    used = shares._replace(**{name: array[there[shares.cell]] for name, array in shares._asdict().items()})
    slope = (used.wins2 / 2 - of_cell[used.cell] * used.triplets) / triplets[used.cell]
    row = row_of_cell[used.cell]
    keys, place = np.unique(row * len(units.stratum) + used.unit, return_inverse=True)
    influence = np.zeros(len(keys))
    np.add.at(influence, place, slope / n_cells[row])
    row, unit = keys // len(units.stratum), keys % len(units.stratum)
    if units.kind == "block":
        recording = np.zeros(len(units.stratum), np.int64)
        recording[units.unit] = units.recording
        influence *= np.sqrt(units.inflation[recording[unit]])
        np.logical_or.at(short, row, units.short[recording[unit]])

    variance, df, least = _variance(row, units.stratum[unit], influence, n_rows)
    if units.kind == "recording":
        df = np.maximum(df / 2, least - 1)
    blocks = np.bincount(row, minlength=n_rows)
    note = [_note(*each, units) for each in zip(score.tolist(), least.tolist(), short.tolist(), strict=True)]
    over = np.zeros(n_rows, np.bool_)
    single = (least < _MIN_UNITS) & ~short & (n_cells > 0)
    if values and single.any():
        cells = there & single[row_of_cell]
        of_values = {name: codes[cells] for name, codes in values.items()}
        found = label_influence(of_cell[cells], row_of_cell[cells], n_rows, of_values)
        own, own_df, _ = _variance(found.row, np.zeros(len(found.row), np.int64), found.influence, n_rows)
        n = np.bincount(found.row, minlength=n_rows)
        over = single & (n >= MIN_BLOCKS)
        variance, df = np.where(over, own, variance), np.where(over, own_df, df)
        least, blocks = np.where(over, n, least), np.where(over, n, blocks)
        for i in np.flatnonzero(single).tolist():
            note[i] = (
                f"the interval is one over the {n[i]} values of {found.label[i]}, all else held as it is"
                if over[i]
                else f"{note[i]}, and no label has {MIN_BLOCKS} values to take one over"
            )
    low, high = _logit_interval(score, variance, df, least, level)
    for i, text in enumerate(note):
        if not text and high[i] - low[i] < _ROUNDING:
            note[i] = "no interval: all that could vary scores the same"
        if note[i] and not (over[i] and high[i] - low[i] >= _ROUNDING):
            low[i] = high[i] = np.nan
    return Intervals(score, low, high, df, blocks, note)


def _variance(
    row: NDArray[np.int64], stratum: NDArray[np.int64], influence: NDArray[np.float64], n_rows: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Give the variance, its degrees of freedom and the units of the smallest stratum, row by row."""
    n_strata = int(stratum.max()) + 1 if len(stratum) else 1
    keys, place = np.unique(row * n_strata + stratum, return_inverse=True)
    n = np.bincount(place)
    centred = influence - (np.bincount(place, influence) / n)[place]
    part = np.bincount(place, centred**2) * n / np.maximum(n - 1, 1)
    of = keys // n_strata
    variance, spread = np.zeros((2, n_rows))
    np.add.at(variance, of, part)
    np.add.at(spread, of, part**2 / np.maximum(n - 1, 1))
    least = np.full(n_rows, np.iinfo(np.int64).max, np.int64)
    np.minimum.at(least, of, n)
    df = np.divide(variance**2, spread, where=spread > 0, out=(least - 1).astype(np.float64))
    return variance, df, least


def _logit_interval(
    score: NDArray[np.float64],
    variance: NDArray[np.float64],
    df: NDArray[np.float64],
    least: NDArray[np.int64],
    level: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inside = (score > 0) & (score < 1)
    safe = np.where(inside, score, 0.5)
    quantile = stats.t.ppf((1 + level) / 2, np.maximum(df, 1))
    half = quantile * np.sqrt(variance) / (safe * (1 - safe))
    centre = np.log(safe / (1 - safe))
    low, high = 1 / (1 + np.exp(half - centre)), 1 / (1 + np.exp(-half - centre))
    # At 0 and 1 no unit differs from another. K units that all agree (Clopper and Pearson 1934):
    edge = ((1 - level) / 2) ** (1 / least)
    low = np.where(inside, low, np.where(score == 1, edge, 0.0))
    return low, np.where(inside, high, np.where(score == 0, 1 - edge, 1.0))


def _note(score: float, least: int, short: bool, units: ExchangeableUnits) -> str:  # noqa: FBT001
    if np.isnan(score):
        return "no triplet"
    if short:
        return (
            f"no interval: a recording is too short: fewer than {MIN_BLOCKS} stretches of it may count as independent"
        )
    if least < _MIN_UNITS:
        what = {"block": "stretch", "recording": "recording", "snippet": "snippet"}[units.kind]
        return f"no interval: a single {what} stands for one side"
    return ""
