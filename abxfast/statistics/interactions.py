"""The delete-one jackknife of mean scores, and what of its variance is due to pairs of units, which it counts twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.statistics.cell_scores import CellScores, UnitInfluences
    from abxfast.statistics.unit_marginals import UnitMarginals, UnitPairMarginals

_MAX_UNITS = 3000
"""Units of a row beyond which what is due to pairs is not computed: it takes a matrix of their pairs."""
_MIN_OWN = 4
"""Units of a stratum from which the variance due to pairs within it can be estimated."""


class PairVariances(NamedTuple):
    """Variance of each row's score that is due to pairs of units; arrays of float64, shape (rows,).

    Attributes
    ----------
    variance : ndarray
        The share of pairs: the variance of a score to which single units contribute nothing.
    excess : ndarray
        What the delete-one jackknife counts beyond it.
    """

    variance: NDArray[np.float64]
    excess: NDArray[np.float64]


def delete_one_slopes(
    cells: CellScores, marginals: UnitMarginals, pairs: UnitPairMarginals, n_units: int
) -> NDArray[np.float64]:
    """Return the score of a cell less the one without the triplets of a unit, for each of the marginals.

    Where nothing is left without a unit, its influence (see `unit_influences`) takes the place of the difference.

    Parameters
    ----------
    cells : CellScores
    marginals : UnitMarginals
        Of counted cells; sorted by cell, then unit.
    pairs : UnitPairMarginals
    n_units : int

    Returns
    -------
    ndarray of float64, shape (k,)
    """
    cell, unit, wins2, triplets = marginals
    # A triplet in which a unit has two roles is counted twice in its marginals, and once as a pair with itself.
    same = np.flatnonzero((pairs.first == pairs.second) & cells.counted[pairs.cell])
    index = np.searchsorted(cell * n_units + unit, pairs.cell[same] * n_units + pairs.first[same])
    own_wins2, own_triplets = np.zeros((2, len(cell)))
    np.add.at(own_wins2, index, pairs.wins2[same])
    np.add.at(own_triplets, index, pairs.triplets[same])
    score, total = cells.score[cell], cells.triplets[cell]
    gone = triplets - own_triplets
    excess = (wins2 - own_wins2) / 2 - score * gone
    whole: NDArray[np.float64] = (wins2 / 2 - score * triplets) / total
    return np.divide(excess, total - gone, where=gone < total, out=whole)


def pair_variances(
    cells: CellScores,
    influences: UnitInfluences,
    pairs: UnitPairMarginals,
    stratum: NDArray[np.int64],
    inflation: NDArray[np.float64],
) -> PairVariances:
    """Compute the variance of each row's score that is due to pairs of units.

    Parameters
    ----------
    cells : CellScores
    influences : UnitInfluences
        Sorted by row; only its rows and units are used.
    pairs : UnitPairMarginals
    stratum : ndarray of int64, shape (units,)
    inflation : ndarray of float64, shape (units,)
        By which the variance that is due to each unit is multiplied.

    Returns
    -------
    PairVariances

    Notes
    -----
    The derivative of the score with respect to the weights of units k and l, less its means over the units of either
    stratum, is what this pair contributes beyond the two units: the second-order term of Hoeffding's (1948)
    decomposition. Squares are divided by the share of their degrees of freedom, (K − 1) (L − 1) / (K L) for the pairs
    of two strata of K and L units, and (K − 3) / (K − 1) for those of one. The jackknife counts the former twice, and
    the latter 2 (K − 1) / (K − 2) times.
    """
    counted = cells.counted[pairs.cell] & (pairs.first != pairs.second)
    cell, first, second, wins2, triplets = (column[counted] for column in pairs)
    row, n_rows, n_units = cells.row[cell], len(cells.mean), len(stratum)
    slope = (wins2 / 2 - cells.score[cell] * triplets) / (cells.triplets[cell] * cells.n_cells[row])
    low, high = np.minimum(first, second), np.maximum(first, second)
    slopes = csr_array((slope, (row * n_units + low, high)), shape=(n_rows * n_units, n_units))
    variance, excess = np.zeros((2, n_rows))
    bounds = np.searchsorted(influences.row, np.arange(n_rows + 1))
    for r in range(n_rows):
        units = influences.unit[bounds[r] : bounds[r + 1]]
        if len(units) > _MAX_UNITS or not len(units):
            continue
        upper = slopes[r * n_units + units][:, units].toarray()
        code = np.unique(stratum[units], return_inverse=True)[1].reshape(-1)
        variance[r], excess[r] = _pair_variance(upper + upper.T, code, inflation[units])
    return PairVariances(variance, excess)


def _pair_variance(
    slopes: NDArray[np.float64], stratum: NDArray[np.int64], inflation: NDArray[np.float64]
) -> tuple[float, float]:
    """Return variance and excess of one row, from the symmetric slopes of its pairs of units, with a diagonal of 0."""
    member = np.eye(int(stratum.max()) + 1)[stratum]
    size = member.sum(axis=0)
    total = slopes @ member
    means = total / size
    grand = (member.T @ means) / size[:, None]
    centred = slopes - means[:, stratum] - means[:, stratum].T + grand[np.ix_(stratum, stratum)]
    # Within a stratum no unit forms a pair with itself.
    large = size >= _MIN_OWN
    k = np.where(large, size, _MIN_OWN)
    own_mean = (np.diag(member.T @ total) / (k * (k - 1)))[stratum]
    deviation = (total[np.arange(len(stratum)), stratum] - (k[stratum] - 1) * own_mean) / (k[stratum] - 2)
    within = slopes - own_mean[:, None] - deviation[:, None] - deviation
    np.fill_diagonal(within, 0)
    same = stratum[:, None] == stratum
    share = np.divide(size - 1, size, where=size > 1, out=np.full(len(size), np.inf))[stratum]
    between_squares = np.where(same, 0, np.square(centred) / (share[:, None] * share))
    own_share = np.where(large, (k - 3) / (k - 1), np.inf)[stratum]
    within_squares = np.where(same, np.square(within) / own_share[:, None], 0)
    weight = (inflation[:, None] + inflation) / 4  # each pair is in the matrix twice
    between, own = (weight * between_squares).sum(), (weight * within_squares).sum(axis=1)
    return float(between + own.sum()), float(between + (own * (k / (k - 2))[stratum]).sum())
