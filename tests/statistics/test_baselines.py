"""Within and drift against the loop."""

import numpy as np
import pytest
import reference

from abxfast.statistics import self_baselines


def recordings(seed, sizes, snippet_s):
    random = np.random.default_rng(seed)
    recording = np.repeat(np.arange(len(sizes)), sizes)
    start_s = np.concatenate([snippet_s * np.arange(n) for n in sizes]) + 7.0
    drift = start_s[:, None] / 100 * np.eye(4)[0]
    return random.standard_normal((len(recording), 4)) + 3 + drift, recording, start_s, start_s + snippet_s


@pytest.mark.parametrize("snippet_s", [5.0, 10.0, 20.0])
def test_they_are_the_scores_of_their_sides(snippet_s):
    vectors, recording, start_s, end_s = recordings(0, (24, 30), snippet_s)
    order = np.random.default_rng(1).permutation(len(recording))
    found = self_baselines(*(array[order] for array in (vectors, recording, start_s, end_s)))
    d = reference.distances(vectors)
    for own in range(2):
        rows = np.flatnonzero(recording == own)
        middle = (start_s[rows] + end_s[rows]) / 2 - start_s[rows].min()
        total = end_s[rows].max() - start_s[rows].min()
        for score, first in (
            (found.alternating_split, (middle // 30) % 2 == 0),
            (found.half_split, middle < total / 2),
        ):
            wins2, triplets, _ = reference.counts(d, rows[first], rows[~first], rows[first])
            assert score[own] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)
    assert found.n.tolist() == [24, 30]
    for low, score, high in (
        (found.alternating_split_low, found.alternating_split, found.alternating_split_high),
        (found.half_split_low, found.half_split, found.half_split_high),
    ):
        given = np.array([not note for note in found.note])
        assert (np.isfinite(low) == given).all()
        assert given.any()
        assert (low[given] < score[given]).all()
        assert (score[given] < high[given]).all()


def test_near_pairs_can_be_left_out():
    vectors, recording, start_s, end_s = recordings(2, (24,), 10.0)
    found = self_baselines(vectors, recording, start_s, end_s, min_gap_s=25.0)
    rows, middle = np.arange(24), start_s - start_s.min() + 5

    def allowed(a, x):
        return max(start_s[a], start_s[x]) - min(end_s[a], end_s[x]) >= 25

    first = (middle // 30) % 2 == 0
    wins2, triplets, _ = reference.counts(reference.distances(vectors), rows[first], rows[~first], rows[first], allowed)
    assert found.alternating_split[0] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)


def test_a_recording_that_fits_into_one_block_has_no_floor():
    vectors, recording, start_s, end_s = recordings(3, (2, 24), 10.0)
    found = self_baselines(vectors, recording, start_s, end_s)
    assert np.isnan(found.alternating_split[0])
    assert "no triplet" in found.note[0]
    assert np.isfinite(found.alternating_split[1])


def test_snippets_longer_than_a_block_take_turns():
    vectors, recording, start_s, end_s = recordings(4, (12,), 40.0)
    found = self_baselines(vectors, recording, start_s, end_s)
    rows = np.arange(12)
    wins2, triplets, _ = reference.counts(reference.distances(vectors), rows[::2], rows[1::2], rows[::2])
    assert found.alternating_split[0] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)
