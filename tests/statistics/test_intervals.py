"""Intervals against their definition with numerical derivatives, and against the leave-one-out jackknife."""

import itertools

import numpy as np
import pytest
import reference
from scipy import stats

from abxfast import score_embeddings
from abxfast.statistics import (
    ExchangeableUnits,
    UnitMarginals,
    UnitPairMarginals,
    jackknife_intervals,
    make_exchangeable_units,
    sum_by_unit,
)


def weighted_score(d, label, weight, pair):
    """Return the mean of both directions, each triplet weighted by the product of the weights of its members."""
    scores = []
    for same, other in (pair, pair[::-1]):
        won = total = 0.0
        for x, a, b in itertools.product(*(np.flatnonzero(label == g) for g in (same, same, other))):
            if a != x:
                product = weight[x] * weight[a] * weight[b]
                difference = d[b, x] - d[a, x]
                won += product * (1.0 if difference > reference.TIE else 0.5 * (abs(difference) <= reference.TIE))
                total += product
        scores.append(won / total)
    return np.mean(scores)


def simulated(seed, n, n_recordings=2, shift=1.0):
    random = np.random.default_rng(seed)
    recording = np.repeat(np.arange(n_recordings), n)
    vectors = random.standard_normal((n * n_recordings, 5)) + shift * recording[:, None] * np.eye(5)[0]
    return np.column_stack((vectors, np.full(len(vectors), 5.0))), recording, np.tile(np.arange(n) * 1.0, n_recordings)


def jackknife(vectors, on, units, row_of_pair):
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


def by_definition(vectors, on, units, pairs):
    """Return score, low and high by definition: numerical derivatives, Satterthwaite's degrees of freedom."""
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


@pytest.mark.parametrize("length", [1, 2])
def test_interval_over_blocks_equals_the_definition(length):
    vectors, recording, start_s = simulated(0, 12)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    unit = (np.arange(12) // length + 12 * recording[:, None][::12]).reshape(-1)
    unit = np.unique(unit, return_inverse=True)[1].reshape(-1)
    stratum = np.repeat([0, 1], 12 // length)
    changed = {
        "unit": unit,
        "stratum": stratum,
        "block_length": np.full(2, length),
        "inflation": np.ones(2),
        "inflation_error": np.zeros(2),
        "too_short": np.zeros(2, bool),
        "drifts": np.zeros(2, bool),
    }
    units = ExchangeableUnits(**{**vars(units), **changed})
    assert units.kind == "block"
    intervals = jackknife(vectors, recording, units, lambda _a, _b: 0)
    score, low, high = by_definition(vectors, recording, units, [(0, 1)])
    np.testing.assert_allclose((intervals.score[0], intervals.low[0], intervals.high[0]), (score, low, high), rtol=1e-5)
    assert intervals.blocks[0] == 24 // length
    assert intervals.note == [""]


def test_interval_over_recordings_equals_the_definition_for_pairs_and_their_mean():
    vectors, recording, start_s = simulated(1, 3, n_recordings=15, shift=0.3)
    on = recording // 5
    units = make_exchangeable_units(vectors, on, recording, start_s)
    pairs = [(0, 1), (0, 2), (1, 2)]
    intervals = jackknife(vectors, on, units, lambda _a, _b: 0)
    np.testing.assert_allclose(
        (intervals.score[0], intervals.low[0], intervals.high[0]), by_definition(vectors, on, units, pairs), rtol=1e-5
    )
    each = jackknife(vectors, on, units, lambda a, b: pairs.index((a, b)))
    for row, pair in enumerate(pairs):
        rows = np.isin(on, pair)
        pair_units = make_exchangeable_units(vectors[rows], on[rows], recording[rows], start_s[rows])
        expected = by_definition(vectors[rows], on[rows], pair_units, [pair])
        np.testing.assert_allclose((each.score[row], each.low[row], each.high[row]), expected, rtol=1e-5)


def test_variance_is_close_to_the_leave_one_out_jackknife():
    vectors, recording, start_s = simulated(2, 20)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    d = reference.distances(vectors)
    without = np.array([weighted_score(d, recording, (np.arange(40) != out) * 1.0, (0, 1)) for out in range(40)])
    variance = sum(19 / 20 * ((scores - scores.mean()) ** 2).sum() for scores in (without[:20], without[20:]))
    intervals = jackknife(vectors, recording, units, lambda _a, _b: 0)
    slope = intervals.score[0] * (1 - intervals.score[0])
    half = (np.log(intervals.high[0] / (1 - intervals.high[0])) - np.log(intervals.low[0] / (1 - intervals.low[0]))) / 2
    assert half * slope / stats.t.ppf(0.975, intervals.df[0]) == pytest.approx(np.sqrt(variance), rel=0.1)


def leave_out(units, vectors, on, row_of_pair=lambda _a, _b: 0):
    """Return intervals from the marginals of pairs."""
    scores = score_embeddings(vectors, {"on": on, "unit": units.unit}, on="on", marginals=True, pair_marginals="unit")
    names = zip(*(scores.table[c].to_pylist() for c in ("on", "on_b")), strict=True)
    return jackknife_intervals(
        scores.table["wins2"].to_numpy(),
        scores.table["triplets"].to_numpy(),
        sum_by_unit(scores.marginals, units.unit),
        np.array([row_of_pair(*sorted(pair)) for pair in names]),
        units,
        pairs=UnitPairMarginals.from_table(scores.pair_marginals),
    )


def pair_slopes(d, on, unit, n_units):
    """Return what two units contribute beyond each: mixed derivatives of the wins above the score, over triplets."""
    slopes = np.zeros((n_units, n_units))
    for same, other in ((0, 1), (1, 0)):
        rows = [np.flatnonzero(on == value) for value in (same, other)]
        x, a, b = (index.reshape(-1) for index in np.meshgrid(rows[0], rows[0], rows[1], indexing="ij"))
        x, a, b = (index[x != a] for index in (x, a, b))
        won = 0.5 + 0.5 * np.sign(d[b, x] - d[a, x])
        above = (won - won.mean()) / len(won) / 2
        for first, second in ((x, a), (x, b), (a, b)):
            np.add.at(slopes, (unit[first], unit[second]), above)
    return slopes + slopes.T


def residual_variance(slopes, stratum):
    """Return half the sum of squares of the pairs of strata, and what the jackknife adds, by least squares."""
    variance = excess = 0.0
    for s, t in itertools.combinations_with_replacement(np.unique(stratum), 2):
        k, other = np.flatnonzero(stratum == s), np.flatnonzero(stratum == t)
        pairs = [(i, j) for i in k for j in other if (i < j if s == t else True)]
        design = np.zeros((len(pairs), 2 * len(stratum)))
        for row, (i, j) in enumerate(pairs):
            design[row, i] += 1
            design[row, j + (0 if s == t else len(stratum))] += 1
        y = np.array([slopes[pair] for pair in pairs])
        residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        part = np.square(residual).sum() * len(pairs) / (len(pairs) - np.linalg.matrix_rank(design))
        variance += part
        excess += part * (len(k) / (len(k) - 2) if s == t else 1)
    return variance, excess


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_interval_from_pairs_equals_the_jackknife_less_what_it_counts_twice(shift):
    vectors, recording, start_s = simulated(15, 12, shift=shift)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    unit = np.repeat(np.arange(12), 2)  # six blocks of two snippets in each recording
    changed = {"unit": unit, "stratum": np.repeat([0, 1], 6), "inflation": np.ones(2), "inflation_error": np.zeros(2)}
    units = ExchangeableUnits(**{**vars(units), **changed})
    d = reference.distances(vectors)
    score = weighted_score(d, recording, np.ones(24), (0, 1))
    without = np.array([weighted_score(d, recording, (unit != out) * 1.0, (0, 1)) for out in range(12)])
    strata = [5 / 6 * np.square(part - part.mean()).sum() for part in (without[:6], without[6:])]
    jackknife = sum(strata)
    of_pairs, excess = residual_variance(pair_slopes(d, recording, unit, 12), units.stratum)
    variance = max(jackknife - excess, of_pairs / 2)
    df = max(jackknife**2 / sum(part**2 / 5 for part in strata) * min(1, variance / jackknife) ** 2, 5)
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / (score * (1 - score))
    expected = [1 / (1 + np.exp(sign * half - np.log(score / (1 - score)))) for sign in (1, -1)]
    intervals = leave_out(units, vectors, recording)
    assert of_pairs > 0
    assert intervals.df[0] == pytest.approx(df, rel=1e-6)
    np.testing.assert_allclose((intervals.low[0], intervals.high[0]), expected, rtol=1e-6)


def test_variance_without_a_difference_is_that_of_the_scores():
    """The derivatives of single units vanish; the variance from them alone is twice as large."""
    scores, variances, plain = [], [], []
    for seed in range(60):
        vectors, recording, start_s = simulated(seed, 2, n_recordings=16, shift=0.0)
        on = recording // 8
        units = make_exchangeable_units(vectors, on, recording, start_s)
        for intervals, found in (
            (leave_out(units, vectors, on), variances),
            (jackknife(vectors, on, units, lambda _a, _b: 0), plain),
        ):
            half = np.diff(
                np.log([intervals.low[0], intervals.high[0]]) - np.log1p([-intervals.low[0], -intervals.high[0]])
            )
            found.append(float((half[0] / 2 / stats.t.ppf(0.975, intervals.df[0]) / 4) ** 2))
        scores.append(intervals.score[0])
    assert 0.8 < np.mean(variances) / np.var(scores) < 1.5
    assert np.mean(plain) / np.var(scores) > 1.5


def test_uncertain_inflation_costs_degrees_of_freedom():
    vectors, recording, start_s = simulated(3, 30)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    sure, unsure = (
        jackknife(
            vectors,
            recording,
            ExchangeableUnits(**{**vars(units), "inflation_error": np.full(2, error)}),
            lambda _a, _b: 0,
        )
        for error in (0.0, 0.2)
    )
    # 1 / df of each stratum is 1 / (K − 1) + error / 2.
    blocks = sure.blocks[0] / 2 - 1
    assert unsure.df[0] / sure.df[0] == pytest.approx(1 / (1 + 0.1 * blocks), rel=0.01)


def test_variance_inflation_widens_the_interval():
    vectors, recording, start_s = simulated(3, 30)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    wider = ExchangeableUnits(**{**vars(units), "inflation": np.full(2, 4.0)})
    plainer = ExchangeableUnits(**{**vars(units), "inflation": np.ones(2)})
    plain, wide = (jackknife(vectors, recording, each, lambda _a, _b: 0) for each in (plainer, wider))

    def width(intervals):
        return np.diff(np.log([intervals.low / (1 - intervals.low), intervals.high / (1 - intervals.high)]), axis=0)

    np.testing.assert_allclose(width(wide), 2 * width(plain), rtol=1e-9)


def test_interval_of_a_perfect_score_is_the_limit_of_those_near_it():
    """Of recordings that move apart, the last score below 1 and the first score of 1 have much the same interval."""
    found = []
    for shift in np.linspace(4.0, 30.0, 27):
        vectors, recording, start_s = simulated(4, 12, shift=shift)
        units = make_exchangeable_units(vectors, recording, recording, start_s)
        intervals = jackknife(vectors, recording, units, lambda _a, _b: 0)
        found.append((intervals.score[0], intervals.low[0], intervals.high[0]))
    score, low, high = np.array(found).T
    assert score[-1] == high[-1] == 1
    assert ((low <= score) & (score <= high)).all()
    first = int(np.argmax(score == 1))
    assert 0.98 < score[first - 1] < 1
    assert abs(low[first] - low[first - 1]) < 0.02
    # Twelve snippets a side: a loss of 1/78 is allowed for, beside its own size as a standard deviation.
    edge = 1 / 78
    assert np.abs(np.diff(low[score > 1 - edge])).max() < 0.025
    half = stats.t.ppf(0.975, 11) * edge / (edge * (1 - edge))
    assert low[first] == pytest.approx(1 / (1 + np.exp(half - np.log((1 - edge) / edge))), rel=0.01)


@pytest.mark.parametrize(("flag", "reason"), [("drifts", "a recording changes over time")])
def test_recording_that_changes_gives_no_interval(flag, reason):
    vectors, recording, start_s = simulated(5, 24)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    units = ExchangeableUnits(**{**vars(units), flag: np.array([False, True])})
    assert jackknife(vectors, recording, units, lambda _a, _b: 0).note == [f"no interval: {reason}"]


def test_few_recordings_give_no_interval():
    """Four and four have three degrees of freedom at least, five and five have four."""
    for each, given in ((4, False), (5, True)):
        vectors, recording, start_s = simulated(14, 4, n_recordings=2 * each, shift=0.4)
        on = recording // each
        intervals = jackknife(vectors, on, make_exchangeable_units(vectors, on, recording, start_s), lambda _a, _b: 0)
        assert np.isfinite(intervals.low[0]) == given
        assert intervals.note == ([""] if given else ["no interval: too few recordings"])


def test_no_interval_is_wider_than_half_of_the_scale():
    random = np.random.default_rng(0)
    notes = []
    for _ in range(40):
        recording = np.repeat(np.arange(10), 2)
        vectors = np.column_stack((5 * random.standard_normal((10, 1))[recording], np.full(20, 5.0)))
        on = recording // 5
        units = make_exchangeable_units(vectors, on, recording, np.tile([0.0, 1.0], 10))
        intervals = jackknife(vectors, on, units, lambda _a, _b: 0)
        if np.isfinite(intervals.low[0]):
            assert intervals.high[0] - intervals.low[0] <= 0.5
            assert intervals.low[0] < intervals.equivalence_low[0] < intervals.equivalence_high[0] < intervals.high[0]
        notes.append(intervals.note[0])
    assert "no interval: it would be wider than 0.5" in notes


def test_recording_that_is_too_short_gives_no_interval():
    vectors, recording, start_s = simulated(5, 12)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    units = ExchangeableUnits(**{**vars(units), "too_short": np.array([False, True])})
    intervals = jackknife(vectors, recording, units, lambda _a, _b: 0)
    assert np.isnan(intervals.low[0])
    assert np.isnan(intervals.high[0])
    assert intervals.note == ["no interval: a recording is too short: it holds fewer than 15 independent snippets"]
    assert np.isfinite(intervals.score[0])


def test_single_recording_on_one_side_gives_no_interval():
    vectors, recording, start_s = simulated(6, 4, n_recordings=3)
    units = make_exchangeable_units(vectors, recording // 2, recording, start_s)
    intervals = jackknife(vectors, recording // 2, units, lambda _a, _b: 0)
    assert np.isnan(intervals.low[0])
    assert intervals.note == ["no interval: one side has a single recording"]


def tokens(seed, n_words, each=(1, 1), spread=1.0):
    """Return vectors, word and voice of words spoken by two voices."""
    random = np.random.default_rng(seed)
    word, voice = np.repeat(np.arange(n_words), sum(each)), np.tile(np.repeat([0, 1], each), n_words)
    vectors = spread * random.standard_normal((n_words, 6))[word] + random.standard_normal((len(word), 6))
    return np.column_stack((vectors, np.full(len(word), 6.0))), word, voice


def token_intervals(vectors, on, across, row_of_cell=None):
    """Return intervals and the columns of the scores of tokens, each a recording of its own."""
    n = np.arange(len(on))
    units = make_exchangeable_units(vectors, on, n, np.zeros(len(on)), across)
    scores = score_embeddings(vectors, {"on": on, "across": across}, on="on", across="across", marginals=True)
    column = {name: scores.table[name].to_numpy() for name in scores.table.column_names}
    row = np.zeros(len(column["score"]), np.int64) if row_of_cell is None else row_of_cell(column)
    values = {
        name: np.stack((column[name], column[f"{name}_{x}"]), axis=1) for name, x in (("on", "b"), ("across", "x"))
    }
    marginals = sum_by_unit(scores.marginals, units.unit)
    return jackknife_intervals(column["wins2"], column["triplets"], marginals, row, units, values=values), column


def by_definition_over_values(column, names):
    """Return the interval over values by definition: numerical derivatives with respect to the weights of values."""
    pair = np.stack([column[name] for name in names], axis=1)
    n, step = int(pair.max()) + 1, 1e-5

    def mean(weight):
        product = weight[pair].prod(axis=1)
        return (product * column["score"]).sum() / product.sum()

    slopes = np.array([(mean(1 + step * unit) - mean(1 - step * unit)) / (2 * step) for unit in np.eye(n)])
    score = column["score"].mean()
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(n * np.var(slopes, ddof=1)) / (score * (1 - score))
    return [1 / (1 + np.exp(sign * half - np.log(score / (1 - score)))) for sign in (1, -1)]


@pytest.mark.parametrize("on_words", [True, False])
def test_single_tokens_have_an_interval_over_the_values_of_a_label(on_words):
    vectors, word, voice = tokens(7, 12)
    intervals, column = token_intervals(vectors, *((word, voice) if on_words else (voice, word)))
    names = ("on", "on_b") if on_words else ("across", "across_x")
    np.testing.assert_allclose(
        (intervals.low[0], intervals.high[0]), by_definition_over_values(column, names), rtol=1e-6
    )
    assert (column["triplets"] == 1).all()
    assert (intervals.blocks[0], intervals.df[0]) == (12, 11)
    assert intervals.note == [f"the interval is over the 12 values of {names[0]}, with all else held fixed"]


def test_one_repeated_token_does_not_replace_the_interval_over_values():
    vectors, word, voice = tokens(8, 12)
    more = np.concatenate((vectors, vectors[:2] + 0.1)), np.append(word, word[:2]), np.append(voice, voice[:2])
    alone, _ = token_intervals(vectors, word, voice)
    intervals, _ = token_intervals(*more)
    assert intervals.blocks[0] == 12
    assert intervals.high[0] - intervals.low[0] > 0.8 * (alone.high[0] - alone.low[0])


def test_too_few_values_give_no_interval():
    vectors, word, voice = tokens(9, 9)
    intervals, _ = token_intervals(vectors, word, voice)
    assert np.isnan(intervals.low[0])
    assert intervals.note == [
        "no interval: one side has a single recording, and no label has 10 values to estimate one over"
    ]


def test_interval_is_over_the_label_with_the_most_values():
    """Two words are not a sample of words; twelve voices are a sample of voices."""
    vectors, voice, word = tokens(10, 12)
    intervals, column = token_intervals(vectors, word, voice, lambda column: (column["on"] > 5).astype(np.int64))
    assert (column["on"] <= 1).all()
    assert intervals.note == ["the interval is over the 12 values of across, with all else held fixed"]


def test_repeated_tokens_are_resampled():
    """With several tokens of each word in each voice, these are the strata."""
    vectors, word, voice = tokens(11, 10, (3, 3), spread=0.5)
    units = make_exchangeable_units(vectors, word, np.arange(60), np.zeros(60), voice)
    assert np.bincount(units.stratum).tolist() == [3] * 20
    intervals, _ = token_intervals(vectors, word, voice)
    assert intervals.note == [""]
    assert intervals.df[0] > 5  # pooled over strata, not that of three tokens


def test_constant_score_has_no_interval():
    vectors, recording, start_s = np.ones((24, 3)), np.repeat([0, 1], 12), np.tile(np.arange(12.0), 2)
    units = make_exchangeable_units(vectors, recording, recording, start_s)
    intervals = jackknife(vectors, recording, units, lambda _a, _b: 0)
    assert intervals.score[0] == 0.5
    assert np.isnan(intervals.low[0])
    assert intervals.note == ["no interval: the score does not vary"]


def test_perfect_score_over_values_allows_for_a_loss():
    vectors, word, voice = tokens(12, 12, spread=1000.0)
    intervals, column = token_intervals(vectors, word, voice)
    assert (column["score"] == 1).all()
    assert 0.8 < intervals.low[0] < 0.9
    assert intervals.high[0] == 1
    assert intervals.note == ["the interval is over the 12 values of on, with all else held fixed"]


def test_constant_score_over_values_has_no_interval():
    vectors, word, voice = tokens(13, 12)
    intervals, column = token_intervals(np.ones_like(vectors), word, voice)
    assert (column["score"] == 0.5).all()
    assert np.isnan(intervals.low[0])
    assert intervals.note == ["no interval: the score does not vary"]


def test_row_without_triplets_has_no_score():
    none = np.zeros(0, np.int64)
    units = make_exchangeable_units(np.eye(4), np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]), np.arange(4.0))
    intervals = jackknife_intervals(
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        UnitMarginals(none, none, none, none),
        np.zeros(1, np.int64),
        units,
    )
    assert intervals.note == ["no triplet"]
    assert np.isnan(intervals.score[0])
