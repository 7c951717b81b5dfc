"""ABX tasks: which snippets are A, B and X, given ON, BY and ACROSS (Schatz 2013; the terms of ABXpy)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from abxfast.errors import TaskError
from abxfast.kernels import cap_per_group, splitmix64_keys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Task:
    """What is compared.

    Attributes
    ----------
    on : str
        The label that A and X share and B lacks.
    by : tuple of str
        Labels that all three share.
    across : tuple of str
        Labels that A and B share and in which X differs from them.
    """

    on: str
    by: tuple[str, ...] = ()
    across: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a label in two places, or one whose name the table needs."""
        labels = self.labels
        for label in labels:
            if labels.count(label) > 1:
                raise TaskError(f"{label!r} stands twice among ON, BY and ACROSS; each label has one place")
        columns = self.columns
        for column in columns:
            if columns.count(column) > 1:
                raise TaskError(f"the table would have two columns {column!r}; give the label {column!r} another name")

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, ON first."""
        return (self.on, *self.by, *self.across)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table of scores."""
        across = [name for label in self.across for name in (label, f"{label}_x")]
        return (self.on, f"{self.on}_b", *self.by, *across, "score", "wins2", "triplets")

    def __str__(self) -> str:
        """Give it as the field writes it."""
        by = f" BY {', '.join(self.by)}" if self.by else ""
        across = f" ACROSS {', '.join(self.across)}" if self.across else ""
        return f"ON {self.on}{by}{across}"


@dataclass(frozen=True)
class Cells:
    """The cells of a task.

    Attributes
    ----------
    table : pyarrow.Table
        One row a cell: the columns of the task, without the scores.
    rows : ndarray of int64, shape (n,)
        Snippets, group by group; a group shares ON, BY and ACROSS.
    bounds : ndarray of int64, shape (groups + 1,)
        Group g is ``rows[bounds[g]:bounds[g + 1]]``.
    groups : ndarray of int64, shape (cells, 3)
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
) -> Cells:
    """Find the cells of a task, in the order of their labels.

    Parameters
    ----------
    task : Task
    labels : mapping of str to sequence, or pyarrow.Table
        Columns of length n; one without a value (None, NaN) is refused.
    max_size_group : int, optional
        Keep at most as many snippets of each group, the same ones in every cell and role.
    max_x_across : int, optional
        Keep at most as many X for each A and B of a task with ACROSS.
    seed : int
        Which ones are kept: see `abxfast.kernels.splitmix64_keys`. It goes by the place of a snippet in `labels`, and by the
        place of a group among the sorted labels.

    Raises
    ------
    TaskError
        Where a label is missing, has a single value, or no cell can be formed.
    """
    encoded = {name: encode_label(name, labels) for name in task.labels}
    if len({len(codes) for codes, _ in encoded.values()}) > 1:
        lengths = ", ".join(f"{name} {len(codes)}" for name, (codes, _) in encoded.items())
        raise TaskError(f"labels have different lengths: {lengths}")
    on_values = encoded[task.on][1]
    if len(on_values) < 2:  # noqa: PLR2004
        only = f"a single value ({on_values[0]})" if len(on_values) else "no value"
        raise TaskError(f"ON {task.on!r} has {only}; two at least are needed to tell apart")
    # A group is a combination of labels that occurs; sorted by BY, then ACROSS, then ON, strata lie together.
    order = (*task.by, *task.across, task.on)
    combinations, member = _unique_rows(np.stack([encoded[name][0] for name in order], axis=1))
    rows = np.argsort(member, kind="stable").astype(np.int64)
    if max_size_group is not None:
        rows = rows[cap_per_group(member[rows], max_size_group, splitmix64_keys(seed, rows))]
    sizes = np.bincount(member[rows], minlength=len(combinations)).astype(np.int64)
    bounds = np.concatenate(([0], np.cumsum(sizes)))

    groups = _triples(combinations, len(task.by), task)
    if max_x_across is not None and task.across:
        cell = groups[:, 0] * len(combinations) + groups[:, 1]
        groups = groups[cap_per_group(cell, max_x_across, splitmix64_keys(seed, *groups.T))]
    a, b, x = groups.T
    columns = {task.on: (task.on, a), f"{task.on}_b": (task.on, b)}
    columns |= {name: (name, a) for name in task.by}
    for name in task.across:
        columns |= {name: (name, a), f"{name}_x": (name, x)}
    codes = {column: combinations[of, order.index(name)] for column, (name, of) in columns.items()}
    position = np.lexsort(list(codes.values())[::-1])
    table = pa.table({column: encoded[columns[column][0]][1].take(codes[column][position]) for column in codes})
    return Cells(table, rows, bounds, groups[position])


def label_names(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels as a tuple; a single name stands for itself."""
    return (labels,) if isinstance(labels, str) else tuple(labels)


def encode_label(name: str, labels: Mapping[str, Sequence[object]] | pa.Table) -> tuple[NDArray[np.int64], pa.Array]:
    """Give the codes of a label, and the values that they stand for, sorted."""
    known = labels.column_names if isinstance(labels, pa.Table) else list(labels)
    if name not in known:
        raise TaskError(f"no label {name!r}; there are: {', '.join(known)}")
    column = labels[name]
    try:
        array = pa.chunked_array(column) if isinstance(column, pa.ChunkedArray) else pa.array(column, from_pandas=True)
    except pa.ArrowException as error:
        raise TaskError(f"label {name!r} mixes kinds of values ({error})") from error
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if array.null_count:
        row = array.is_null().index(True).as_py()
        raise TaskError(f"label {name!r} has no value in row {row} (and {array.null_count - 1} more)")
    encoded = array.dictionary_encode() if not pa.types.is_dictionary(array.type) else array
    values = encoded.dictionary
    rank = np.empty(len(values), np.int64)
    sort = pc.sort_indices(values)
    rank[sort.to_numpy()] = np.arange(len(values))
    return rank[encoded.indices.to_numpy()], values.take(sort)


def _triples(combinations: NDArray[np.int64], n_by: int, task: Task) -> NDArray[np.int64]:
    """Give the groups (A, B, X) of every cell, int64 ``(cells, 3)``."""
    a, b = _alike(combinations[:, :-1])
    if not len(a):
        shared = ", ".join((*task.by, *task.across))
        raise TaskError(
            f"{task}: no two values of {task.on!r} occur with the same {shared}; there is nothing to compare"
        )
    if not task.across:
        return np.stack((a, b, a), axis=1)
    across = combinations[:, n_by:-1]
    of, x = _alike(np.delete(combinations, np.s_[n_by:-1], axis=1))
    differs = (across[of] != across[x]).all(axis=1)
    of, x = of[differs], x[differs]
    first = np.searchsorted(of, np.arange(len(combinations) + 1))
    n_x = np.diff(first)[a]
    if not n_x.any():
        raise TaskError(
            f"{task}: no value of {task.on!r} occurs with two values of {', '.join(task.across)}; there is no X"
        )
    return np.stack((np.repeat(a, n_x), np.repeat(b, n_x), x[_ranges(first[a], n_x)]), axis=1)


def _unique_rows(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the different rows, sorted, and which of them each row is.

    numpy compares rows as strings of bytes; as one number each they are sorted ten times as fast.
    """
    sizes = [int(size) for size in codes.max(axis=0) + 1]
    if math.prod(sizes) >= 1 << 63:
        rows, member = np.unique(codes, axis=0, return_inverse=True)
        return rows, member.reshape(-1)
    combined, member = np.unique(np.ravel_multi_index(tuple(codes.T), sizes), return_inverse=True)
    return np.stack(np.unravel_index(combined, sizes), axis=1), member


def _alike(codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give all ordered pairs of different groups with equal codes, sorted."""
    if codes.shape[1] == 0:
        stratum = np.zeros(len(codes), np.int64)
    else:
        stratum = np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
    order = np.argsort(stratum, kind="stable")
    size = np.bincount(stratum)
    first = np.cumsum(size) - size
    n = size[stratum]
    left = np.repeat(np.arange(len(codes)), n)
    right = order[_ranges(first[stratum], n)]
    return left[left != right], right[left != right]


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join ``starts[k]`` to ``starts[k] + lengths[k]`` for each k."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)
