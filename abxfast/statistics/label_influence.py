"""Influences of the values of a label, where cells hold a single token each and only values can be resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class LabelInfluence(NamedTuple):
    """What each value of the label that was chosen for a row does to the mean of the row's cells.

    Attributes
    ----------
    row : ndarray of int64, shape (k,)
        Sorted.
    influence : ndarray of float64, shape (k,)
    label : list of str
        The label of each row; empty where there is none to choose from.
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
    """Choose, for each row, the label with the most values, and give the influence of each of them.

    Parameters
    ----------
    score : ndarray of float64, shape (cells,)
    row : ndarray of int64, shape (cells,)
        The row that each cell is averaged into.
    n_rows : int
    values : mapping of str to ndarray of int64, shape (cells, 1 or 2)
        For each label, the codes of the values that the tokens of a cell have: two of ON (that of A and X, that of B)
        and of ACROSS (that of A and B, that of X), one of BY.

    Returns
    -------
    ValueInfluence

    Notes
    -----
    All tokens of a cell have one of these values, so cells that share none are independent if the values are draws from
    more of their kind. Give each value a weight, every cell the product of the weights of its values: the slope of the
    mean in the weight of value k is the sum, over the cells that k is in, of score − mean, over the number of cells.
    """
    n = np.bincount(row, minlength=n_rows)
    mean = np.divide(np.bincount(row, score, n_rows), n, where=n > 0, out=np.zeros(n_rows))
    slope = (score - mean[row]) / n[row]
    most = np.zeros(n_rows, np.int64)
    label = [""] * n_rows
    chosen: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
    for name, codes in values.items():
        n_codes = int(codes.max()) + 1 if len(codes) else 1
        keys, place = np.unique(row[:, None] * n_codes + codes, return_inverse=True)
        own = keys // n_codes
        count = np.bincount(own, minlength=n_rows)
        better = count > most
        most = np.maximum(count, most)
        label = [name if now else before for now, before in zip(better, label, strict=True)]
        influence = np.bincount(place.reshape(-1), np.repeat(slope, codes.shape[1]), len(keys))
        chosen = [(rows[~better[rows]], found[~better[rows]]) for rows, found in chosen]
        chosen.append((own[better[own]], influence[better[own]]))
    rows = np.concatenate([each for each, _ in chosen] or [np.zeros(0, np.int64)])
    order = np.argsort(rows, kind="stable")
    return LabelInfluence(rows[order], np.concatenate([each for _, each in chosen] or [np.zeros(0)])[order], label)
