"""Which pairs (a, x) are excluded from comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from abxfast.kernels.jit import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MICROSECOND = 1e-6
"""Tolerance of times, since decimal fractions are not exact in binary: 0.3 − 0.2 is less than 0.1."""


class PairConstraint(NamedTuple):
    """Which a and x may be compared. A snippet is never compared with itself.

    Attributes
    ----------
    codes : ndarray of int64, shape (labels, m)
        a and x must differ in each of these labels.
    recording : ndarray of int64, shape (m,)
    start_s, end_s : ndarray of float64, shape (m,)
        In seconds.
    min_gap_s : float
        Least time between the end of one and the start of the other for a and x of one recording, in seconds, to the
        microsecond; no constraint if 0 or less.
    """

    codes: NDArray[np.int64]
    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    min_gap_s: float


def constraint_of_positions(constraint: PairConstraint | None, rows: NDArray[np.int64]) -> PairConstraint:
    """Return the constraint with its arrays in the order of positions.

    Arrays that are not needed become empty.

    Parameters
    ----------
    constraint : PairConstraint or None
        Its arrays are indexed by row.
    rows : ndarray of int64, shape (m,)
        The row of each position.

    Returns
    -------
    PairConstraint
    """
    no_codes, no_times = np.empty(0, np.int64), np.empty(0)
    if constraint is None:
        return PairConstraint(np.empty((0, 0), np.int64), no_codes, no_times, no_times, 0.0)
    codes = np.ascontiguousarray(constraint.codes[:, rows])
    if constraint.min_gap_s <= 0:
        return PairConstraint(codes, no_codes, no_times, no_times, 0.0)
    return PairConstraint(
        codes,
        constraint.recording[rows],
        constraint.start_s[rows],
        constraint.end_s[rows],
        float(constraint.min_gap_s),
    )


@compiled
def is_excluded(constraint, x, a):  # type: ignore[no-untyped-def]
    """Return whether a at position `a` must not be compared with x at position `x`.

    Parameters
    ----------
    constraint : PairConstraint
        Its arrays are indexed by position.
    x, a : int

    Returns
    -------
    bool
    """
    if x == a:
        return True
    for label in range(len(constraint.codes)):
        if constraint.codes[label, x] == constraint.codes[label, a]:
            return True
    if constraint.min_gap_s > 0 and constraint.recording[x] == constraint.recording[a]:
        last_start = max(constraint.start_s[x], constraint.start_s[a])
        first_end = min(constraint.end_s[x], constraint.end_s[a])
        return last_start - first_end < constraint.min_gap_s - _MICROSECOND
    return False
