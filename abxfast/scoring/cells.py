"""The cells of a task: which snippets are A, B and X in each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abxfast._memory import memory_bytes
from abxfast.errors import TaskError
from abxfast.kernels import cap_per_group, splitmix64_keys
from abxfast.scoring.labels import encode_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.scoring.task import Task

_MAX_COUNT = float(1 << 62)
"""Bound on 2 · triplets: half of what 64 bits hold, as products of floats are rounded."""
_BYTES_PER_CELL = 150
"""Memory that a cell takes: 24 bytes, several times while cells are sorted, and a row of the result."""


@dataclass(frozen=True)
class TaskCells:
    """The cells of a task. Snippets with the same values of ON, BY and ACROSS form a group.

    Attributes
    ----------
    table : pyarrow.Table
        One row per cell: the columns of the task, without the scores.
    rows : ndarray of int64, shape (n,)
        Snippets, group by group.
    bounds : ndarray of int64, shape (n_groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    groups : ndarray of int64, shape (n_cells, 3)
        The groups A, B and X of each cell.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    groups: NDArray[np.int64]


def make_cells(
    task: Task,
    labels: Mapping[str, Sequence[object]] | pa.Table,
    *,
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
) -> TaskCells:
    """Find the cells of a task, sorted by their labels.

    Parameters
    ----------
    task : Task
    labels : mapping of str to sequence, or pyarrow.Table
        Columns of length n, without missing values (None, NaN).
    max_size_group : int, optional
        Maximum number of snippets of a group; the same ones are kept in every cell and role.
    max_x_across : int, optional
        Maximum number of groups X for each pair of groups A and B, in a task with ACROSS.
    seed : int
        Seed of both subsamples (see `abxfast.kernels.splitmix64_keys`). They depend on the position of a snippet in
        `labels`, and on the position of a group among all sorted groups.

    Returns
    -------
    TaskCells

    Raises
    ------
    TaskError
        If a label is missing, ON has a single value, or no cell can be formed.
    """
    encoded = {name: encode_label(name, labels) for name in task.labels}
    _check_encoded(task, encoded)
    # Sorted by BY, then ACROSS, then ON, the groups that are compared with each other are neighbours.
    order = (*task.by, *task.across, task.on)
    group_codes, group = _unique_rows(np.stack([encoded[name][0] for name in order], axis=1))
    rows = np.argsort(group, kind="stable").astype(np.int64)
    if max_size_group is not None:
        rows = rows[cap_per_group(group[rows], max_size_group, splitmix64_keys(seed, rows))]
    sizes = np.bincount(group[rows], minlength=len(group_codes)).astype(np.int64)
    bounds = np.concatenate(([0], np.cumsum(sizes)))

    groups = _find_cells(task, group_codes)
    if max_x_across is not None and task.across:
        pair = groups[:, 0] * len(group_codes) + groups[:, 1]
        groups = groups[cap_per_group(pair, max_x_across, splitmix64_keys(seed, *groups.T))]
    a, b, x = groups.T
    # The label of each column, and the group whose value it shows.
    columns = {task.on: (task.on, a), f"{task.on}_b": (task.on, b)}
    columns |= {name: (name, a) for name in task.by}
    for name in task.across:
        columns |= {name: (name, a), f"{name}_x": (name, x)}
    codes = {column: group_codes[shown, order.index(name)] for column, (name, shown) in columns.items()}
    sorting = np.lexsort(list(codes.values())[::-1])
    table = pa.table({column: encoded[columns[column][0]][1].take(codes[column][sorting]) for column in codes})
    return TaskCells(table, rows, bounds, groups[sorting])


def _check_encoded(task: Task, encoded: Mapping[str, tuple[NDArray[np.int64], pa.Array]]) -> None:
    if len({len(codes) for codes, _ in encoded.values()}) > 1:
        lengths = ", ".join(f"{name} {len(codes)}" for name, (codes, _) in encoded.items())
        raise TaskError(f"labels have different lengths: {lengths}")
    values = encoded[task.on][1]
    if len(values) < 2:  # noqa: PLR2004
        found = f"a single value ({values[0]})" if len(values) else "no value"
        raise TaskError(f"`on`: label {task.on!r} has {found}, expected at least two to discriminate")


def _find_cells(task: Task, group_codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the groups A, B and X of every cell.

    Parameters
    ----------
    task : Task
    group_codes : ndarray of int64, shape (n_groups, n_labels)
        Label codes of each group: BY, then ACROSS, then ON.

    Returns
    -------
    ndarray of int64, shape (n_cells, 3)
    """
    _check_size(task, _count_pairs(group_codes[:, :-1]), len(group_codes))
    a, b = _pairs_of_equal_rows(group_codes[:, :-1])
    if not len(a):
        shared = ", ".join((*task.by, *task.across))
        raise TaskError(
            f"{task}: no two values of {task.on!r} occur with the same {shared}; there is nothing to compare"
        )
    if not task.across:
        return np.stack((a, b, a), axis=1)
    across = np.s_[len(task.by) : -1]
    without_across = np.delete(group_codes, across, axis=1)
    _check_size(task, _count_pairs(without_across), len(group_codes))
    candidate_a, candidate_x = _pairs_of_equal_rows(without_across)
    differs = (group_codes[candidate_a, across] != group_codes[candidate_x, across]).all(axis=1)
    candidate_a, candidate_x = candidate_a[differs], candidate_x[differs]
    first = np.searchsorted(candidate_a, np.arange(len(group_codes) + 1))
    n_x = np.diff(first)[a]
    if not n_x.any():
        raise TaskError(
            f"{task}: no value of {task.on!r} occurs with two values of {', '.join(task.across)}; there is no X"
        )
    _check_size(task, int(n_x.sum()), len(group_codes))
    x = candidate_x[concatenate_ranges(first[a], n_x)]
    return np.stack((np.repeat(a, n_x), np.repeat(b, n_x), x), axis=1)


def check_countable(task: Task, cells: TaskCells) -> None:
    """Check that the triplets of a task can be counted in 64 bits, summed over all cells.

    Raises
    ------
    TaskError
        If there are too many.
    """
    sizes = np.diff(cells.bounds)
    a, b, x = (sizes[groups].astype(np.float64) for groups in cells.groups.T)
    n_triplets = a * x * b
    if len(n_triplets) and 2 * n_triplets.sum() >= _MAX_COUNT:
        largest = int(n_triplets.argmax())
        n_a, n_b, n_x = (int(size[largest]) for size in (a, b, x))
        raise TaskError(
            f"{task}: {n_triplets.sum():.1e} triplets cannot be counted in 64 bits (the largest cell has {n_a:,} A, "
            f"{n_b:,} B and {n_x:,} X); subsample with `max_size_group`, such as 10000"
        )


def _check_size(task: Task, n_cells: int, n_groups: int) -> None:
    """Refuse a task whose list of cells would not fit into memory."""
    n_bytes, available = n_cells * _BYTES_PER_CELL, memory_bytes()
    if n_bytes > available:
        raise TaskError(
            f"{task}: {n_groups:,} groups make {n_cells:,} cells, a row each; they need some {n_bytes / 1e9:,.0f} GB, "
            f"this machine has {available / 1e9:,.0f} GB; compare fewer (a `manifest` of those that matter, or a label "
            "with fewer values in `on`), or only those that share a label, with `by`"
        )


def _unique_rows(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct rows, sorted, and the index of each row among them.

    NumPy compares rows as byte strings; as one integer each they are sorted ten times as fast.
    """
    sizes = [int(size) for size in codes.max(axis=0) + 1]
    if math.prod(sizes) >= 1 << 63:
        rows, index = np.unique(codes, axis=0, return_inverse=True)
        return rows, index.reshape(-1)
    combined, index = np.unique(np.ravel_multi_index(tuple(codes.T), sizes), return_inverse=True)
    return np.stack(np.unravel_index(combined, sizes), axis=1), index


def _strata(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a number for each row that it shares with the rows equal to it."""
    if codes.shape[1] == 0:
        return np.zeros(len(codes), np.int64)
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)


def _count_pairs(codes: NDArray[np.int64]) -> int:
    """Return the number of ordered pairs of different rows with equal codes."""
    size = np.bincount(_strata(codes)).astype(np.int64)
    return int((size * (size - 1)).sum())


def _pairs_of_equal_rows(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of all ordered pairs of different rows with equal codes, sorted."""
    stratum = _strata(codes)
    by_stratum = np.argsort(stratum, kind="stable")
    size = np.bincount(stratum)
    first = np.cumsum(size) - size
    n = size[stratum]
    left = np.repeat(np.arange(len(codes)), n)
    right = by_stratum[concatenate_ranges(first[stratum], n)]
    return left[left != right], right[left != right]


def concatenate_ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenate the ranges from ``starts[k]`` to ``starts[k] + lengths[k]``, for all k."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)
