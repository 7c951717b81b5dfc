"""Snippet plans: what is accepted, and what is refused with the parameter named."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abxfast.audio import SnippetPlan, check_whole, make_plans, parse_length
from abxfast.errors import TaskError

WHOLE = SnippetPlan(None, None)


def test_a_whole_item_that_is_too_long_is_refused_before_decoding():
    assert check_whole(0.01) is None
    assert check_whole(60.05) is None
    assert "60.1 s long" in check_whole(60.1)
    assert "7000.0 s long, `snippets='whole'` accepts at most 60 s" in check_whole(7_000)


def test_plans_come_in_the_order_given_without_repeats():
    assert make_plans(["10", 1, "whole", 10.0, "1e0"], None, "drop") == (
        SnippetPlan(10.0, 10.0),
        SnippetPlan(1.0, 1.0),
        WHOLE,
    )
    assert make_plans([5], 2.5, "keep") == (SnippetPlan(5.0, 2.5, "keep"),)
    assert make_plans(["whole"], 2.5, "keep") == (WHOLE,)
    assert make_plans("whole", None, "drop") == (WHOLE,)


def test_plans_in_words():
    plans = make_plans([10, 0.5], 0.5, "keep") + make_plans(["whole", 2], None, "drop")
    assert [str(plan) for plan in plans] == [
        "10 s every 0.5 s, remainder kept",
        "0.5 s, remainder kept",
        "whole",
        "2 s",
    ]


@given(st.floats(min_value=1e-3, max_value=1e6))
def test_a_length_is_parsed(seconds):
    assert parse_length(seconds) == seconds
    assert parse_length(repr(seconds)) == seconds


@pytest.mark.parametrize("length", ["", "ten", "-1", 0, 0.0, "nan", "inf", math.nan, -math.inf, "1,5", "WHOLE"])
def test_what_is_no_length_is_refused(length):
    with pytest.raises(TaskError, match=r"^`snippets`: found .*, expected seconds above 0, or 'whole'$"):
        make_plans([length], None, "drop")


@pytest.mark.parametrize(
    ("lengths", "hop_s", "remainder", "words"),
    [
        ([10], 0, "drop", "`hop_s`: found 0, expected seconds, at least 0.001"),
        ([10], -1.0, "drop", "`hop_s`: found"),
        ([10], math.nan, "drop", "`hop_s`: found"),
        ([10], math.inf, "drop", "`hop_s`: found"),
        ([10], 1e-9, "drop", "`hop_s`: found"),  # a hop of no sample would repeat the first snippet for ever
        ([10], None, "pad", "`remainder`: found 'pad', expected 'drop' or 'keep'"),
        ([], None, "drop", "`snippets`: none given, expected seconds above 0, or 'whole'"),
    ],
)
def test_arguments_that_make_no_plan_are_refused(lengths, hop_s, remainder, words):
    with pytest.raises(TaskError) as caught:
        make_plans(lengths, hop_s, remainder)
    assert words in str(caught.value)
