"""Sentences claim what the intervals and tests support, and no more."""

import pytest

from abxfast.study.sentences import (
    describe_baselines,
    describe_classification,
    describe_confounds,
    describe_lengths,
    describe_pairs,
    describe_summary,
)


def curve(*rows):
    return [{"snippet_s": length, "score": score, "low": low, "high": high} for length, score, low, high in rows]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85)),
            "10 s discriminates best: 0.80 [0.75, 0.85]; the confidence intervals of all other lengths are lower.",
        ),
        (
            curve((1, 0.78, 0.7, 0.85), (10, 0.8, 0.75, 0.85)),
            "of 1 and 10 s overlap: they do not support one of these lengths over another.",
        ),
        (
            curve((1, 0.93, 0.92, 0.94), (5, 0.99, 0.98, 0.995), (10, 1.0, 0.69, 1.0)),
            "of 5 and 10 s overlap: they do not support one of these lengths over another; 1 s scores lower.",
        ),
        (curve((1, 0.51, 0.45, 0.57), (10, 0.5, 0.4, 0.6)), "There is no evidence of a difference at any length"),
        (curve((1, 0.6, None, None), (10, 0.8, 0.75, 0.85)), "No length can be recommended"),
        (
            curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85), (20, 0.9, None, None)),
            "are lower (no confidence interval at 20 s).",
        ),
    ],
)
def test_a_length_is_recommended_only_if_the_intervals_support_it(rows, expected):
    ((kind, text),) = describe_lengths(rows)
    assert kind == "length"
    assert expected in text


@pytest.mark.parametrize(
    ("score", "low", "high", "expected"),
    [
        (0.53, 0.48, 0.58, "There is no evidence of a difference between A and B at 10 s: 0.53 [0.48, 0.58]."),
        (0.83, 0.78, 0.88, "A and B can be told apart at 10 s: 0.83 [0.78, 0.88]."),
        (0.57, 0.52, 0.62, "0.57 [0.52, 0.62], no higher than a recording's own baseline (0.60)."),
        (0.40, 0.35, 0.45, "below chance"),
        (0.83, None, None, "A and B score 0.83 at 10 s, without a confidence interval: too short."),
    ],
)
def test_a_pair_can_be_told_apart_only_if_its_interval_excludes_chance(score, low, high, expected):
    row = {
        "a": "A",
        "b": "B",
        "snippet_s": 10.0,
        "score": score,
        "low": low,
        "high": high,
        "note": "no interval: too short",
    }
    ((_, text),) = describe_pairs(
        [row],
        [
            {"label": "A", "alternating_split": 0.6, "alternating_split_low": 0.5},
            {"label": "B", "alternating_split": 1.0, "alternating_split_low": None},
        ],
    )
    assert expected in text


def test_pairs_without_an_interval_are_listed_once_for_each_reason():
    rows = [
        {"a": "A", "b": b, "snippet_s": 1.0, "score": score, "low": None, "high": None, "note": f"no interval: {why}"}
        for b, score, why in (("B", 0.4, "too short"), ("C", 0.9, "too short"), ("D", 0.7, "no triplet"))
    ]
    assert [text for _, text in describe_pairs(rows, [])] == [
        "2 pairs score 0.40 to 0.90 at 1 s, without a confidence interval: too short.",
        "A and D score 0.70 at 1 s, without a confidence interval: no triplet.",
    ]


def test_a_baseline_counts_only_if_it_has_an_interval():
    rows = [
        {
            "label": label,
            "snippet_s": 10.0,
            "alternating_split": score,
            "alternating_split_low": low,
            "half_split": 0.5,
            "half_split_low": None,
        }
        for label, score, low in (("A", 0.6, 0.5), ("B", 0.5, 0.4), ("C", 0.0, None), ("D", 1.0, None))
    ]
    ((kind, text),) = describe_baselines(rows)
    assert kind == "baseline"
    assert "scores 0.55 at 10 s on average (0.50 to 0.60)" in text
    assert text.endswith("the baseline of all scores here; 2 of 4 recordings are too short.")
    ((_, text),) = describe_baselines(rows[2:])
    assert text == "The baseline at 10 s is unknown: no recording is long enough for alternating blocks of 30 s."


@pytest.mark.parametrize(
    ("p", "note", "expected"),
    [
        (0.01, "", "A and B can be told apart at 1 s: 0.60 [0.55, 0.65]."),
        (None, "", "A and B can be told apart at 1 s: 0.60 [0.55, 0.65]."),
        (0.2, "", "at 1 s: 0.60 [0.55, 0.65], but the permutation test is not significant (p = 0.2)."),
        (0.33, "too few recordings", "but the permutation test is not significant (p = 0.33; too few recordings)."),
    ],
)
def test_a_difference_needs_a_significant_test(p, note, expected):
    """Autocorrelation alone can lift an interval above chance; the permutation test accounts for it."""
    row = {"a": "A", "b": "B", "snippet_s": 1.0, "score": 0.6, "low": 0.55, "high": 0.65, "p": p, "note": note}
    ((_, text),) = describe_pairs([row], [])
    assert expected in text
    summary = row | {"encoder": "mfcc", "variant": "mfcc.max"}
    ((_, text),) = describe_summary(summary, [row], "recording")
    differs = expected.startswith("A and B can be")
    assert ("1 of 1 pairs can be told apart" in text) is differs
    assert ("1 scores above chance, but the permutation test is not significant" in text) is not differs


def test_drift_may_also_be_autocorrelation():
    """The halves of a stationary recording differ too if neighbouring snippets are alike."""
    row = {
        "label": "A",
        "snippet_s": 1.0,
        "alternating_split": 0.5,
        "half_split": 0.6,
        "half_split_low": 0.55,
        "half_split_high": 0.65,
    }
    *_, (_, text) = describe_baselines([row])
    assert text.startswith("1 of 1 recordings scores above chance between first and second half at 1 s, ")
    assert text.endswith(
        "most of all A: 0.60 [0.55, 0.65]; either a recording changes, or its neighbouring snippets are alike."
    )


def test_a_length_without_a_significant_test_is_not_recommended():
    rows = curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85))
    ((_, text),) = describe_lengths([row | {"p": 0.3} for row in rows])
    assert (
        text == "There is no evidence of a difference at any length: the best, 10 s, scores 0.80 [0.75, 0.85], p = 0.3."
    )


def test_the_summary_counts_the_outcomes_of_pairs():
    key = {"snippet_s": None, "note": ""}
    outcomes = {
        "different": (0.8, 0.7, 0.9, 0.01),
        "not significant": (0.6, 0.55, 0.7, 0.2),
        "no evidence": (0.5, 0.4, 0.6, 0.9),
        "no interval": (0.7, None, None, None),
    }
    pairs = [
        key | {"score": score, "low": low, "high": high, "p": p}
        for score, low, high, p in (outcomes["different"], *outcomes.values(), outcomes["no interval"])
    ]
    summary = key | {"score": 0.66, "low": 0.6, "high": 0.7, "p": 0.012, "encoder": "mfcc", "variant": "mfcc.max"}
    ((kind, text),) = describe_summary(summary, pairs, "room")
    assert kind == "summary"
    assert text == (
        "With mfcc (mfcc.max), the values of room score 0.66 [0.60, 0.70] as whole items on average, p = 0.012; 2 of 6 "
        "pairs can be told apart, 1 shows no evidence of a difference, 1 scores above chance, but the permutation test "
        "is not significant, 2 have no confidence interval."
    )


def test_a_significant_correlation_may_confound_the_scores():
    row = {"snippet_s": 1.0, "measure": "level_db", "correlation": -0.4, "p": 0.01}
    other = row | {"measure": "noise_db", "correlation": 0.1, "p": 0.6}
    ((kind, text),) = describe_confounds([row, other])
    assert kind == "confound"
    assert text == (
        "Recordings that differ more in level have lower scores at 1 s (rank correlation -0.40, p = 0.01): this may "
        "confound the scores."
    )
    ((_, text),) = describe_confounds([other, row | {"p": None}])
    assert text == ("No significant correlation of the scores at 1 s with differences in noise floor (all p ≥ 0.05).")
    assert not list(describe_confounds([row | {"p": None}]))


@pytest.mark.parametrize(
    ("accuracy", "low", "high", "comparison"),
    [
        (0.9, 0.6, 0.98, "significantly above"),
        (0.6, 0.31, 0.83, "not significantly above"),
        (0.1, 0.02, 0.4, "below"),
    ],
)
def test_an_accuracy_is_compared_with_the_majority_class(accuracy, low, high, comparison):
    row = {"classify": "room", "snippet_s": 1.0, "n": 10, "accuracy": accuracy, "low": low, "high": high, "chance": 0.5}
    ((kind, text),) = describe_classification([row])
    assert kind == "classification"
    assert text.startswith(f"Classification by room is correct for {round(10 * accuracy)} of 10 recordings at 1 s: ")
    assert text.endswith(f"], {comparison} the majority-class baseline (0.50).")
