"""Which a and x are compared: not neighbours, not two of one recording, where the user says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from abxfast.errors import TaskError
from abxfast.kernels import Apart
from abxfast.task import Cells, Task, encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)

logger = logging.getLogger(__name__)


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


def make_apart(constraint: Constraint, labels: Mapping[str, Sequence[object]] | pa.Table, n: int) -> Apart | None:
    """Give the constraint as arrays of length n, or None where nothing is asked.

    Raises
    ------
    TaskError
        Where a label that it needs is missing, or a time is not a number.
    """
    if not constraint.min_gap_s and not constraint.different:
        return None
    codes = [_sized(name, encode(name, labels)[0], n) for name in constraint.different]
    nothing, nowhere = np.zeros(n, np.int64), np.zeros(n)
    stacked = np.stack(codes) if codes else np.empty((0, n), np.int64)
    if not constraint.min_gap_s:
        return Apart(stacked, nothing, nowhere, nowhere, 0.0)
    missing = [name for name in ("recording", "start_s", "end_s") if name not in _known(labels)]
    if missing:
        raise TaskError(f"min_gap_s needs the labels recording, start_s and end_s; there is no {', '.join(missing)}")
    times = [_times(name, labels, n) for name in ("start_s", "end_s")]
    recording = _sized("recording", encode("recording", labels)[0], n)
    return Apart(stacked, recording, times[0], times[1], constraint.min_gap_s)


def warn_if_helped(
    task: Task, constraint: Constraint, labels: Mapping[str, Sequence[object]] | pa.Table, cells: Cells
) -> None:
    """Say so where a and x may share a recording that b cannot be of, so that the recording may be what is scored.

    Where ON or BY is the recording, that is as it should be.
    """
    if task.across or "recording" not in _known(labels) or "recording" in (*task.labels, *constraint.different):
        return
    recording = encode("recording", labels)[0][cells.rows]
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    stratum = np.zeros(len(cells.bounds) - 1, np.int64)
    a, b, _ = cells.groups.T
    np.maximum.at(stratum, a, np.maximum(a, b) + 1)  # all groups of a stratum meet, so that the last one names it
    there = np.stack((stratum[group], recording, group), axis=1)[stratum[group] > 0]
    in_group, n = np.unique(there, axis=0, return_counts=True)
    _, at, in_groups = np.unique(in_group[:, :2], axis=0, return_inverse=True, return_counts=True)
    helped = (in_groups[at.reshape(-1)] == 1) & (n > 1)
    if helped.any():
        logger.warning(
            "%s: a and x are at times of one recording of which b never is, so that the score may be that of "
            'recordings; to compare between recordings only, say different=("recording",), --different recording',
            task,
        )


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
