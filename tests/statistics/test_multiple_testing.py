"""Adjusted p-values against values computed by hand, SciPy, and the definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abxfast.statistics import benjamini_hochberg, holm


def test_holm_equals_hand_computed_values():
    # 0.01·4; 0.013·3 and 0.02·2 raised to that; 0.6·1. NaN stays and does not count.
    adjusted = holm(np.array([0.6, 0.01, np.nan, 0.013, 0.02]))
    np.testing.assert_allclose(adjusted, [0.6, 0.04, np.nan, 0.04, 0.04])


def test_benjamini_hochberg_equals_hand_computed_values():
    # 0.6·4/4; 0.01·4/1 lowered to 0.013·4/2; 0.02·4/3. NaN stays and does not count.
    adjusted = benjamini_hochberg(np.array([0.6, 0.01, np.nan, 0.013, 0.02]))
    np.testing.assert_allclose(adjusted, [0.6, 0.026, np.nan, 0.026, 0.02 * 4 / 3])


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_values_follow_the_definitions(values):
    p = np.array(values)
    fwer, fdr = holm(p), benjamini_hochberg(p)
    np.testing.assert_allclose(fdr, stats.false_discovery_control(p), rtol=1e-12)
    assert (fwer >= fdr - 1e-12).all()
    assert (fdr >= p - 1e-12).all()
    assert (fwer <= 1).all()
    order = np.argsort(p)
    assert (np.diff(fwer[order]) >= 0).all()
    # Benjamini and Hochberg: the smallest level at which the largest k with p(k) ≤ level · k / m covers the p-value.
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    np.testing.assert_allclose(fdr[order], [min(1.0, scaled[k:].min()) for k in range(len(p))], rtol=1e-12)
    # Holm: step down until a hypothesis is not rejected.
    for level in (0.05, 0.3):
        rejected = 0
        while rejected < len(p) and p[order[rejected]] * (len(p) - rejected) <= level:
            rejected += 1
        assert (fwer[order[:rejected]] <= level).all()
        assert (fwer[order[rejected:]] > level).all()


def test_without_tests_nothing_is_adjusted():
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()
    assert holm(np.array([])).size == benjamini_hochberg(np.array([])).size == 0
