"""Power: what recordings of a given length could show."""

import math

from abxfast.statistics import count_relabellings, detectable_score


def test_longer_recordings_show_smaller_differences():
    scores = [detectable_score(n, 1.0) for n in (12, 30, 60)]
    assert scores == sorted(scores, reverse=True)
    assert 0.5 < scores[-1] < 0.65 < scores[0] < 0.95


def test_correlated_snippets_show_less():
    assert detectable_score(60, 3.0) > detectable_score(60, 1.0)


def test_hardly_any_snippets_show_nothing():
    assert math.isnan(detectable_score(3, 1.0))


def test_a_recording_of_many_snippets_is_not_simulated_as_a_whole():
    assert 0.5 <= detectable_score(100_000, 1.0) <= 0.51


def test_relabellings_of_equal_sides_count_once():
    assert [count_relabellings(*sizes) for sizes in ((3, 3), (3, 4), (1, 8), (1, 1))] == [10, 35, 9, 1]
