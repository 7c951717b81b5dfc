"""Exchangeable units: blocks, recordings, and runs of one label."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.statistics import make_exchangeable_units
from abxfast.statistics.dependence import connected_strata, find_runs, split_into_blocks, time_rank


def autocorrelated(seed, n, correlation, dim=20):
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    for t in range(1, n):
        vectors[t] = correlation * vectors[t - 1] + np.sqrt(1 - correlation**2) * vectors[t]
    return np.column_stack((vectors, np.full(n, 10.0)))


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_blocks_are_contiguous_and_of_nearly_equal_size(seed, length):
    random = np.random.default_rng(seed)
    recording = random.integers(0, 3, 40)
    rank = time_rank(recording, random.random(40))
    unit, stratum = split_into_blocks(recording, np.zeros(40, np.int64), rank, np.full(40, length))
    for r in range(3):
        rows = np.flatnonzero(recording == r)
        rows = rows[np.argsort(rank[rows])]
        assert (rank[rows] == np.arange(len(rows))).all()
        assert (np.diff(unit[rows]) >= 0).all()
        sizes = np.bincount(unit[rows])
        sizes = sizes[sizes > 0]
        assert not len(rows) or (len(sizes) == max(len(rows) // length, 1) and sizes.max() - sizes.min() <= 1)
    assert (stratum[unit] == np.unique(recording, return_inverse=True)[1]).all()


def test_kind_of_unit_follows_from_the_design():
    recording = np.repeat(np.arange(4), 10)
    start_s, vectors = np.tile(np.arange(10.0), 4), autocorrelated(0, 40, 0.0)
    assert make_exchangeable_units(vectors, recording, recording, start_s).kind == "block"
    recordings = make_exchangeable_units(vectors, recording // 2, recording, start_s)
    assert recordings.kind == "recording"
    assert (recordings.unit == recording).all()
    assert recordings.stratum.tolist() == [0, 0, 1, 1]
    runs = make_exchangeable_units(vectors, np.arange(40) // 5 % 2, recording, start_s)
    assert runs.kind == "run"
    assert (runs.unit == np.arange(40) // 5).all()
    assert runs.stratum.tolist() == [0, 1] * 4


def test_runs_follow_time_and_end_with_a_label_or_a_recording():
    """Rows in any order: two recordings, labels 0 0 1 and 1 1 0 in time."""
    recording, rank = np.array([1, 0, 0, 1, 0, 1]), np.array([2, 0, 2, 0, 1, 1])
    label = np.array([0, 0, 1, 1, 0, 1])
    assert find_runs(recording, rank, label).tolist() == [3, 0, 1, 2, 0, 2]


def test_recording_too_short_for_its_correlation_is_marked():
    n = 60
    vectors = np.concatenate((autocorrelated(1, n, 0.9), autocorrelated(2, n, 0.0)))
    recording = np.repeat([0, 1], n)
    units = make_exchangeable_units(vectors, recording, recording, np.tile(np.arange(n) * 1.0, 2))
    assert units.too_short.tolist() == [True, False]


def test_units_connected_by_codes_are_in_one_stratum():
    """Three recordings connected by words, though not all share the same word; a fourth shares none."""
    unit, code = np.array([[0, 0], [0, 1], [1, 1], [1, 2], [2, 2], [3, 3]]).T
    assert connected_strata(unit, code).tolist() == [0, 0, 0, 1]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=14))
def test_strata_are_connected_components_numbered_by_their_first_units(edges):
    unit, code = (np.unique(column, return_inverse=True)[1].reshape(-1) for column in np.array(edges).T)
    member = unit == np.arange(unit.max() + 1)[:, None]
    shared = (member @ (code[:, None] == code) @ member.T).astype(np.int64)
    reachable = np.linalg.matrix_power(np.minimum(shared, 1), len(member)) > 0
    first = reachable.argmax(axis=1)
    assert (connected_strata(unit, code) == np.searchsorted(np.unique(first), first)).all()
