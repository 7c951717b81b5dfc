"""Classification by the lowest mean score, against a loop over recordings and Wilson's formula."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.statistics import classify


@given(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_each_recording_gets_the_label_of_the_lowest_mean(labels, seed, missing):
    random = np.random.default_rng(seed)
    scores = random.uniform(size=(len(labels), len(labels)))
    scores = (scores + scores.T) / 2
    scores[np.triu(random.uniform(size=scores.shape) < missing, 1)] = np.nan
    scores = np.where(np.isnan(scores.T), np.nan, scores)
    scores = np.where(np.isnan(scores), scores, (scores + scores.T) / 2)
    result = classify(scores, labels)
    correct = []
    for i, true in enumerate(labels):
        means = {}
        for label in set(labels):
            others = [
                scores[i, j] for j in range(len(labels)) if j != i and labels[j] == label and not np.isnan(scores[i, j])
            ]
            if others:
                means[label] = sum(others) / len(others)
        best = min(means, key=means.get) if means else None
        assert result.predicted[i] == best
        if true not in means:
            assert result.correct[i] is None
        else:
            assert result.correct[i] is (best == true)
            correct.append(best == true)
    assert result.n == len(correct)
    if correct:
        assert result.accuracy == pytest.approx(sum(correct) / len(correct))
        assert np.isnan(result.low) or result.low <= result.accuracy <= result.high
        assert np.isnan(result.low) == ("no interval" in result.note)


def test_the_interval_is_that_of_wilson():
    n, z = 10, 1.959963984540054
    labels = ["a"] * 5 + ["b"] * 5
    scores = np.full((n, n), 0.6)
    scores[:5, :5] = scores[5:, 5:] = 0.5
    for i in (0, 5):  # two that are mistaken for the other label
        other = slice(5, 10) if i == 0 else slice(0, 5)
        scores[i, other] = scores[other, i] = 0.4
    result = classify(scores, labels)
    wrong = [i for i, correct in enumerate(result.correct) if not correct]
    k = n - len(wrong)
    share = k / n
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert (result.low, result.high) == pytest.approx(
        ((centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n))
    )
    assert {0, 5} <= set(wrong)
    assert result.chance == 0.5
