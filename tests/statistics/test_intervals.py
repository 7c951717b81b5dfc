"""Intervals against the loop with weights, and against leaving out one unit at a time."""

import importlib
import itertools
import sys

import numpy as np
import pytest
import reference
from scipy import stats

from abxfast import score_embeddings
from abxfast.errors import MissingPackageError
from abxfast.statistics import (
    ExchangeableUnits,
    UnitMarginals,
    jackknife_intervals,
    make_exchangeable_units,
    sum_by_unit,
)


def weighted_score(d, label, weight, pair):
    """Give the mean of both directions, every triplet weighted by the product of its members' weights."""
    scores = []
    for own, other in (pair, pair[::-1]):
        won = total = 0.0
        for x, a, b in itertools.product(*(np.flatnonzero(label == g) for g in (own, own, other))):
            if a != x:
                of = weight[x] * weight[a] * weight[b]
                gap = d[b, x] - d[a, x]
                won += of * (1.0 if gap > reference.TIE else 0.5 * (abs(gap) <= reference.TIE))
                total += of
        scores.append(won / total)
    return np.mean(scores)


def simulated(seed, n, n_recordings=2, shift=1.0):
    random = np.random.default_rng(seed)
    recording = np.repeat(np.arange(n_recordings), n)
    vectors = random.standard_normal((n * n_recordings, 5)) + shift * recording[:, None] * np.eye(5)[0]
    return np.column_stack((vectors, np.full(len(vectors), 5.0))), recording, np.tile(np.arange(n) * 1.0, n_recordings)


def found_for(vectors, on, units, row_of_pair):
    scores = score_embeddings(vectors, {"on": on}, on="on", marginals=True)
    row = [
        row_of_pair(*sorted(pair)) for pair in zip(*(scores.table[c].to_pylist() for c in ("on", "on_b")), strict=True)
    ]
    return jackknife_intervals(
        scores.table["wins2"].to_numpy(),
        scores.table["triplets"].to_numpy(),
        sum_by_unit(scores.marginals, units.unit),
        np.array(row),
        units,
    )


def by_slopes(vectors, on, units, pairs):
    """The interval by its definition: slopes taken numerically, Welch's degrees of freedom."""
    d, step, slopes = reference.distances(vectors), 1e-4, []
    score = np.mean([weighted_score(d, on, np.ones(len(on)), pair) for pair in pairs])
    for unit in range(len(units.stratum)):
        up, down = (
            np.mean([weighted_score(d, on, 1 + sign * step * (units.unit == unit), pair) for pair in pairs])
            for sign in (1, -1)
        )
        slopes.append((up - down) / (2 * step))
    slopes = np.array(slopes)
    parts = [
        (len(u) * np.var(u, ddof=1), len(u) - 1) for u in (slopes[units.stratum == s] for s in np.unique(units.stratum))
    ]
    variance = sum(part for part, _ in parts)
    df = variance**2 / sum(part**2 / k for part, k in parts)
    if units.kind == "recording":
        df = max(df / 2, min(k for _, k in parts))
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / (score * (1 - score))
    logit = np.log(score / (1 - score))
    return score, 1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))


@pytest.mark.parametrize("length", [1, 3])
def test_blocks_of_two_recordings(length):
    vectors, recording, start_s = simulated(0, 12)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    unit = (np.arange(12) // length + 12 * recording[:, None][::12]).reshape(-1)
    unit = np.unique(unit, return_inverse=True)[1].reshape(-1)
    stratum = np.repeat([0, 1], 12 // length)
    units = ExchangeableUnits("block", unit, stratum, recording, units.place, np.zeros(2), np.full(2, length), np.ones(2),
                  np.zeros(2, bool))  # fmt: skip
    found = found_for(vectors, recording, units, lambda _a, _b: 0)
    score, low, high = by_slopes(vectors, recording, units, [(0, 1)])
    np.testing.assert_allclose((found.score[0], found.low[0], found.high[0]), (score, low, high), rtol=1e-5)
    assert found.blocks[0] == 24 // length
    assert found.note == [""]


def test_whole_recordings_and_the_mean_of_several_pairs():
    vectors, recording, start_s = simulated(1, 3, n_recordings=9, shift=0.3)
    on = recording // 3
    units = make_exchangeable_units(vectors, on, recording, start_s)
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = found_for(vectors, on, units, lambda _a, _b: 0)
    np.testing.assert_allclose(
        (found.score[0], found.low[0], found.high[0]), by_slopes(vectors, on, units, pairs), rtol=1e-5
    )
    each = found_for(vectors, on, units, lambda a, b: pairs.index((a, b)))
    for row, pair in enumerate(pairs):
        rows = np.isin(on, pair)
        own = make_exchangeable_units(vectors[rows], on[rows], recording[rows], start_s[rows])
        expected = by_slopes(vectors[rows], on[rows], own, [pair])
        np.testing.assert_allclose((each.score[row], each.low[row], each.high[row]), expected, rtol=1e-5)


def test_it_is_near_to_leaving_out_one_at_a_time():
    vectors, recording, start_s = simulated(2, 20)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    d = reference.distances(vectors)
    left = np.array([weighted_score(d, recording, (np.arange(40) != out) * 1.0, (0, 1)) for out in range(40)])
    parts = [19 / 20 * ((own - own.mean()) ** 2).sum() for own in (left[:20], left[20:])]
    found = found_for(vectors, recording, units, lambda _a, _b: 0)
    own = found.score[0] * (1 - found.score[0])
    half = (np.log(found.high[0] / (1 - found.high[0])) - np.log(found.low[0] / (1 - found.low[0]))) / 2
    assert half * own / stats.t.ppf(0.975, found.df[0]) == pytest.approx(np.sqrt(sum(parts)), rel=0.1)


def test_what_the_cuts_hide_widens_the_interval():
    vectors, recording, start_s = simulated(3, 30)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    wider = ExchangeableUnits(**{**vars(units), "inflation": np.full(2, 4.0)})
    plain, wide = (found_for(vectors, recording, each, lambda _a, _b: 0) for each in (units, wider))

    def width(found):
        return np.diff(np.log([found.low / (1 - found.low), found.high / (1 - found.high)]), axis=0)

    np.testing.assert_allclose(width(wide), 2 * width(plain), rtol=1e-9)


def test_a_perfect_score_is_not_certain():
    vectors, recording, start_s = simulated(4, 12, shift=100.0)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    found = found_for(vectors, recording, units, lambda _a, _b: 0)
    assert found.score[0] == found.high[0] == 1
    # Twelve of twelve: Clopper and Pearson.
    assert found.low[0] == pytest.approx(stats.binomtest(12, 12).proportion_ci(method="exact").low)


def test_too_short_gives_no_interval_and_says_so():
    vectors, recording, start_s = simulated(5, 12)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    units = ExchangeableUnits(**{**vars(units), "short": np.array([False, True])})
    found = found_for(vectors, recording, units, lambda _a, _b: 0)
    assert np.isnan(found.low[0])
    assert np.isnan(found.high[0])
    assert "too short" in found.note[0]
    assert np.isfinite(found.score[0])


def test_a_single_recording_on_a_side_gives_no_interval():
    vectors, recording, start_s = simulated(6, 4, n_recordings=3)
    units = make_exchangeable_units(vectors, recording // 2, recording, start_s)
    found = found_for(vectors, recording // 2, units, lambda _a, _b: 0)
    assert np.isnan(found.low[0])
    assert "single recording" in found.note[0]


def tokens(seed, n_words, each=(1, 1), spread=1.0):
    """Words by two voices: vectors, word, voice."""
    random = np.random.default_rng(seed)
    word, voice = np.repeat(np.arange(n_words), sum(each)), np.tile(np.repeat([0, 1], each), n_words)
    vectors = spread * random.standard_normal((n_words, 6))[word] + random.standard_normal((len(word), 6))
    return np.column_stack((vectors, np.full(len(word), 6.0))), word, voice


def of_tokens(vectors, on, across, row_of_cell=None):
    """Score tokens, each a recording of its own."""
    n = np.arange(len(on))
    units = make_exchangeable_units(vectors, on, n, np.zeros(len(on)), across)
    scores = score_embeddings(vectors, {"on": on, "across": across}, on="on", across="across", marginals=True)
    column = {name: scores.table[name].to_numpy() for name in scores.table.column_names}
    row = np.zeros(len(column["score"]), np.int64) if row_of_cell is None else row_of_cell(column)
    values = {
        name: np.stack((column[name], column[f"{name}_{x}"]), axis=1) for name, x in (("on", "b"), ("across", "x"))
    }
    shares = sum_by_unit(scores.marginals, units.unit)
    return jackknife_intervals(column["wins2"], column["triplets"], shares, row, units, values=values), column


def by_slopes_of_values(column, names):
    """The interval over values by its definition: slopes in the weights of values, taken numerically."""
    pair = np.stack([column[name] for name in names], axis=1)
    n, step = int(pair.max()) + 1, 1e-5

    def mean(weight):
        of = weight[pair].prod(axis=1)
        return (of * column["score"]).sum() / of.sum()

    slopes = np.array([(mean(1 + step * unit) - mean(1 - step * unit)) / (2 * step) for unit in np.eye(n)])
    score = column["score"].mean()
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(n * np.var(slopes, ddof=1)) / (score * (1 - score))
    return [1 / (1 + np.exp(sign * half - np.log(score / (1 - score)))) for sign in (1, -1)]


@pytest.mark.parametrize("on_words", [True, False])
def test_single_tokens_get_an_interval_over_the_values_of_a_label(on_words):
    vectors, word, voice = tokens(7, 12)
    found, column = of_tokens(vectors, *((word, voice) if on_words else (voice, word)))
    names = ("on", "on_b") if on_words else ("across", "across_x")
    np.testing.assert_allclose((found.low[0], found.high[0]), by_slopes_of_values(column, names), rtol=1e-6)
    assert (column["triplets"] == 1).all()
    assert (found.blocks[0], found.df[0]) == (12, 11)
    assert found.note == [f"the interval is one over the 12 values of {names[0]}, all else held as it is"]


def test_one_kind_with_two_tokens_does_not_speak_for_those_with_one():
    vectors, word, voice = tokens(8, 12)
    more = np.concatenate((vectors, vectors[:2] + 0.1)), np.append(word, word[:2]), np.append(voice, voice[:2])
    alone, _ = of_tokens(vectors, word, voice)
    found, _ = of_tokens(*more)
    assert found.blocks[0] == 12
    assert found.high[0] - found.low[0] > 0.8 * (alone.high[0] - alone.low[0])


def test_too_few_values_give_no_interval_and_say_so():
    vectors, word, voice = tokens(9, 9)
    found, _ = of_tokens(vectors, word, voice)
    assert np.isnan(found.low[0])
    assert found.note == [
        "no interval: a single recording stands for one side, and no label has 10 values to take one over"
    ]


def test_each_row_takes_the_label_with_the_most_values():
    """Two words are no sample of words; twelve voices are one of voices."""
    vectors, voice, word = tokens(10, 12)
    found, column = of_tokens(vectors, word, voice, lambda column: (column["on"] > 5).astype(np.int64))
    assert (column["on"] <= 1).all()
    assert found.note == ["the interval is one over the 12 values of across, all else held as it is"]


def test_repeated_tokens_are_what_is_resampled():
    """Several tokens of each kind: they are strata, kind by kind, voice by voice."""
    vectors, word, voice = tokens(11, 10, (3, 3), spread=0.5)
    units = make_exchangeable_units(vectors, word, np.arange(60), np.zeros(60), voice)
    assert np.bincount(units.stratum).tolist() == [3] * 20
    found, _ = of_tokens(vectors, word, voice)
    assert found.note == [""]
    assert found.df[0] > 5  # not those of three tokens alone


def test_what_never_varies_gets_no_interval():
    vectors, recording, start_s = np.ones((24, 3)), np.repeat([0, 1], 12), np.tile(np.arange(12.0), 2)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    found = found_for(vectors, recording, units, lambda _a, _b: 0)
    assert found.score[0] == 0.5
    assert np.isnan(found.low[0])
    assert found.note == ["no interval: all that could vary scores the same"]


def test_a_row_without_triplets_says_so():
    none = np.zeros(0, np.int64)
    units = make_exchangeable_units(np.eye(4), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.arange(4.0))
    found = jackknife_intervals(
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        UnitMarginals(none, none, none, none),
        np.zeros(1, np.int64),
        units,
    )
    assert found.note == ["no triplet"]
    assert np.isnan(found.score[0])


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    monkeypatch.delitem(sys.modules, "abxfast.statistics.intervals")
    with pytest.raises(MissingPackageError, match=r"pip install '.\[report\]'"):
        importlib.import_module("abxfast.statistics.intervals")
