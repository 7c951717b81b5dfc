"""Which pairs are excluded."""

import numpy as np
import pytest

from abxfast.kernels import PairConstraint
from abxfast.kernels.abx_counting.pair_constraint import constraint_of_positions, is_excluded

ROWS = np.array([3, 0, 1, 2])


def excluded(constraint):
    """Return which pairs of `ROWS` are excluded, as a matrix."""
    constraint = constraint_of_positions(constraint, ROWS)
    return np.array([[is_excluded(constraint, x, a) for a in range(4)] for x in range(4)])


def test_without_constraint_only_a_snippet_and_itself():
    np.testing.assert_array_equal(excluded(None), np.eye(4, dtype=bool))


@pytest.mark.parametrize("min_gap_s", [0.0, 0.1])
def test_labels_and_gaps(min_gap_s):
    codes = np.array([[0, 0, 1, 2], [5, 6, 7, 8]])
    start_s, end_s = np.array([0.1, 0.3, 0.5, 0.2]), np.array([0.2, 0.4, 0.6, 0.3])
    recording = np.array([0, 0, 0, 1])
    # 0.3 − 0.2 is less than 0.1 in binary, but a gap of 0.1 s is long enough.
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(
        excluded(PairConstraint(codes, recording, start_s, end_s, min_gap_s)), expected[np.ix_(ROWS, ROWS)]
    )


def test_gap_too_short():
    empty = np.empty((0, 4), np.int64)
    start_s = np.array([0.0, 1.0, 2.5, 1.0])
    constraint = PairConstraint(empty, np.array([0, 0, 0, 1]), start_s, start_s + 1, 0.5)
    expected = np.eye(4, dtype=bool)
    expected[0, 1] = expected[1, 0] = True
    np.testing.assert_array_equal(excluded(constraint), expected[np.ix_(ROWS, ROWS)])
