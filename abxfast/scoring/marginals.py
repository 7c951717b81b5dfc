"""Shares: what each snippet, or block of snippets, won as x, as a and as b."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast.errors import TaskError
from abxfast.kernels import expand_blocks
from abxfast.scoring.task import Cells, encode_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.kernels import Marginals


class Blocks(NamedTuple):
    """The blocks of every group.

    Attributes
    ----------
    name : str
        ``"snippet"``, or the label.
    slots : ndarray of int64, shape (n,)
        The block of each of the cells' rows, counted within its group.
    at : ndarray of int64, shape (groups + 1,)
        The blocks of group g are ``codes[at[g]:at[g + 1]]``.
    codes : ndarray of int64, shape (at[-1],)
        The row of each snippet, or the place of each block's label in `values`.
    values : pyarrow.Array or None
        The labels; None where each snippet is a block.
    """

    name: str
    slots: NDArray[np.int64]
    at: NDArray[np.int64]
    codes: NDArray[np.int64]
    values: pa.Array | None


def make_blocks(
    marginals: bool | str,  # noqa: FBT001
    labels: Mapping[str, Sequence[object]] | pa.Table,
    cells: Cells,
) -> Blocks:
    """Find the blocks: each snippet by itself, or those that share a value of the label that `marginals` names."""
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    if not isinstance(marginals, str):
        slots = np.arange(len(cells.rows)) - cells.bounds[group]
        return Blocks("snippet", slots, cells.bounds, cells.rows, None)
    codes, values = encode_label(marginals, labels)
    if len(codes) <= cells.rows.max():
        raise TaskError(f"label {marginals!r} has {len(codes)} rows, too few for the snippets")
    pairs, place = np.unique(np.stack((group, codes[cells.rows]), axis=1), axis=0, return_inverse=True)
    at = np.searchsorted(pairs[:, 0], np.arange(len(cells.bounds)))
    return Blocks(marginals, place.reshape(-1) - at[group], at, np.ascontiguousarray(pairs[:, 1]), values)


def marginal_tables(blocks: Blocks, cells: Cells, marginals: Marginals) -> dict[str, pa.Table]:
    """Give the shares as one table for each role.

    Parameters
    ----------
    blocks : Blocks
    cells : Cells
    marginals : Marginals

    Returns
    -------
    dict of str to pyarrow.Table
        For ``"x"``, ``"a"`` and ``"b"``: ``cell`` (row of the table of scores), the block or ``snippet`` (row of the
        embeddings), ``wins2`` and ``triplets``, all int64 but a block, which has the label's type. The sums over a cell
        are the cell's own.
    """
    tables, columns = {}, {}
    # Where X and A are one group, their tables have these columns in common: memory fresh from the system is what
    # takes the time here.
    for role, column, share in (("x", 2, marginals.x), ("a", 0, marginals.a), ("b", 1, marginals.b)):
        groups = cells.groups[:, column]
        if role != "a" or not np.array_equal(groups, cells.groups[:, 2]):
            cell, code = np.empty(share.at[-1], np.int64), np.empty(share.at[-1], np.int64)
            expand_blocks(share.at, blocks.at[groups], blocks.codes, cell, code)
            columns = {"cell": cell, blocks.name: code if blocks.values is None else blocks.values.take(code)}
        tables[role] = pa.table({**columns, "wins2": share.wins2, "triplets": share.triplets})
    return tables
