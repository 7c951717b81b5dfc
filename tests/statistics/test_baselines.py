"""Self-baselines against the loop of the reference."""

import numpy as np
import pytest
import reference

from abxfast.statistics import self_baselines


def recordings(seed, sizes, snippet_s):
    random = np.random.default_rng(seed)
    recording = np.repeat(np.arange(len(sizes)), sizes)
    start_s = np.concatenate([snippet_s * np.arange(n) for n in sizes]) + 7.0
    drift = start_s[:, None] / 2000 * np.eye(4)[0]
    return random.standard_normal((len(recording), 4)) + 3 + drift, recording, start_s, start_s + snippet_s


@pytest.mark.parametrize("snippet_s", [5.0, 10.0, 20.0])
def test_baselines_are_the_scores_of_one_side_against_the_other(snippet_s):
    vectors, recording, start_s, end_s = recordings(0, (48, 60), snippet_s)
    order = np.random.default_rng(1).permutation(len(recording))
    baselines = self_baselines(*(array[order] for array in (vectors, recording, start_s, end_s)))
    d = reference.distances(vectors)
    for r in range(2):
        rows = np.flatnonzero(recording == r)
        midpoint_s = (start_s[rows] + end_s[rows]) / 2 - start_s[rows].min()
        duration_s = end_s[rows].max() - start_s[rows].min()
        for score, first in (
            (baselines.alternating_split, (midpoint_s // 30) % 2 == 0),
            (baselines.half_split, midpoint_s < duration_s / 2),
        ):
            wins2, triplets, _ = reference.counts(d, rows[first], rows[~first], rows[first])
            assert score[r] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)
    assert baselines.n.tolist() == [48, 60]
    given = np.array([not note for note in baselines.note])
    for low, score, high in (
        (baselines.alternating_split_low, baselines.alternating_split, baselines.alternating_split_high),
        (baselines.half_split_low, baselines.half_split, baselines.half_split_high),
    ):
        assert (np.isfinite(low) == given).all()
        assert given.any()
        assert (low[given] < score[given]).all()
        assert (score[given] < high[given]).all()


def test_min_gap_excludes_pairs_close_in_time():
    vectors, recording, start_s, end_s = recordings(2, (24,), 10.0)
    baselines = self_baselines(vectors, recording, start_s, end_s, min_gap_s=25.0)
    rows, midpoint_s = np.arange(24), start_s - start_s.min() + 5

    def allowed(a, x):
        return max(start_s[a], start_s[x]) - min(end_s[a], end_s[x]) >= 25

    first = (midpoint_s // 30) % 2 == 0
    wins2, triplets, _ = reference.counts(reference.distances(vectors), rows[first], rows[~first], rows[first], allowed)
    assert baselines.alternating_split[0] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)


def test_recording_within_one_block_has_no_alternating_baseline():
    vectors, recording, start_s, end_s = recordings(3, (2, 24), 10.0)
    baselines = self_baselines(vectors, recording, start_s, end_s)
    assert np.isnan(baselines.alternating_split[0])
    assert baselines.note[0] == "no triplet"
    assert np.isfinite(baselines.alternating_split[1])


def test_note_names_the_split_that_it_is_about():
    """Six snippets of 5 s are one block of 30 s, but two halves."""
    baselines = self_baselines(*recordings(5, (6,), 5.0))
    assert np.isnan(baselines.alternating_split[0])
    assert np.isfinite(baselines.half_split[0])
    assert baselines.note[0].startswith("odd against even blocks: no triplet; first half against second: no interval: ")


def test_snippets_longer_than_a_block_alternate():
    vectors, recording, start_s, end_s = recordings(4, (12,), 40.0)
    baselines = self_baselines(vectors, recording, start_s, end_s)
    rows = np.arange(12)
    wins2, triplets, _ = reference.counts(reference.distances(vectors), rows[::2], rows[1::2], rows[::2])
    assert baselines.alternating_split[0] == pytest.approx(wins2 / 2 / triplets, abs=1e-12)
