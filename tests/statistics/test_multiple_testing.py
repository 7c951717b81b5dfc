"""Adjusted p values against hand and scipy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abxfast.statistics import benjamini_hochberg, holm


def test_holm_by_hand():
    # 0.01·4, 0.013·3 raised to it, 0.02·2 raised to it, 0.6·1; what was not tested stays and does not count
    found = holm(np.array([0.6, 0.01, np.nan, 0.013, 0.02]))
    np.testing.assert_allclose(found, [0.6, 0.04, np.nan, 0.04, 0.04])


def test_benjamini_hochberg_by_hand():
    # 0.6·4/4, 0.01·4/1 lowered to 0.013·4/2, 0.02·4/3
    found = benjamini_hochberg(np.array([0.6, 0.01, np.nan, 0.013, 0.02]))
    np.testing.assert_allclose(found, [0.6, 0.026, np.nan, 0.026, 0.02 * 4 / 3])


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_they_keep_the_order_and_agree_with_scipy(values):
    p = np.array(values)
    raised, shared = holm(p), benjamini_hochberg(p)
    np.testing.assert_allclose(shared, stats.false_discovery_control(p), rtol=1e-12)
    assert (raised >= shared - 1e-12).all()
    assert (shared >= p - 1e-12).all()
    assert (raised <= 1).all()
    order = np.argsort(p)
    assert (np.diff(raised[order]) >= 0).all()
    # Holm by its definition: step down until one is not rejected.
    for level in (0.05, 0.3):
        rejected = 0
        while rejected < len(p) and p[order[rejected]] * (len(p) - rejected) <= level:
            rejected += 1
        assert (raised[order[:rejected]] <= level).all()
        assert (raised[order[rejected:]] > level).all()


def test_nothing_tested():
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert benjamini_hochberg(np.array([])).size == 0
