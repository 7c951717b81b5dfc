"""Which a and x are compared: not neighbours, not two of one recording, where the user says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from abxfast.errors import TaskError
from abxfast.kernels import PairConstraint
from abxfast.scoring.task import Cells, Task, encode_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

logger = logging.getLogger(__name__)

_CELLS = 10_000
"""Cells that are looked at together for what helps them."""


@dataclass(frozen=True)
class Constraint:
    """What is asked of a and x.

    Attributes
    ----------
    min_gap_s : float
        Least distance in time within one recording; 0 asks for none.
    different : tuple of str
        Labels in which they must differ.
    """

    min_gap_s: float = 0.0
    different: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a gap that is no length of time."""
        if not 0 <= self.min_gap_s < np.inf:
            raise TaskError(f"min_gap_s is {self.min_gap_s}, expected seconds, 0 or more")


def make_pair_constraint(
    constraint: Constraint, labels: Mapping[str, Sequence[object]] | pa.Table, n: int
) -> PairConstraint | None:
    """Give the constraint as arrays of length n, or None where nothing is asked.

    Raises
    ------
    TaskError
        Where a label that it needs is missing, or a time is not a number.
    """
    if not constraint.min_gap_s and not constraint.different:
        return None
    codes = [_sized(name, encode_label(name, labels)[0], n) for name in constraint.different]
    nothing, nowhere = np.zeros(n, np.int64), np.zeros(n)
    stacked = np.stack(codes) if codes else np.empty((0, n), np.int64)
    if not constraint.min_gap_s:
        return PairConstraint(stacked, nothing, nowhere, nowhere, 0.0)
    missing = [name for name in ("recording", "start_s", "end_s") if name not in _known(labels)]
    if missing:
        raise TaskError(f"min_gap_s needs the labels recording, start_s and end_s; there is no {', '.join(missing)}")
    times = [_times(name, labels, n) for name in ("start_s", "end_s")]
    recording = _sized("recording", encode_label("recording", labels)[0], n)
    return PairConstraint(stacked, recording, times[0], times[1], constraint.min_gap_s)


def warn_recording_confound(
    task: Task, constraint: Constraint, labels: Mapping[str, Sequence[object]] | pa.Table, cells: Cells
) -> None:
    """Say so where a and x may share a recording that b cannot be of, so that the recording may be what is scored.

    Where ON or BY is the recording, that is as it should be.
    """
    if "recording" not in _known(labels) or "recording" in (*task.labels, *constraint.different):
        return
    recording = encode_label("recording", labels)[0][cells.rows].astype(np.int64)
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    # A key for each recording of each group, ascending; those of group g from at[g] on.
    many = int(recording.max(initial=0)) + 1
    keys, n = np.unique(group * many + recording, return_counts=True)
    at = np.searchsorted(keys, np.arange(len(cells.bounds)) * many)
    # Cells with the same A and X together: a recording that is of none of their B helps.
    a, b, x = cells.groups[np.lexsort((cells.groups[:, 2], cells.groups[:, 0]))].T
    starts = np.flatnonzero((np.diff(a, prepend=-1) != 0) | (np.diff(x, prepend=-1) != 0))
    for some in np.array_split(starts, len(a) // _CELLS + 1):
        if not len(some):
            continue
        first, last = some[0], np.append(starts, len(a))[np.searchsorted(starts, some[-1]) + 1]
        size = (at[a + 1] - at[a])[first:last]
        cell = first + np.repeat(np.arange(len(size)), size)
        place = at[a[cell]] + np.arange(len(cell)) - np.repeat(np.cumsum(size) - size, size)
        own = keys[place] % many
        shared = _in(keys, x[cell] * many + own) & ((x != a)[cell] | (n[place] > 1))
        in_b = _in(keys, b[cell] * many + own)
        pair = np.searchsorted(starts, cell, side="right") * many + own
        if not np.isin(pair[shared], pair[in_b]).all():
            logger.warning(
                "%s: a and x are at times of one recording of which b never is, so that the score may be that of "
                'recordings; to compare between recordings only, say different=("recording",), --different recording',
                task,
            )
            return


def _in(keys: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which values are among keys in ascending order."""
    found: NDArray[np.bool_] = keys[np.minimum(np.searchsorted(keys, values), len(keys) - 1)] == values
    return found


def _known(labels: Mapping[str, Sequence[object]] | pa.Table) -> list[str]:
    return list(getattr(labels, "column_names", labels))


def _times(name: str, labels: Mapping[str, Sequence[object]] | pa.Table, n: int) -> NDArray[np.float64]:
    try:
        times = np.asarray(labels[name], np.float64)
    except (TypeError, ValueError) as error:
        raise TaskError(f"label {name!r}: expected seconds ({error})") from error
    if not np.isfinite(times).all():
        raise TaskError(f"label {name!r} has no value in row {int(np.argmin(np.isfinite(times)))}; min_gap_s needs it")
    return _sized(name, times, n)


def _sized(name: str, column: NDArray[_Scalar], n: int) -> NDArray[_Scalar]:
    if len(column) != n:
        raise TaskError(f"label {name!r} has {len(column)} rows, embeddings {n}")
    return column
