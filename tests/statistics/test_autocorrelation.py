"""Estimates of autocorrelation, against processes whose autocorrelation is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from abxfast.statistics.autocorrelation import Autocorrelation, estimate_autocorrelation
from abxfast.statistics.drift import drift_p_value


def recordings(seed, n, correlation=0.0, number=2, dim=20, shift=0.0):
    random = np.random.default_rng(seed)
    series = lfilter([1], [1, -correlation], random.standard_normal((number, n + 200, dim)), axis=1)[:, 200:]
    series *= np.sqrt(1 - correlation**2)
    series[1:, :, 0] += shift
    return [np.column_stack((one, np.full(n, 10.0))) for one in series]


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("n", [120, 360])
def test_integrated_time_is_that_of_the_process(correlation, n):
    times = [estimate_autocorrelation(recordings(seed, n, correlation)).time for seed in range(40)]
    # A longer window is preferred where it shows more, so estimates are high rather than low.
    expected = (1 + correlation) / (1 - correlation)
    assert 0.93 * expected < np.mean(times) < 1.25 * expected


def test_a_slow_component_beside_noise_is_seen():
    """The correlation at lag one is that of first-order autocorrelation of 0.43, whose integrated time is 2.5."""

    def slow(seed):
        fast, hidden = (recordings(2 * seed + k, 360, rho) for k, rho in enumerate((0.2, 0.95)))
        return [np.sqrt(0.7) * one + np.sqrt(0.3) * other for one, other in zip(fast, hidden, strict=True)]

    estimates = [estimate_autocorrelation(slow(seed)) for seed in range(20)]
    assert np.mean([each.time for each in estimates]) > 8  # 12.75
    assert np.mean([each.block_length for each in estimates]) > 20
    assert np.mean([each.decorrelation_lag for each in estimates]) > 25


def test_only_the_direction_of_vectors_counts():
    one, other = recordings(0, 60, 0.5)
    plain = estimate_autocorrelation([one, other])
    scaled = estimate_autocorrelation([one * np.arange(1, 61)[:, None], other])
    assert scaled.time == pytest.approx(plain.time, rel=1e-9)
    np.testing.assert_allclose(scaled.values, plain.values, atol=1e-12)


@pytest.mark.parametrize("vectors", [np.ones((30, 4)), np.zeros((30, 4)), np.eye(3)])
def test_constant_or_few_vectors_count_as_independent(vectors):
    estimate = estimate_autocorrelation([vectors])
    assert (estimate.time, estimate.block_length, estimate.decorrelation_lag) == (1.0, 1, 1)
    assert not estimate.drifts
    assert not estimate.too_short


def test_means_of_labels_do_not_count_as_correlation():
    label = np.arange(240) // 10 % 2
    (vectors,) = recordings(1, 240, number=1)
    vectors[:, 0] += 5.0 * label
    assert estimate_autocorrelation([vectors]).values[1] > 0.15
    assert abs(estimate_autocorrelation([vectors], [label]).values[1]) < 0.06


@settings(derandomize=True, deadline=None)
@given(st.floats(0.05, 0.9), st.integers(1, 12), st.integers(2, 12))
def test_inflation_is_the_ratio_of_summed_covariances(correlation, length, n_blocks):
    def variance_of_sum(m):
        return sum(correlation ** abs(i - j) for i in range(m) for j in range(m))

    n = length * n_blocks
    values = correlation ** np.arange(n)
    estimate = Autocorrelation(n, values, 1.0, 0.0, too_short=False, drifts=False)
    expected = (variance_of_sum(n) / n) / (variance_of_sum(length) / length)
    assert estimate.inflation(n_blocks) == pytest.approx(expected, rel=1e-9)


def test_a_recording_is_too_short_for_slow_changes_but_not_for_chance():
    short = [estimate_autocorrelation(recordings(seed, 60, 0.9, number=1)).too_short for seed in range(20)]
    assert np.mean(short) > 0.9
    white = [estimate_autocorrelation(recordings(seed, 20, 0.0, number=1)).too_short for seed in range(20)]
    assert np.mean(white) < 0.2


def test_steps_are_seen_and_noise_is_not():
    def with_step(seed, size):
        (vectors,) = recordings(seed, 120, 0.3, number=1)
        vectors[50:, 3] += size
        return estimate_autocorrelation([vectors]).drifts

    assert np.mean([with_step(seed, 3.0) for seed in range(30)]) > 0.9
    assert np.mean([with_step(seed, 0.0) for seed in range(30)]) < 0.1


def test_a_level_that_wanders_is_seen():
    """A slow component with a tenth of the variance, which the integrated time of short lags does not show."""

    def wanders(seed):
        fast, slow = (recordings(2 * seed + k, 240, rho, number=1)[0] for k, rho in enumerate((0.2, 0.97)))
        return estimate_autocorrelation([np.sqrt(0.9) * fast + np.sqrt(0.1) * slow]).drifts

    assert np.mean([wanders(seed) for seed in range(30)]) > 0.9
    for correlation in (0.2, 0.6):
        stationary = [
            estimate_autocorrelation(recordings(seed, 240, correlation, number=1)).drifts for seed in range(40)
        ]
        assert np.mean(stationary) < 0.15


def test_a_recording_whose_spread_changes_slowly_is_too_short():
    def too_short(seed, correlation):
        (vectors,) = recordings(seed, 120, number=1)
        ((log_spread, *_),) = recordings(1000 + seed, 120, correlation, number=1, dim=1)[0].T[None]
        vectors[:, :-1] *= np.exp(0.7 * log_spread)[:, None]
        return estimate_autocorrelation([vectors]).too_short

    assert np.mean([too_short(seed, 0.95) for seed in range(30)]) > 0.8
    assert np.mean([too_short(seed, 0.0) for seed in range(30)]) < 0.1


def test_allowance_is_for_what_is_above_an_integrated_time_of_one():
    def allowance(time):
        return Autocorrelation(60, np.ones(1), time, 0.04, too_short=False, drifts=False).allowance

    assert (allowance(0.5), allowance(1.0)) == (1, 1)
    assert allowance(4.0) == pytest.approx(1.15)


def test_drift_p_value_of_differences_and_of_drift():
    """A shift beyond any drift is found; two parts of one random walk are not different."""
    shifted = [recordings(seed, 120, shift=3.5) for seed in range(20)]
    random = np.random.default_rng(3)
    walks = [
        [
            vectors + np.pad(np.cumsum(0.1 * random.standard_normal((120, 20)), axis=0), ((0, 0), (0, 1)))
            for vectors in pair
        ]
        for pair in (recordings(seed, 120) for seed in range(40))
    ]
    found = [drift_p_value(pair, estimate_autocorrelation(pair)) <= 0.05 for pair in shifted]
    false = [drift_p_value(pair, estimate_autocorrelation(pair)) <= 0.05 for pair in walks]
    assert np.mean(found) > 0.9
    assert np.mean(false) <= 0.05


def test_drift_p_value_at_the_limits():
    constant = [np.tile([1.0, 0.0], (12, 1)), np.tile([0.0, 1.0], (12, 1))]
    estimate = estimate_autocorrelation(constant)
    assert drift_p_value(constant, estimate) == 0
    assert drift_p_value(constant[:1] * 2, estimate) == 1
    assert np.isnan(drift_p_value([np.eye(9), np.eye(9)], estimate))


def test_short_recordings_are_held_against_halves():
    """Thirds of a short recording of a slow process are much alike, whatever is estimated."""

    def call(seed):
        pair = recordings(seed, 40, 0.95)
        return drift_p_value(pair, estimate_autocorrelation(pair)) <= 0.05

    assert np.mean([call(seed) for seed in range(60)]) <= 0.05


def test_a_short_recording_does_not_shorten_what_is_seen_of_a_long_one():
    long, _ = recordings(0, 300, 0.8)
    alone, beside = estimate_autocorrelation([long]), estimate_autocorrelation([long, long[:12]])
    assert beside.time == alone.time
    assert beside.n == 12


@pytest.mark.parametrize("correlation", [-0.9, -0.5])
def test_alternating_recordings_do_not_change_over_time(correlation):
    drifts = [estimate_autocorrelation(recordings(seed, 60, correlation, number=1)).drifts for seed in range(40)]
    assert np.mean(drifts) < 0.1
