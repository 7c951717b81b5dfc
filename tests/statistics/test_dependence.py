"""Exchangeable units, and estimates of serial dependence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.statistics import make_exchangeable_units
from abxfast.statistics.dependence import (
    block_length,
    connected_strata,
    decorrelation_lag,
    lag_correlation,
    split_into_blocks,
    time_rank,
    variance_inflation,
)


def autocorrelated(seed, n, correlation, dim=20):
    vectors = np.random.default_rng(seed).standard_normal((n, dim))
    for t in range(1, n):
        vectors[t] = correlation * vectors[t - 1] + np.sqrt(1 - correlation**2) * vectors[t]
    return np.column_stack((vectors, np.full(n, 10.0)))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("n", [60, 360])
@pytest.mark.parametrize("dim", [5, 20])
def test_lag_correlation_is_estimated_without_downward_bias(correlation, n, dim):
    estimate = np.mean([lag_correlation(autocorrelated(seed, n, correlation, dim)) for seed in range(400 // dim)])
    # The correction is for a single series; the bias of a ratio of sums over dimensions is smaller.
    expected = correlation + 2 * correlation / n * (1 - 1 / dim)
    assert estimate == pytest.approx(expected, abs=0.012)


def test_lag_correlation_of_independent_vectors_is_mostly_zero():
    assert np.mean([lag_correlation(autocorrelated(seed, 60, 0.0)) == 0 for seed in range(100)]) > 0.9


def test_lag_correlation_ignores_the_norm_of_vectors():
    vectors = autocorrelated(0, 60, 0.5)
    assert lag_correlation(vectors) == pytest.approx(lag_correlation(vectors * np.arange(1, 61)[:, None]), abs=1e-12)


@pytest.mark.parametrize("vectors", [np.ones((30, 4)), np.zeros((30, 4)), np.eye(3)])
def test_lag_correlation_of_constant_or_few_vectors_is_zero(vectors):
    assert lag_correlation(vectors) == 0


@settings(derandomize=True, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 12), st.integers(2, 12))
def test_variance_inflation_equals_the_ratio_of_summed_covariances(correlation, length, n_blocks):
    def variance_of_sum(m):
        return sum(correlation ** abs(i - j) for i in range(m) for j in range(m))

    n = length * n_blocks
    expected = (variance_of_sum(n) / n) / (variance_of_sum(length) / length)
    assert variance_inflation(correlation, n, n_blocks) == pytest.approx(expected, rel=1e-9)


def test_without_correlation_each_snippet_is_a_block():
    assert block_length(0.0, 100) == decorrelation_lag(0.0) == 1
    assert variance_inflation(0.0, 100, 100) == 1


def test_block_length_and_decorrelation_lag_grow_with_correlation():
    lengths = [block_length(correlation, 360) for correlation in (0.0, 0.2, 0.5, 0.8, 0.95)]
    assert lengths == sorted(set(lengths))
    for correlation in (0.2, 0.5, 0.8):
        lag = decorrelation_lag(correlation)
        assert correlation**lag <= 0.005 < correlation ** (lag - 1)


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
    snippets = make_exchangeable_units(vectors, np.arange(40) % 2, recording, start_s)
    assert snippets.kind == "snippet"
    assert snippets.stratum.tolist() == [0, 1] * 20


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
