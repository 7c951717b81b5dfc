"""Marginals: what each snippet, or block of snippets, won as x, as a and as b."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from abxfast.errors import TaskError
from abxfast.kernels import expand_block_pairs, expand_blocks
from abxfast.scoring.labels import encode_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import Marginals, PairMarginals
    from abxfast.scoring.cells import TaskCells
    from abxfast.scoring.labels import Labels


class MarginalBlocks(NamedTuple):
    """The blocks of every group, by which marginals are counted.

    Attributes
    ----------
    name : str
        ``"snippet"``, or the label that names the blocks.
    block : ndarray of int64, shape (n,)
        The block of each of ``cells.rows``, numbered within its group.
    bounds : ndarray of int64, shape (n_groups + 1,)
        The blocks of group g are ``codes[bounds[g]:bounds[g + 1]]``.
    codes : ndarray of int64, shape (n_blocks,)
        Row of the snippet, or index of the block's label in `values`.
    values : pyarrow.Array or None
        The labels; None if each snippet is a block.
    """

    name: str
    block: NDArray[np.int64]
    bounds: NDArray[np.int64]
    codes: NDArray[np.int64]
    values: pa.Array | None


def make_blocks(
    marginals: bool | str,  # noqa: FBT001
    labels: Labels,
    cells: TaskCells,
) -> MarginalBlocks:
    """Return each snippet as a block, or the snippets with the same value of the label that `marginals` names."""
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    if not isinstance(marginals, str):
        block = np.arange(len(cells.rows)) - cells.bounds[group]
        return MarginalBlocks("snippet", block, cells.bounds, cells.rows, None)
    codes, values = encode_label(marginals, labels)
    if len(codes) <= cells.rows.max():
        raise TaskError(f"label {marginals!r} has {len(codes)} rows, fewer than there are snippets")
    blocks, index = np.unique(np.stack((group, codes[cells.rows]), axis=1), axis=0, return_inverse=True)
    bounds = np.searchsorted(blocks[:, 0], np.arange(len(cells.bounds)))
    block = index.reshape(-1) - bounds[group]
    return MarginalBlocks(marginals, block, bounds, np.ascontiguousarray(blocks[:, 1]), values)


def marginal_tables(blocks: MarginalBlocks, cells: TaskCells, marginals: Marginals) -> dict[str, pa.Table]:
    """Return marginals as one table for each role.

    Parameters
    ----------
    blocks : MarginalBlocks
    cells : TaskCells
    marginals : Marginals

    Returns
    -------
    dict of str to pyarrow.Table
        For ``"x"``, ``"a"`` and ``"b"``: ``cell`` (row of the score table), the block or ``snippet`` (row of the
        embeddings), ``wins2`` and ``triplets``. All are int64, but a block has the type of its label. Over a cell,
        ``wins2`` and ``triplets`` add up to those of the cell.
    """
    tables, columns = {}, {}
    # If X and A are the same groups, their tables share these columns: what takes the time here is fresh memory.
    for role, column, marginal in (("x", 2, marginals.x), ("a", 0, marginals.a), ("b", 1, marginals.b)):
        groups = cells.groups[:, column]
        if role != "a" or not np.array_equal(groups, cells.groups[:, 2]):
            cell, code = np.empty(marginal.at[-1], np.int64), np.empty(marginal.at[-1], np.int64)
            expand_blocks(marginal.at, blocks.bounds[groups], blocks.codes, cell, code)
            columns = {"cell": cell, blocks.name: code if blocks.values is None else blocks.values.take(code)}
        tables[role] = pa.table({**columns, "wins2": marginal.wins2, "triplets": marginal.triplets})
    return tables


def pair_marginal_table(blocks: MarginalBlocks, cells: TaskCells, marginals: PairMarginals) -> pa.Table:
    """Return the marginals of pairs of blocks, over the roles x and a, x and b, and a and b.

    Parameters
    ----------
    blocks : MarginalBlocks
        With labels.
    cells : TaskCells
    marginals : PairMarginals

    Returns
    -------
    pyarrow.Table
        ``cell`` (row of the score table), the rank of the values of the two blocks (``first``, ``second``), ``wins2``
        and ``triplets``; all int64. Entries of one cell and pair add up, in either order of the pair.
    """
    start, n_blocks = blocks.bounds[:-1], np.diff(blocks.bounds)
    tables = []
    for first, second, marginal in ((2, 0, marginals.xa), (2, 1, marginals.xb), (0, 1, marginals.ab)):
        groups, others = cells.groups[:, first], cells.groups[:, second]
        cell, one, other = (np.empty(marginal.at[-1], np.int64) for _ in range(3))
        expand_block_pairs(marginal.at, start[groups], start[others], n_blocks[others], blocks.codes, cell, one, other)
        columns = {"cell": cell, "first": one, "second": other}
        tables.append(pa.table({**columns, "wins2": marginal.wins2, "triplets": marginal.triplets}))
    return pa.concat_tables(tables)
