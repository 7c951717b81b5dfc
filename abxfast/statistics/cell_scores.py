"""Scores of cells, the rows that they are averaged into, and what units contribute to these."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class CellScores(NamedTuple):
    """Scores of the cells, and of the rows that they are averaged into.

    Attributes
    ----------
    row, triplets : ndarray of int64, shape (cells,)
        The row that each cell is averaged into, and its number of triplets.
    counted : ndarray of bool, shape (cells,)
        Whether a cell has triplets and belongs to a row.
    score : ndarray of float64, shape (cells,)
        0 where a cell is not counted.
    n_cells : ndarray of int64, shape (rows,)
    mean : ndarray of float64, shape (rows,)
        NaN for a row without cells.
    """

    row: NDArray[np.int64]
    triplets: NDArray[np.int64]
    counted: NDArray[np.bool_]
    score: NDArray[np.float64]
    n_cells: NDArray[np.int64]
    mean: NDArray[np.float64]


class UnitInfluences(NamedTuple):
    """Influence of each unit on each row that it contributes to; arrays of shape (k,)."""

    row: NDArray[np.int64]
    unit: NDArray[np.int64]
    influence: NDArray[np.float64]


def score_cells(wins2: NDArray[np.int64], triplets: NDArray[np.int64], row_of_cell: NDArray[np.int64]) -> CellScores:
    """Compute the scores of cells and their means; see `jackknife_intervals` for the parameters."""
    n_rows = int(row_of_cell.max()) + 1 if len(row_of_cell) else 0
    counted = (triplets > 0) & (row_of_cell >= 0)
    score = np.divide(wins2, 2 * triplets, where=counted, out=np.zeros(len(wins2)))
    n_cells = np.bincount(row_of_cell[counted], minlength=n_rows)
    total = np.bincount(row_of_cell[counted], score[counted], minlength=n_rows)
    mean = np.divide(total, n_cells, where=n_cells > 0, out=np.full(n_rows, np.nan))
    return CellScores(row_of_cell, triplets, counted, score, n_cells, mean)
