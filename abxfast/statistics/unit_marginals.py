"""Marginals of exchangeable units: the triplets of each cell that a unit, or two, take part in, and their wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray


class UnitMarginals(NamedTuple):
    """Wins and triplets of each unit in each cell, over the three roles a, b and x.

    A triplet (a, b, x) is counted once for the unit of a, once for that of b and once for that of x, even if these are
    the same unit. Summed over units, both counts are therefore three times those of the cell.

    Attributes
    ----------
    cell, unit : ndarray of int64, shape (k,)
        The cell and unit of each entry. Entries of the same cell and unit add up.
    wins2 : ndarray of int64, shape (k,)
        2 · wins + ties over the triplets in which a snippet of the unit is a, b or x, where the triplet is won if
        d(a, x) < d(b, x), whichever role the unit has.
    triplets : ndarray of int64, shape (k,)
        Number of these triplets.
    """

    cell: NDArray[np.int64]
    unit: NDArray[np.int64]
    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]


class UnitPairMarginals(NamedTuple):
    """Wins and triplets of each pair of units in each cell: those in which they have two different roles.

    Attributes
    ----------
    cell, first, second : ndarray of int64, shape (k,)
        The cell and the two units of each entry, which may be the same. Entries of one cell and pair add up.
    wins2, triplets : ndarray of int64, shape (k,)
        2 · wins + ties, and their number, over the triplets (a, b, x) in which a snippet of `first` is x and one of
        `second` is a or b, or a snippet of `first` is a and one of `second` is b.
    """

    cell: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    wins2: NDArray[np.int64]
    triplets: NDArray[np.int64]

    @classmethod
    def from_table(cls, table: pa.Table) -> UnitPairMarginals:
        """Return `AbxScores.pair_marginals` by the codes of units, from 0 without gaps, as arrays."""
        return cls(*(table[name].to_numpy() for name in cls._fields))


def sum_by_unit(tables: Mapping[str, pa.Table], unit: NDArray[np.int64]) -> UnitMarginals:
    """Sum the marginals of snippets over the snippets of each unit and over the three roles.

    Parameters
    ----------
    tables : mapping of str to pyarrow.Table
        `AbxScores.marginals`, from ``score_embeddings(..., marginals=True)``.
    unit : ndarray of int64, shape (n,)
        The unit of each snippet (row of the embeddings).

    Returns
    -------
    UnitMarginals
        One entry for each cell and unit, sorted by cell, then unit.
    """
    cell, snippet, wins2, triplets = (
        np.concatenate([table[name].to_numpy() for table in tables.values()])
        for name in ("cell", "snippet", "wins2", "triplets")
    )
    n_units = int(unit.max()) + 1
    keys, index = np.unique(cell * n_units + unit[snippet], return_inverse=True)
    unit_wins2, unit_triplets = np.zeros((2, len(keys)), np.int64)
    np.add.at(unit_wins2, index, wins2)
    np.add.at(unit_triplets, index, triplets)
    return UnitMarginals(keys // n_units, keys % n_units, unit_wins2, unit_triplets)
