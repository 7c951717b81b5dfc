"""Sentences claim what the verdicts support, and no more."""

import pytest

from abxfast.scoring import Dominance
from abxfast.study.comparisons import describe_lengths
from abxfast.study.confounds import describe_confounds
from abxfast.study.sentences import (
    describe_baselines,
    describe_classification,
    describe_dominance,
    describe_generality,
    describe_pairs,
    describe_summary,
)


def curve(*rows):
    names = ("snippet_s", "score", "low", "high", "verdict")
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            curve((1, 0.6, 0.55, 0.65, "different"), (10, 0.8, 0.75, 0.85, "different")),
            "10 s discriminates best: 0.80 [0.75, 0.85]; the confidence intervals of 1 s are lower.",
        ),
        (
            curve((1, 0.78, 0.7, 0.85, "different"), (10, 0.8, 0.75, 0.85, "different")),
            "of 1 and 10 s overlap: they do not support one of these lengths over another.",
        ),
        (
            curve(
                (1, 0.93, 0.92, 0.94, "different"),
                (5, 0.99, 0.98, 0.995, "different"),
                (10, 1.0, 0.69, 1.0, "different"),
            ),
            "of 5 and 10 s overlap: they do not support one of these lengths over another; 1 s scores lower.",
        ),
        (
            curve((1, 0.51, 0.45, 0.57, "no_evidence"), (10, 0.5, 0.4, 0.6, "equivalent")),
            "There is no evidence of a difference at any length compared: the best, 1 s, scores 0.51 [0.45, 0.57].",
        ),
        (
            curve((1, 0.6, None, None, "undecidable"), (10, 0.8, 0.75, 0.85, "different")),
            "No length can be recommended: too few of them have a confidence interval and can be judged.",
        ),
    ],
)
def test_a_length_is_recommended_only_if_the_intervals_support_it(rows, expected):
    ((kind, text),) = describe_lengths(rows)
    assert kind == "length"
    assert expected in text


def test_lengths_that_cannot_be_judged_are_named_first_if_they_score_higher():
    rows = curve(
        (1, 0.6, 0.55, 0.65, "different"),
        (5, 0.8, 0.75, 0.85, "different"),
        (10, 0.92, None, None, "undecidable"),
        (20, 0.96, None, None, "undecidable"),
    )
    (_, first), (_, second) = describe_lengths(rows)
    assert first == (
        "10 and 20 s score higher (0.92, 0.96) but cannot be compared, without a confidence interval or a verdict; the "
        "others are compared here."
    )
    assert second == (
        "5 s discriminates best of the lengths compared: 0.80 [0.75, 0.85]; the confidence intervals of 1 s are lower."
    )


def pair(verdict, score=0.6, low=0.55, high=0.65, reason="", **other):
    row = {"a": "A", "b": "B", "snippet_s": 1.0, "score": score, "low": low, "high": high}
    return row | {"verdict": verdict, "reason": reason, "p_holm": 0.012} | other


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            pair("different"),
            "There is evidence of a difference between A and B at 1 s: 0.60 [0.55, 0.65], corrected p = 0.012.",
        ),
        (
            pair("different", 1.0, None, None, p_holm=None),
            "There is evidence of a difference between A and B at 1 s: 1.00, without a confidence interval.",
        ),
        (
            pair("no_evidence", low=0.45, p_holm=None),
            "There is no evidence of a difference between A and B at 1 s: 0.60 [0.45, 0.65].",
        ),
        (
            pair("equivalent", 0.51, 0.48, 0.54),
            (
                "A and B are equivalent at 1 s, within 0.05 of chance: 0.51 [0.48, 0.54] (two one-sided "
                "tests: the 90% interval is within)."
            ),
        ),
        (pair("undecidable", reason="too few"), "A and B (0.60) cannot be judged at 1 s: too few."),
        (pair("undecidable", None, None, None, "no triplet"), "A and B cannot be judged at 1 s: no triplet."),
    ],
)
def test_a_pair_is_described_as_its_verdict_has_it(row, expected):
    assert list(describe_pairs([row], 0.05)) == [("pair", expected)]


def test_pairs_that_cannot_be_judged_are_listed_once_for_each_reason():
    reasons = (("B", 0.4, "too short"), ("C", 0.9, "too short"), ("D", 0.7, "too few"))
    rows = [pair("undecidable", score, None, None, reason, b=b) for b, score, reason in reasons]
    assert [text for _, text in describe_pairs(rows, 0.05)] == [
        "2 pairs (0.40 to 0.90) cannot be judged at 1 s: too short.",
        "A and D (0.70) cannot be judged at 1 s: too few.",
    ]


@pytest.mark.parametrize(
    ("on", "recordings", "verdict", "said"),
    [
        ("room", {"A": {"r1"}, "B": {"r2"}}, "different", True),
        ("room", {"A": {"r1"}, "B": {"r2", "r3"}}, "different", False),
        ("room", {"A": {"r1"}, "B": {"r1"}}, "different", False),
        ("room", {"A": {"r1"}, "B": {"r2"}}, "no_evidence", False),
        ("recording", {"A": {"r1"}, "B": {"r2"}}, "different", False),
    ],
)
def test_a_difference_of_recordings_is_not_one_of_conditions(on, recordings, verdict, said):
    sentences = [text for _, text in describe_generality(on, recordings, [pair(verdict)])]
    expected = (
        "Where a value of room has a single recording, these recordings differ; whether the values of room do takes "
        "several recordings of each."
    )
    assert sentences == [expected] * said


def test_a_baseline_counts_only_if_it_has_an_interval():
    key = {"snippet_s": 10.0, "half_split": 0.5, "half_split_low": None, "note": ""}
    rows = [
        key | {"label": label, "alternating_split": score, "alternating_split_low": low}
        for label, score, low in (("A", 0.6, 0.5), ("B", 0.5, 0.4), ("C", 0.0, None), ("D", 1.0, None))
    ]
    ((kind, text),) = describe_baselines(rows)
    assert kind == "baseline"
    assert "scores 0.55 at 10 s on average (0.50 to 0.60)" in text
    assert text.endswith("the baseline of all scores here; 2 of 4 recordings are too short or change over time.")
    ((_, text),) = describe_baselines(rows[2:])
    assert text == (
        "The baseline at 10 s cannot be judged: all recordings (they score 0.00 to 1.00 against themselves) are too "
        "short or change over time."
    )


def test_recordings_that_change_over_time_are_named():
    key = {"snippet_s": 1.0, "alternating_split": 0.5, "alternating_split_low": None}
    changes = "no interval: a recording changes over time"
    rows = [
        key | {"label": "A", "half_split": 0.6, "note": changes},
        key | {"label": "B", "half_split": 0.8, "note": changes},
        key | {"label": "C", "half_split": 0.9, "note": ""},
    ]
    *_, (_, text) = describe_baselines(rows)
    assert text == (
        "2 of 3 recordings change over time at 1 s, most of all B, which scores 0.80 between its first and second half."
    )


def test_a_length_without_a_significant_test_is_not_recommended():
    rows = curve((1, 0.6, 0.55, 0.65, "no_evidence"), (10, 0.8, 0.75, 0.85, "no_evidence"))
    ((_, text),) = describe_lengths([row | {"p": 0.3} for row in rows])
    assert (
        text
        == "There is no evidence of a difference at any length compared: the best, 10 s, scores 0.80 [0.75, 0.85], "
        "p = 0.3."
    )


def test_a_length_does_not_score_higher_by_less_than_is_printed():
    rows = curve(
        (1, 0.6, 0.55, 0.65, "different"), (5, 0.921, 0.9, 0.94, "different"), (10, 0.924, None, None, "undecidable")
    )
    ((_, text),) = describe_lengths(rows)
    assert text.startswith("5 s discriminates best")


def test_a_length_is_best_only_if_its_own_verdict_says_so():
    rows = curve((1, 0.56, 0.53, 0.59, "different"), (5, 0.8, 0.45, 0.95, "no_evidence"))
    (_, text) = list(describe_lengths(rows))[-1]
    assert text.startswith("The confidence intervals of 1 and 5 s overlap")


def test_a_summary_that_cannot_be_judged_has_no_p():
    summary = pair("undecidable", 0.8, 0.7, 0.9, "too few", p=0.0002, encoder="mfcc", variant="mfcc.max")
    ((_, text),) = describe_summary(summary, [pair("undecidable")], "room")
    assert "score 0.80 [0.70, 0.90] at 1 s on average, which cannot be judged: too few. There is evidence" in text
    assert "0.0002" not in text


def test_the_summary_counts_the_verdicts_of_pairs():
    verdicts = ["different"] * 2 + ["equivalent", "no_evidence", "undecidable", "undecidable"]
    summary = pair("different", 0.66, 0.6, 0.7, p=0.012, encoder="mfcc", variant="mfcc.max") | {"snippet_s": None}
    ((kind, text),) = describe_summary(summary, [pair(verdict) for verdict in verdicts], "room")
    assert kind == "summary"
    assert text == (
        "With mfcc (mfcc.max), the values of room score 0.66 [0.60, 0.70] as whole items on average, p = 0.012. There "
        "is evidence of a difference for 2 of 6 pairs, 1 is equivalent to chance, 1 shows no evidence of a difference, "
        "2 cannot be judged."
    )


def test_a_significant_correlation_may_confound_the_scores():
    row = {"snippet_s": 1.0, "measure": "level_db", "method": "pairs", "correlation": -0.4, "p": 0.01, "note": ""}
    other = row | {"measure": "noise_db", "correlation": 0.1, "p": 0.6}
    ((kind, text),) = describe_confounds([row, other], "recording")
    assert kind == "confound"
    assert text == (
        "Recordings that differ more in level have lower scores at 1 s (rank correlation -0.40, p = 0.01): this may "
        "confound the scores."
    )
    ((_, text),) = describe_confounds([other, row | {"p": None}], "recording")
    assert text == "No significant correlation of the scores at 1 s with differences in noise floor (all p ≥ 0.05)."
    assert not list(describe_confounds([row | {"p": None}], "recording"))
    assert not list(describe_confounds([other | {"note": "too few recordings for p < 0.05"}], "recording"))


def test_a_measure_that_differs_between_labels_may_confound_the_scores():
    row = {"snippet_s": 1.0, "measure": "level_db", "method": "values", "correlation": 0.9, "p": 0.01, "note": ""}
    row["values"] = "table -31.4, head -20.2"
    other = row | {"measure": "noise_db", "p": 0.6}
    ((_, text),) = describe_confounds([row, other], "microphone")
    assert text == (
        "The values of microphone differ in level as well (p = 0.01, with means of table -31.4, head -20.2 dB): this "
        "may confound the scores."
    )
    ((_, text),) = describe_confounds([other], "microphone")
    assert text == "No significant difference in noise floor between the values of microphone (all p ≥ 0.05)."


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


def test_channels_that_outweigh_the_others_are_named_with_the_option():
    dominance = Dominance(2, 512, 0.61)
    ((kind, text),) = describe_dominance({"encoder": "whisper", "variant": "layer6.mean"}, dominance)
    assert kind == "channels"
    assert text == (
        "With whisper (layer6.mean), 2 of 512 channels hold 61% of the squared length of the vectors, and so outweigh "
        'the others; standardise = "zscore" in the study file gives all channels the same weight.'
    )
    assert not list(describe_dominance({}, None))


def test_an_accuracy_of_few_recordings_has_no_interval():
    row = {"classify": "room", "snippet_s": 1.0, "n": 3, "accuracy": 1.0, "low": None, "high": None, "chance": 2 / 3}
    ((_, text),) = describe_classification([row])
    assert text == (
        "Classification by room is correct for 3 of 3 recordings at 1 s, too few for a confidence interval; the "
        "majority-class baseline is 0.67."
    )


def test_an_accuracy_is_not_above_a_baseline_that_prints_like_its_interval():
    row = {"classify": "room", "snippet_s": 1.0, "n": 90, "accuracy": 0.6, "low": 0.5004, "high": 0.7, "chance": 0.5}
    ((_, text),) = describe_classification([row])
    assert text.endswith("[0.50, 0.70], not significantly above the majority-class baseline (0.50).")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        (pair("different", 0.53, 0.49, 0.57), " (the test decides; the interval includes chance)."),
        (pair("no_evidence", 0.6, 0.55, 0.65, p_holm=0.2), " (the test decides; the interval excludes chance)."),
        (pair("different", 0.6, 0.55, 0.65), "corrected p = 0.012."),
        (pair("no_evidence", 0.5, 0.45, 0.55, p_holm=0.2), "corrected p = 0.2."),
    ],
)
def test_a_verdict_that_an_interval_does_not_suggest_says_what_decides(row, note):
    ((_, text),) = describe_pairs([row], 0.05)
    assert text.endswith(note)


def test_many_pairs_of_one_verdict_are_one_sentence():
    rows = [pair("different", 0.6 + n / 200, b=f"B{n}") for n in range(46)]
    ((_, text),) = describe_pairs(rows, 0.05)
    assert text == (
        "There is evidence of a difference between the values of 46 pairs at 1 s: from 0.60 (A and B0) to 0.82 (A and "
        "B45)."
    )
    assert len(list(describe_pairs(rows[1:], 0.05))) == 45
