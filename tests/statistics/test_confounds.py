"""Mantel tests against all permutations of the recordings."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abxfast.statistics import mantel_test


@given(st.integers(0, 2**32 - 1), st.integers(4, 6), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_mantel_test_agrees_with_all_permutations(seed, n, gaps):
    """With few recordings, all permutations can be enumerated; p may differ from theirs by sampling error only."""
    random = np.random.default_rng(seed)
    values = random.standard_normal(n)
    scores = random.uniform(size=(n, n))
    scores += scores.T + np.abs(values[:, None] - values) * random.uniform(0, 2)
    np.fill_diagonal(scores, np.nan)
    if gaps:
        scores[0, 1] = scores[1, 0] = np.nan
    pairs = [(i, j) for i, j in itertools.combinations(range(n), 2) if np.isfinite(scores[i, j])]
    ranks = dict(zip(itertools.combinations(range(n), 2), stats.rankdata(
        [abs(values[i] - values[j]) for i, j in itertools.combinations(range(n), 2)]
    ), strict=True))  # fmt: skip
    score_ranks = stats.rankdata([scores[pair] for pair in pairs])

    def correlation(order):
        difference_ranks = [ranks[tuple(sorted((order[i], order[j])))] for i, j in pairs]
        return np.corrcoef(difference_ranks, score_ranks)[0, 1]

    correlations = np.array([correlation(order) for order in itertools.permutations(range(n))])
    exact = float((np.abs(correlations) >= abs(correlations[0]) - 1e-12).mean())
    result = mantel_test(scores, values, permutations=4000, seed=[seed])
    assert result.correlation == pytest.approx(correlations[0])
    assert result.pairs == len(pairs)
    assert abs(result.p - exact) < 5 * math.sqrt(exact * (1 - exact) / 4000) + 2 / 4000
    if not gaps:
        spearman = stats.spearmanr([abs(values[i] - values[j]) for i, j in pairs], [scores[pair] for pair in pairs])
        assert result.correlation == pytest.approx(spearman.statistic)


def test_a_mantel_test_that_cannot_be_done_says_why():
    scores = np.random.default_rng(0).uniform(size=(6, 6))
    scores += scores.T
    assert mantel_test(scores, np.ones(6), permutations=10, seed=[0]).note == "the same in all recordings"
    few = mantel_test(scores[:3, :3], np.arange(3.0), permutations=100, seed=[0])
    assert "too few recordings" in few.note
    assert math.isnan(mantel_test(scores[:2, :2], np.arange(2.0), permutations=10, seed=[0]).p)
    assert math.isnan(mantel_test(scores, np.arange(6.0), permutations=0, seed=[0]).p)
