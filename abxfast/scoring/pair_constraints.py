"""Constraints on pairs: which a are compared with which x."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from abxfast.errors import TaskError
from abxfast.kernels import PairConstraint
from abxfast.scoring.labels import column_names, encode_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abxfast.scoring.labels import Labels

_Scalar = TypeVar("_Scalar", bound=np.generic)


def make_pair_constraint(
    labels: Labels, n: int, *, min_gap_s: float = 0.0, different: Sequence[str] = ()
) -> PairConstraint | None:
    """Return the constraint on pairs (a, x) as arrays of length n; None if there is none.

    Parameters
    ----------
    labels : mapping of str to sequence, or pyarrow.Table
    n : int
        Number of snippets.
    min_gap_s : float
        Minimum gap in seconds between a and x of one recording.
    different : sequence of str
        Labels in which a and x must differ.

    Returns
    -------
    PairConstraint or None

    Raises
    ------
    TaskError
        If `min_gap_s` is negative or not finite, a label is missing, or a time is not a number.
    """
    if not 0 <= min_gap_s < np.inf:
        raise TaskError(f"`min_gap_s`: found {min_gap_s}, expected seconds, at least 0")
    if not min_gap_s and not different:
        return None
    codes = [_check_length(name, encode_label(name, labels)[0], n) for name in different]
    stacked = np.stack(codes) if codes else np.empty((0, n), np.int64)
    if not min_gap_s:
        no_times = np.zeros(n)
        return PairConstraint(stacked, np.zeros(n, np.int64), no_times, no_times, 0.0)
    missing = [name for name in ("recording", "start_s", "end_s") if name not in column_names(labels)]
    if missing:
        raise TaskError(f"`min_gap_s` needs the labels recording, start_s and end_s; missing: {', '.join(missing)}")
    start_s, end_s = (_times(name, labels, n) for name in ("start_s", "end_s"))
    recording = _check_length("recording", encode_label("recording", labels)[0], n)
    return PairConstraint(stacked, recording, start_s, end_s, min_gap_s)


def _times(name: str, labels: Labels, n: int) -> NDArray[np.float64]:
    try:
        times = np.asarray(labels[name], np.float64)
    except (TypeError, ValueError) as error:
        raise TaskError(f"label {name!r}: expected seconds ({error})") from error
    if not np.isfinite(times).all():
        row = int(np.argmin(np.isfinite(times)))
        raise TaskError(f"label {name!r} has no value in row {row}; `min_gap_s` needs it")
    return _check_length(name, times, n)


def _check_length(name: str, column: NDArray[_Scalar], n: int) -> NDArray[_Scalar]:
    if len(column) != n:
        raise TaskError(f"label {name!r} has {len(column)} rows, expected {n}, one per row of `embeddings`")
    return column
