"""Influence of the values of a label, for designs in which each cell side has one token and only values repeat."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class LabelInfluence(NamedTuple):
    """Influence of each value of a label on the mean score of each row.

    Attributes
    ----------
    row : ndarray of int64, shape (k,)
        The row that each value belongs to; sorted.
    influence : ndarray of float64, shape (k,)
        Derivative of the row's mean score with respect to the weight of the value.
    label : list of str
        The label chosen for each row; empty for a row without cells.
    """

    row: NDArray[np.int64]
    influence: NDArray[np.float64]
    label: list[str]


def label_influence(
    score: NDArray[np.float64],
    row: NDArray[np.int64],
    n_rows: int,
    values: Mapping[str, NDArray[np.int64]],
) -> LabelInfluence:
    """Choose the label with the most values for each row, and compute the influence of each of its values.

    Parameters
    ----------
    score : ndarray of float64, shape (cells,)
    row : ndarray of int64, shape (cells,)
        The row that each cell is averaged into.
    n_rows : int
    values : mapping of str to ndarray of int64, shape (cells, 1 or 2)
        For each label, the codes of the values that the tokens of a cell have: two of ON (that of A and X, that of B)
        and of ACROSS (that of A and B, that of X), one of BY. Of labels with equally many values, the first is chosen.

    Returns
    -------
    LabelInfluence

    Notes
    -----
    Cells that share no value are independent if the values are a sample. Give each value a weight and each cell the
    product of the weights of its values. The derivative of the weighted mean with respect to the weight of value k, at
    weights of 1, is the sum of (score − mean) over the cells that contain k, divided by the number of cells.
    """
    n_cells = np.bincount(row, minlength=n_rows)
    mean = np.divide(np.bincount(row, score, n_rows), n_cells, where=n_cells > 0, out=np.zeros(n_rows))
    slope = (score - mean[row]) / n_cells[row]
    chosen_size = np.zeros(n_rows, np.int64)
    chosen_label = [""] * n_rows
    rows, influences = np.zeros(0, np.int64), np.zeros(0)
    for label, codes in values.items():
        label_rows, label_influences = _sum_by_value(slope, row, codes)
        size = np.bincount(label_rows, minlength=n_rows)
        larger = size > chosen_size
        chosen_size = np.maximum(size, chosen_size)
        chosen_label = [label if new else old for new, old in zip(larger, chosen_label, strict=True)]
        kept, added = ~larger[rows], larger[label_rows]
        rows = np.concatenate((rows[kept], label_rows[added]))
        influences = np.concatenate((influences[kept], label_influences[added]))
    order = np.argsort(rows, kind="stable")
    return LabelInfluence(rows[order], influences[order], chosen_label)


def _sum_by_value(
    slope: NDArray[np.float64], row: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the row of each value that occurs in it, and the sum of `slope` over the row's cells with that value."""
    n_codes = int(codes.max()) + 1 if len(codes) else 1
    keys, index = np.unique(row[:, None] * n_codes + codes, return_inverse=True)
    total = np.bincount(index.reshape(-1), np.repeat(slope, codes.shape[1]), len(keys))
    return keys // n_codes, total.astype(np.float64, copy=False)
