"""What counts as independent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.statistics import make_exchangeable_units
from abxfast.statistics.dependence import (
    block_length,
    blocks,
    decorrelation_lag,
    lag_correlation,
    strata_of,
    time_rank,
    variance_inflation,
)


def autocorrelated(seed, n, correlation, dim=20):
    random = np.random.default_rng(seed)
    out = random.standard_normal((n, dim))
    for t in range(1, n):
        out[t] = correlation * out[t - 1] + np.sqrt(1 - correlation**2) * out[t]
    return np.column_stack((out, np.full(n, 10.0)))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("n", [60, 360])
@pytest.mark.parametrize("dim", [5, 20])
def test_the_lag_correlation_is_found_and_not_too_low(correlation, n, dim):
    found = np.mean([lag_correlation(autocorrelated(seed, n, correlation, dim)) for seed in range(400 // dim)])
    # What a ratio of single series loses by chance, a ratio of sums over dimensions does not.
    expected = correlation + 2 * correlation / n * (1 - 1 / dim)
    assert found == pytest.approx(expected, abs=0.012)


def test_no_correlation_is_mostly_told_as_none():
    assert np.mean([lag_correlation(autocorrelated(seed, 60, 0.0)) == 0 for seed in range(100)]) > 0.9


def test_it_goes_by_direction_and_not_by_length():
    vectors = autocorrelated(0, 60, 0.5)
    assert lag_correlation(vectors) == pytest.approx(lag_correlation(vectors * np.arange(1, 61)[:, None]), abs=1e-12)


@pytest.mark.parametrize("vectors", [np.ones((30, 4)), np.zeros((30, 4)), np.eye(3)])
def test_what_does_not_vary_or_is_too_short_has_none(vectors):
    assert lag_correlation(vectors) == 0


@settings(derandomize=True, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 12), st.integers(2, 12))
def test_the_hidden_variance_is_that_of_the_covariances(correlation, length, n_blocks):
    def variance_of_sum(m):
        return sum(correlation ** abs(i - j) for i in range(m) for j in range(m))

    n = length * n_blocks
    expected = (variance_of_sum(n) / n) / (variance_of_sum(length) / length)
    assert variance_inflation(correlation, n, n_blocks) == pytest.approx(expected, rel=1e-9)


def test_without_correlation_a_snippet_is_a_block():
    assert block_length(0.0, 100) == decorrelation_lag(0.0) == 1
    assert variance_inflation(0.0, 100, 100) == 1


def test_more_correlation_takes_longer_blocks_and_a_longer_memory():
    lengths = [block_length(correlation, 360) for correlation in (0.0, 0.2, 0.5, 0.8, 0.95)]
    assert lengths == sorted(set(lengths))
    for correlation in (0.2, 0.5, 0.8):
        assert (
            correlation ** decorrelation_lag(correlation) <= 0.005 < correlation ** (decorrelation_lag(correlation) - 1)
        )


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_blocks_are_contiguous_and_even(seed, length):
    random = np.random.default_rng(seed)
    recording = random.integers(0, 3, 40)
    place = time_rank(recording, random.random(40))
    unit, stratum = blocks(recording, np.zeros(40, np.int64), place, np.full(40, length))
    for own in range(3):
        rows = np.flatnonzero(recording == own)
        rows = rows[np.argsort(place[rows])]
        assert (place[rows] == np.arange(len(rows))).all()
        assert (np.diff(unit[rows]) >= 0).all()
        sizes = np.bincount(unit[rows])
        sizes = sizes[sizes > 0]
        assert not len(rows) or (len(sizes) == max(len(rows) // length, 1) and sizes.max() - sizes.min() <= 1)
    assert (stratum[unit] == np.unique(recording, return_inverse=True)[1]).all()


def test_the_design_chooses_the_unit():
    recording = np.repeat(np.arange(4), 10)
    start_s, vectors = np.tile(np.arange(10.0), 4), autocorrelated(0, 40, 0.0)
    assert make_exchangeable_units(vectors, recording, recording, start_s).kind == "block"
    whole = make_exchangeable_units(vectors, recording // 2, recording, start_s)
    assert whole.kind == "recording"
    assert (whole.unit == recording).all()
    assert whole.stratum.tolist() == [0, 0, 1, 1]
    within = make_exchangeable_units(vectors, np.arange(40) % 2, recording, start_s)
    assert within.kind == "snippet"
    assert within.stratum.tolist() == [0, 1] * 20


def test_a_recording_too_short_for_its_correlation_is_told():
    n = 60
    vectors = np.concatenate((autocorrelated(1, n, 0.9), autocorrelated(2, n, 0.0)))
    recording = np.repeat([0, 1], n)
    units = make_exchangeable_units(vectors, recording, recording, np.tile(np.arange(n) * 1.0, 2))
    assert units.short.tolist() == [True, False]


def test_units_that_share_codes_are_of_one_stratum():
    """Three recordings linked by words, though no two of them have the same; one that shares none."""
    unit, code = np.array([[0, 0], [0, 1], [1, 1], [1, 2], [2, 2], [3, 3]]).T
    assert strata_of(unit, code).tolist() == [0, 0, 0, 1]
