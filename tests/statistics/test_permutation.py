"""Permutation tests against all permutations, scored by the loop of the reference."""

import itertools
import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast import score_embeddings
from abxfast.statistics import make_exchangeable_units, permutation_tests
from abxfast.statistics.autocorrelation import Autocorrelation
from abxfast.statistics.label_permutation import count_distinct, permute_labels


def simulated(seed, n, n_recordings=2, shift=0.0):
    random = np.random.default_rng(seed)
    recording = np.repeat(np.arange(n_recordings), n)
    vectors = random.standard_normal((n * n_recordings, 5)) + shift * recording[:, None] * np.eye(5)[0]
    return np.column_stack((vectors, np.full(len(vectors), 5.0))), recording, np.tile(np.arange(n) * 1.0, n_recordings)


def loop_score(d, label):
    """Return the mean score of all directions; only a = x is excluded."""
    scores = []
    for value in np.unique(label):
        same, other = np.flatnonzero(label == value), np.flatnonzero(label != value)
        wins2, triplets, edge = reference.counts(d, same, other, same)
        assert edge == 0
        scores.append(wins2 / 2 / triplets)
    return np.mean(scores)


def every_relabelling(label, stratum):
    """Yield every labelling of the units that keeps the counts in each stratum."""
    per_stratum = [
        [(np.flatnonzero(stratum == s), order) for order in set(itertools.permutations(label[stratum == s].tolist()))]
        for s in np.unique(stratum)
    ]
    for choice in itertools.product(*per_stratum):
        relabelled = label.copy()
        for units, order in choice:
            relabelled[units] = order
        yield relabelled


def test_p_value_over_snippets_equals_the_exact_one():
    vectors, recording, start_s = simulated(0, 5, shift=0.8)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    result = permutation_tests(vectors, recording, units, np.array([[0, 1]]), permutations=20_000)
    d = reference.distances(vectors)
    every = [loop_score(d, label) for label in every_relabelling(recording, np.zeros(10, int))]
    observed = loop_score(d, recording)
    assert result.score[0] == pytest.approx(observed, abs=1e-12)
    exact = np.mean(np.array(every) >= observed - 1e-12)
    assert result.p[0] == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000) + 1e-4)
    assert result.distinct[0] == len(every) / 2  # in pairs that differ only in the names of the values


def test_few_relabellings_are_all_scored_once():
    """Four and three recordings: 35 relabellings, of which the share that scores as high is the p-value."""
    vectors, recording, start_s = simulated(20, 3, n_recordings=7, shift=0.05)
    on = (recording > 3).astype(np.int64)
    units = make_exchangeable_units(vectors, on, recording, start_s)
    result = permutation_tests(vectors, on, units, np.array([[0, 1]]), permutations=999)
    d = reference.distances(vectors)
    every = [loop_score(d, label[recording]) for label in every_relabelling(np.arange(7) // 4, np.zeros(7, int))]
    assert len(every) == result.distinct[0] == 35
    assert result.p[0] == np.mean(np.array(every) >= loop_score(d, on) - 1e-12)
    assert result.smallest_p[0] == pytest.approx(1 / 35)
    few = permutation_tests(vectors, on, units, np.array([[0, 1]]), permutations=34)
    assert few.smallest_p[0] == pytest.approx(1 / 35)
    assert few.p[0] != result.p[0]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=7))
def test_every_distinct_relabelling_is_enumerated(units):
    """Names of values with equal counts in every stratum do not count."""
    label = np.unique([value for value, _ in units], return_inverse=True)[1].reshape(-1)
    stratum = np.unique([s for _, s in units], return_inverse=True)[1].reshape(-1)
    counts = [tuple(((label == value) & (stratum == s)).sum() for s in range(stratum.max() + 1)) for value in range(3)]

    def canonical(labels):
        names = {}
        for value in labels.tolist():
            names.setdefault(value, sum(counts[other] == counts[value] for other in names))
        return tuple((counts[value], names[value]) for value in labels.tolist())

    expected = {canonical(every) for every in every_relabelling(label, stratum)}
    found = permute_labels(label, stratum, 10_000, 0)
    assert (found[0] == label).all()
    assert len(found) == count_distinct(label, stratum)
    assert {canonical(row.astype(np.int64)) for row in found} == expected


def test_runs_of_one_label_are_permuted_as_a_whole():
    """Two turns of one recording can only swap names; with alternating turns, there is something to permute."""
    random = np.random.default_rng(21)
    vectors = np.column_stack((random.standard_normal((96, 5)), np.full(96, 5.0)))
    recording, start_s = np.zeros(96, np.int64), np.arange(96.0)
    for length, distinct in ((48, 1), (12, 35)):
        on = np.arange(96) // length % 2
        shifted = vectors + 3.0 * on[:, None] * np.eye(6)[0]
        units = make_exchangeable_units(shifted, on, recording, start_s)
        result = permutation_tests(shifted, on, units, np.array([[0, 1]]), permutations=999)
        assert result.distinct[0] == distinct
        if distinct == 1:
            assert np.isnan(result.p[0])
            assert result.note[0] == "not tested: no runs can be exchanged"
        else:
            assert result.p[0] == pytest.approx(1 / 35)


def test_a_single_change_over_is_not_permuted_word_by_word():
    """Ten words read four times, first twice softly, then twice loudly: two runs, whatever the words."""
    random = np.random.default_rng(22)
    word, loud = np.tile(np.arange(10), 4), np.repeat([0, 1], 20)
    vectors = np.column_stack((random.standard_normal((40, 5)) + np.linspace(0, 3, 40)[:, None], np.full(40, 5.0)))
    recording, start_s = np.zeros(40, np.int64), np.arange(40.0)
    for options in ({"by": word}, {"across": word}):
        units = make_exchangeable_units(vectors, loud, recording, start_s, word)
        result = permutation_tests(vectors, loud, units, np.array([[0, 1]]), **options, permutations=99)
        assert result.note[0].endswith("not tested: no runs can be exchanged")
        assert len(units.stratum) == 2
    # Read softly and loudly in turn, word by word, there is something to exchange.
    alternating = np.arange(40) % 2
    units = make_exchangeable_units(vectors, alternating, recording, start_s, np.arange(40) // 4)
    assert len(units.stratum) == 40


def test_a_trend_over_a_list_read_in_one_order_is_no_difference_between_words():
    rejected = {True: 0, False: 0}
    for seed in range(40):
        random = np.random.default_rng(seed)
        for same_order in rejected:
            order = [np.arange(24), np.arange(24) if same_order else random.permutation(24)]
            word, voice = np.concatenate(order), np.repeat([0, 1], 24)
            trend = np.tile(np.linspace(-3, 3, 24), 2)
            vectors = np.column_stack((random.standard_normal((48, 6)), np.full(48, 6.0)))
            vectors[:, 0] += trend
            units = make_exchangeable_units(vectors, word, voice, np.tile(np.arange(24.0), 2), voice)
            result = permutation_tests(vectors, word, units, across=voice, permutations=199)
            assert ("come in one order" in result.note[0]) == same_order
            rejected[same_order] += result.p[0] <= 0.05
    assert rejected[True] <= 6
    assert rejected[False] <= 6


def test_recordings_are_permuted_within_by():
    vectors, recording, start_s = simulated(1, 3, n_recordings=8, shift=0.1)
    on, by = recording % 2, recording // 4
    units = make_exchangeable_units(vectors, on, recording, start_s, by)
    result = permutation_tests(vectors, on, units, np.array([[0, 1]]), by=by, permutations=5_000)
    d = reference.distances(vectors)

    def mean_score(label):
        return np.mean([loop_score(d[np.ix_(by == g, by == g)], label[recording][by == g]) for g in (0, 1)])

    every = [mean_score(label) for label in every_relabelling(np.arange(8) % 2, np.arange(8) // 4)]
    observed = mean_score(np.arange(8) % 2)
    assert result.score[0] == pytest.approx(observed, abs=1e-12)
    assert result.p[0] == pytest.approx(np.mean(np.array(every) >= observed - 1e-12), abs=0.03)
    assert result.distinct[0] == 18  # 6 · 6, in pairs that differ only in the names


def test_labels_are_permuted_within_across():
    """With one token of each word in each voice, words are permuted within voices."""
    vectors, word, start_s = simulated(13, 2, n_recordings=3, shift=1.0)
    voice = np.tile([0, 1], 3)
    vectors[voice == 1, 1] += 3.0
    units = make_exchangeable_units(vectors, word, np.arange(6), start_s, voice)
    result = permutation_tests(vectors, word, units, across=voice, permutations=5_000)
    d = reference.distances(vectors)

    def mean_score(label):
        scores = []
        for value, speaker in itertools.product(range(3), (0, 1)):
            a, b = (np.flatnonzero((voice == speaker) & ((label == value) == same)) for same in (True, False))
            wins2, triplets, _ = reference.counts(d, a, b, np.flatnonzero((voice != speaker) & (label == value)))
            scores.append(wins2 / 2 / triplets)
        return np.mean(scores)

    every = [mean_score(label) for label in every_relabelling(word, voice)]
    observed = mean_score(word)
    assert result.score[0] == pytest.approx(observed, abs=1e-12)
    assert result.p[0] == pytest.approx(np.mean(np.array(every) >= observed - 1e-12), abs=0.03)
    assert result.distinct[0] == 6  # 36, in sixes that differ only in the names of the words


def test_pair_with_a_single_value_of_across_is_not_tested():
    vectors, recording, start_s = simulated(1, 3, n_recordings=4)
    on, across = np.array([0, 0, 1, 2])[recording], np.array([0, 1, 0, 0])[recording]
    units = make_exchangeable_units(vectors, on, recording, start_s)
    pairs = np.array([[0, 1], [1, 2]])
    result = permutation_tests(vectors, on, units, pairs, across=across, permutations=99)
    assert np.isnan(result.p[1])
    assert result.note[1] == "not tested: no triplet"


def test_joint_test_of_all_values_scores_each_against_the_rest():
    vectors, recording, start_s = simulated(2, 6, n_recordings=3, shift=2.0)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    result = permutation_tests(vectors, recording, units, permutations=999)
    assert result.score.shape == (1,)
    assert result.score[0] == pytest.approx(loop_score(reference.distances(vectors), recording), abs=1e-12)
    table = score_embeddings(vectors, {"on": recording}, on="on").table
    assert result.score[0] == pytest.approx(np.mean(table["score"].to_numpy()), abs=1e-12)  # groups are of equal size
    assert result.p[0] <= 0.01


@pytest.mark.parametrize("across", [False, True])
def test_statistic_over_recordings_is_the_score_of_the_task(across):
    vectors, recording, start_s = simulated(3, 6, n_recordings=6, shift=0.2)
    on, word = recording % 2, np.tile([0, 0, 1, 1, 2, 2], 6)
    units = make_exchangeable_units(vectors, on, recording, start_s)
    options = {"across": word} if across else {"by": word}
    result = permutation_tests(
        vectors, on, units, np.array([[0, 1]]), **options, different_recordings=True, permutations=99
    )
    labels = {"on": on, "word": word, "recording": recording}
    table = score_embeddings(
        vectors, labels, on="on", different=("recording",), **dict.fromkeys(options, ("word",))
    ).table
    # `different` concerns a only; b is never from the recording of x either, since ON is constant within recordings.
    assert result.score[0] == pytest.approx(np.mean(table["score"].to_numpy()), abs=1e-12)


def test_p_values_depend_on_the_seed_only():
    vectors, recording, start_s = simulated(4, 30, n_recordings=5, shift=0.3)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    pairs = np.array(list(itertools.combinations(range(5), 2)))
    one = permutation_tests(vectors, recording, units, pairs, permutations=500, threads=1)
    two = permutation_tests(vectors, recording, units, pairs, permutations=500, threads=3)
    few = permutation_tests(vectors, recording, units, pairs[3:5], permutations=500)
    other = permutation_tests(vectors, recording, units, pairs, permutations=500, seed=1)
    assert (one.p == two.p).all()
    assert (one.p[3:5] == few.p).all()
    assert (one.p != other.p).any()
    all_one, all_three = (
        permutation_tests(vectors, recording, units, permutations=500, threads=threads) for threads in (1, 3)
    )
    assert all_one.p == all_three.p


def test_p_values_do_not_depend_on_the_order_of_rows():
    vectors, recording, start_s = simulated(5, 20, shift=0.5)
    order = np.random.default_rng(0).permutation(len(recording))
    pair = np.array([[0, 1]])
    plain = permutation_tests(
        vectors, recording, make_exchangeable_units(vectors, recording, recording, start_s), pair, permutations=300
    )
    mixed = [array[order] for array in (vectors, recording, recording, start_s)]
    moved = permutation_tests(mixed[0], mixed[1], make_exchangeable_units(*mixed), pair, permutations=300)
    assert moved.score == plain.score
    assert moved.p == plain.p


def test_neighbours_in_time_are_not_compared():
    """Two halves of one slow process score high, which the test must not mistake for a difference."""
    random = np.random.default_rng(6)
    steps = random.standard_normal((240, 8))
    for t in range(1, 240):
        steps[t] = 0.7 * steps[t - 1] + math.sqrt(1 - 0.49) * steps[t]
    vectors = np.column_stack((steps, np.full(240, 8.0)))
    recording, start_s = np.repeat([0, 1], 120), np.tile(np.arange(120.0), 2)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    result = permutation_tests(vectors, recording, units, np.array([[0, 1]]), permutations=999)
    plain = score_embeddings(vectors, {"on": recording}, on="on").table["score"].to_numpy().mean()
    gap = 14  # 0.7 ** 14 < 0.01
    d = reference.distances(vectors)
    expected = []
    for same, other in ((range(120), range(120, 240)), (range(120, 240), range(120))):
        counts = [reference.counts(d, [a for a in same if abs(a - x) > gap], list(other), [x]) for x in list(same)[::6]]
        expected.append(sum(w for w, _, _ in counts) / 2 / sum(t for _, t, _ in counts))
    assert result.score[0] < plain
    assert result.score[0] == pytest.approx(np.mean(expected), abs=0.02)


def test_variance_inflation_raises_the_p_value(monkeypatch):
    vectors, recording, start_s = simulated(11, 30, shift=1.1)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    p = []
    for ratio in (1.0, 4.0):
        monkeypatch.setattr(Autocorrelation, "inflation", lambda *_, ratio=ratio: ratio)
        p.append(permutation_tests(vectors, recording, units, np.array([[0, 1]]), permutations=999).p[0])
    assert p[0] < 0.02
    assert p[1] > 3 * p[0]


def test_correlated_snippets_are_permuted_in_blocks():
    """Sixty snippets in ten runs, each of nearly one vector, are ten observations, not sixty."""
    random = np.random.default_rng(12)
    vectors = np.repeat(np.column_stack((random.standard_normal((20, 8)), np.full(20, 8.0))), 6, axis=0)
    vectors += 0.3 * random.standard_normal(vectors.shape)
    recording, start_s = np.repeat([0, 1], 60), np.tile(np.arange(60.0), 2)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    result = permutation_tests(vectors, recording, units, np.array([[0, 1]]), permutations=999)
    assert result.distinct[0] < 10**8  # that of snippets is 10 ** 34
    assert result.required_snippets[0] > 60
    assert result.p[0] > 0.05


def test_note_when_recordings_are_too_few():
    vectors, recording, start_s = simulated(7, 4, n_recordings=6)
    units = make_exchangeable_units(vectors, recording // 3, recording, start_s)
    result = permutation_tests(vectors, recording // 3, units, np.array([[0, 1]]), permutations=99)
    assert result.distinct[0] == 10
    assert "too few recordings for p < 0.05: 10 relabellings, the smallest exact p is 0.1" in result.note[0]
    assert result.p[0] >= 0.05


def test_note_when_permutations_are_too_few_for_the_number_of_tests():
    vectors, recording, start_s = simulated(8, 8, n_recordings=4)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    pairs = np.array(list(itertools.combinations(range(4), 2)))
    few = permutation_tests(vectors, recording, units, pairs, permutations=99)
    assert all("99 permutations are too few for 6 tests" in note for note in few.note)
    enough = permutation_tests(vectors, recording, units, pairs, permutations=199)
    assert not any(enough.note)


def test_design_without_exchangeable_labels_is_not_tested():
    vectors, recording, start_s = simulated(9, 6, n_recordings=4)
    on, by = recording % 2, recording // 2
    units = make_exchangeable_units(vectors, on, recording, start_s, recording // 2)
    separate = permutation_tests(vectors, on, units, np.array([[0, 1]]), by=recording, permutations=99)
    assert np.isnan(separate.p[0])
    assert separate.note[0].startswith("not tested: ")
    swapped = permutation_tests(vectors, on, units, np.array([[0, 1]]), by=by, permutations=99)
    assert swapped.distinct[0] == 2
    assert swapped.p[0] > 0.2


def test_long_recordings_are_thinned():
    vectors, recording, start_s = simulated(10, 500, shift=1.0)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    result = permutation_tests(vectors, recording, units, np.array([[0, 1]]), permutations=99)
    every_other = start_s % 2 == 0
    d = reference.distances(vectors[every_other])
    rows = np.arange(500)
    some = [reference.counts(d, rows[:250], rows[250:], [x])[:2] for x in rows[:250:25]]
    assert "tested on one snippet in 2" in result.note[0]
    assert result.score[0] == pytest.approx(sum(w for w, _ in some) / 2 / sum(t for _, t in some), abs=0.05)
    assert result.p[0] == 0.01


def test_alternating_tokens_of_two_voices_are_thinned_by_voice():
    n = 1200
    random = np.random.default_rng(11)
    on, voice = np.arange(n) // 2 % 2, np.arange(n) % 2
    vectors = np.column_stack((random.standard_normal((n, 4)), np.full(n, 4.0)))
    vectors[:, 0] += 2.0 * on
    units = make_exchangeable_units(vectors, on, np.arange(n), np.zeros(n))
    result = permutation_tests(vectors, on, units, np.array([[0, 1]]), across=voice, permutations=99)
    assert "tested on one snippet in 2" in result.note[0]
    every = score_embeddings(vectors, {"on": on, "voice": voice}, on="on", across=["voice"]).table["score"].to_numpy()
    assert result.score[0] == pytest.approx(every.mean(), abs=0.02)
    assert result.p[0] == 0.01
