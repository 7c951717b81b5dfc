"""Numbers in sentences: rounding never contradicts what they are said to show."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abxfast.study.comparisons import best_variant_row, describe_best_variant, describe_lengths
from abxfast.study.sentences import describe_pairs, describe_summary
from abxfast.study.wording import format_p, format_score

_INTERVAL = re.compile(r"([\d.]+) \[([\d.]+), ([\d.]+)\]")
_VERDICTS = ("different", "no_evidence", "equivalent", "undecidable")
scores = st.floats(0, 1) | st.floats(0.4949, 0.5051)


@st.composite
def rows(draw, verdicts=_VERDICTS):
    """Draw a row of a table as a study writes it: ordered ends, no interval wider than 0.5."""
    low, score, high = sorted(draw(st.tuples(scores, scores, scores)))
    if high - low > 0.5 or not draw(st.booleans()):
        low = high = None
    verdict = draw(st.sampled_from(verdicts))
    p = draw(st.floats(0.0001, 0.05) if verdict == "different" else st.floats(0.0501, 1))
    row = {
        "experiment": "e",
        "encoder": "mfcc",
        "standardise": "none",
        "variant": draw(st.sampled_from("uvw")),
        "a": "A",
        "b": "B",
    }
    row |= {"snippet_s": draw(st.sampled_from([1.0, 5.0, 10.0])), "score": score, "low": low, "high": high, "p": p}
    row |= {"verdict": verdict, "reason": "too few" if verdict == "undecidable" else "", "p_holm": p, "note": ""}
    return row | {"low_corrected": low, "high_corrected": high, "p_corrected": min(1.0, 3 * p)}


@given(rows())
def test_an_interval_is_printed_on_its_side_of_chance(row):
    printed = _INTERVAL.match(format_score(row))
    if row["low"] is None:
        assert printed is None
        return
    score, low, high = map(float, printed.groups())
    assert low <= score <= high
    for value, text in ((row["low"], low), (row["high"], high)):
        if abs(value - 0.5) > 1e-6:
            assert (value > 0.5, value < 0.5) == (text > 0.5, text < 0.5) or 0.5 in (value, text)
    assert (low > 0.5) == (row["low"] > 0.5) or abs(row["low"] - 0.5) < 1e-6
    assert (high < 0.5) == (row["high"] < 0.5) or abs(row["high"] - 0.5) < 1e-6


@given(st.floats(0.0001, 1))
def test_a_p_value_is_printed_on_its_side_of_the_level(p):
    assert (float(format_p(p)) > 0.05) == (p > 0.05) or abs(p - 0.05) < 1e-6


@given(st.lists(rows(), min_size=1, max_size=6))
def test_no_sentence_contradicts_its_numbers(drawn):
    texts = [text for _, text in (*describe_pairs(drawn, 0.05), *describe_summary(drawn[0], drawn, "room"))]
    texts += [text for _, text in describe_lengths(list({row["snippet_s"]: row for row in drawn}.values()))]
    best = best_variant_row(list({row["variant"]: row | {"snippet_s": 1.0} for row in drawn}.values()))
    if best is not None:
        texts += [text for _, text in describe_best_variant(best)]
    for text in texts:
        assert not re.search(r"can't be told apart|below chance|tells most|\bnan\b|None \[", text)
        for score, low, high in _INTERVAL.findall(text):
            assert float(low) <= float(score) <= float(high)
            assert float(high) - float(low) <= 0.51  # 0.5, and what rounding adds
            if "There is evidence of a difference between" in text and float(low) <= 0.5:
                assert "the test decides; the interval includes chance" in text
            if "There is no evidence of a difference between" in text and float(low) > 0.5:
                assert "the test decides; the interval excludes chance" in text
        for p in map(float, re.findall(r"corrected p = (\d+(?:\.\d+)?(?:e-\d+)?)", text)):
            assert (p <= 0.05) == ("evidence of a difference between" in text and " no evidence" not in text)
    undecidable = [row for row in drawn if row["verdict"] == "undecidable"]
    assert sum("cannot be judged at" in text for text in texts) == len({row["reason"] for row in undecidable})


@given(st.lists(rows(), min_size=2, max_size=3, unique_by=lambda row: row["snippet_s"]))
def test_what_is_best_is_the_highest_of_what_can_be_compared(drawn):
    texts = [text for _, text in describe_lengths(drawn)]
    compared = [row for row in drawn if row["low"] is not None and row["verdict"] != "undecidable"]
    for number, text in enumerate(texts):
        found = re.match(r"([\d.]+) s (discriminates best|has the highest score)", text)
        if found is None:
            continue
        best = next(row for row in drawn if row["snippet_s"] == float(found[1]))
        assert best in compared
        for row in drawn:
            if row in compared:
                assert row["score"] <= best["score"] or row["verdict"] != "different"
            elif f"{row['score']:.2f}" > f"{best['score']:.2f}":
                assert f"{row['snippet_s']:g}" in texts[0]
                assert number == 1
                assert "cannot be compared" in texts[0]


def variant(name, score, low, high, verdict="different", p=0.001):
    row = {
        "experiment": "e",
        "encoder": "x",
        "standardise": "none",
        "variant": name,
        "snippet_s": 10.0,
        "score": score,
        "verdict": verdict,
    }
    return row | {"low_corrected": low, "high_corrected": high, "p_corrected": p}


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        (
            [variant("a", 0.6, 0.55, 0.65), variant("b", 0.8, 0.75, 0.85)],
            (
                "Of 2 variants of x at 10 s, b discriminates best: 0.80 [0.75, 0.85], p = 0.001, corrected for the "
                "choice; the intervals of all others are lower."
            ),
        ),
        (
            [variant("a", 0.78, 0.7, 0.82), variant("b", 0.8, 0.75, 0.85)],
            (
                "Of 2 variants of x at 10 s, b scores highest: 0.80 [0.75, 0.85], p = 0.001, corrected for the "
                "choice; the interval of another one overlaps, so that the choice is open."
            ),
        ),
        (
            [variant("a", 0.52, 0.45, 0.59, p=0.2), variant("b", 0.51, 0.45, 0.57, "no_evidence", p=0.4)],
            (
                "Of 2 variants of x at 10 s, none shows evidence of a difference; the highest score is that of a: 0.52 "
                "[0.45, 0.59], p = 0.2, corrected for the choice."
            ),
        ),
        (
            [variant("a", 0.9, None, None, "undecidable"), variant("b", 0.8, 0.75, 0.85)],
            (
                "Of the variants of x, a scores higher at 10 s but cannot be judged; the others are compared here. "
                "Of 2 variants of x, only b can be judged at 10 s: 0.80 [0.75, 0.85], p = 0.001, corrected for the "
                "choice."
            ),
        ),
        (
            [variant("a", 0.9, None, None), variant("b", 0.8, None, None)],
            (
                "None of the 2 variants of x can be recommended at 10 s: no variant can be judged, corrected for the "
                "choice."
            ),
        ),
    ],
)
def test_the_best_variant_is_named_with_what_supports_it(variants, expected):
    assert " ".join(text for _, text in describe_best_variant(best_variant_row(variants))) == expected


def test_a_single_variant_is_not_the_best_of_any():
    assert best_variant_row([variant("a", 0.6, 0.55, 0.65)]) is None
