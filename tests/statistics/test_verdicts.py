"""Verdicts: what a test and an interval allow to be said."""

from dataclasses import replace

import numpy as np
import pytest

from abxfast.statistics import Intervals, PermutationTestResult, decide, required_units

NONE = np.array([np.nan])


def intervals(score=0.6, low=0.5, high=0.7, narrow=(0.51, 0.69)):
    ends = [np.array([value]) for value in (score, low, high, *narrow)]
    return Intervals(*ends, np.array([20.0]), np.array([24]), [""])


def result_of(p=0.5, p_holm=None, kind="recording", **changed):
    numbers = {"score": 0.6, "p": p, "p_holm": p if p_holm is None else p_holm, "p_bh": p}
    numbers |= {
        "distinct": 1e6,
        "smallest_p": 1e-4,
        "drift_p": np.nan,
        "drifts": False,
        "required_snippets": 0,
    } | changed
    arrays = {name: np.array([value]) for name, value in numbers.items()}
    return PermutationTestResult(**arrays, kind=kind, note=[""])


def verdict(tests, scores=None, **options):
    return decide(tests, scores or intervals(), **options)[0]


def test_the_corrected_test_decides():
    assert verdict(result_of(p=0.01)) == ("different", "")
    assert verdict(result_of(p=0.01, p_holm=0.06)) == ("no_evidence", "")
    # A narrow interval above chance does not.
    assert verdict(result_of(p=0.2), intervals(0.6, 0.55, 0.65)).verdict == "no_evidence"


def test_a_difference_must_exceed_the_drift():
    found = verdict(result_of(p=0.001, drift_p=0.2, kind="block"))
    assert found.verdict == "undecidable"
    assert found.reason == (
        "the difference is not large enough to rule out that the recordings drift: several recordings of each would be "
        "needed"
    )
    assert verdict(result_of(p=0.001, drift_p=0.04, kind="block")).verdict == "different"


def test_equivalence_needs_the_90_percent_interval_within_the_margin():
    near = intervals(0.51, 0.455, 0.56, narrow=(0.47, 0.545))
    assert verdict(result_of(), near).verdict == "equivalent"
    assert verdict(result_of(), near, margin=0.04).verdict == "no_evidence"
    assert verdict(result_of(), intervals(0.51, np.nan, np.nan, narrow=(np.nan, np.nan))).verdict == "no_evidence"
    assert verdict(result_of(p=0.001), near).verdict == "different"


def test_too_few_recordings_say_how_many_would_do():
    found = verdict(result_of(p=0.1, distinct=10, smallest_p=0.1))
    assert found.verdict == "undecidable"
    assert found.reason == "10 relabellings of the recordings allow no p below 0.1: 4 recordings of each would do"


def test_holm_can_put_every_p_out_of_reach():
    """Ten labels of five recordings each: 45 pairs, and no p below 1/126."""
    one, scores = result_of(p=1 / 126, p_holm=45 / 126, distinct=126, smallest_p=1 / 126), intervals()
    arrays = {name: np.repeat(value, 45) for name, value in vars(one).items() if isinstance(value, np.ndarray)}
    many = replace(one, **arrays, note=[""] * 45)
    ends = {name: np.repeat(value, 45) for name, value in vars(scores).items() if isinstance(value, np.ndarray)}
    verdicts = decide(many, replace(scores, **ends, note=[""] * 45))
    assert {each.verdict for each in verdicts} == {"undecidable"}
    assert "0.36 after Holm's correction for 45 tests: 7 recordings of each would do" in verdicts[0].reason


def test_too_few_permutations_say_how_many_would_do():
    found = verdict(result_of(p=0.1, smallest_p=0.1))
    assert found == ("undecidable", "the permutations allow no p below 0.1: at least 20 would do")


def test_recordings_too_short_for_their_correlation():
    found = verdict(result_of(kind="block", required_snippets=150, drift_p=0.5))
    assert found.verdict == "undecidable"
    assert found.reason.endswith("roughly 150 snippets of each, or more, would do")
    timed = verdict(result_of(kind="block", required_snippets=150, drift_p=0.5), hop_s=10.0)
    assert timed.reason.endswith("roughly 150 snippets of each (25 minutes), or more, would do")
    # A difference that is found all the same exceeds the drift.
    assert verdict(result_of(p=0.001, kind="block", required_snippets=150, drift_p=0.01)).verdict == "different"


def test_recordings_that_change_over_time():
    found = verdict(result_of(kind="block", drifts=True, drift_p=0.3))
    assert found == ("undecidable", "the recordings change over time: several recordings of each would be needed")
    assert verdict(result_of(p=0.001, kind="block", drifts=True, drift_p=0.01)).verdict == "different"


@pytest.mark.parametrize("p", [0.001, 0.5])
def test_recordings_of_hardly_any_snippets(p):
    found = verdict(result_of(p=p, kind="block", drift_p=np.nan, distinct=10, smallest_p=0.1))
    assert found == ("undecidable", "a recording has fewer than 10 snippets: 10 of each would be needed")
    timed = verdict(result_of(p=p, kind="block", drift_p=np.nan, distinct=10, smallest_p=0.1), hop_s=5.0)
    assert timed.reason.endswith("10 of each (50 s) would be needed")


def test_what_was_not_tested_cannot_be_judged():
    assert verdict(None) == ("undecidable", "not tested: permutations = 0")
    assert verdict(None, intervals(np.nan)) == ("undecidable", "no triplet")
    note = replace(result_of(p=np.nan), note=["tested on one snippet in 2; not tested: no runs can be exchanged"])
    assert verdict(note) == ("undecidable", "not tested: no runs can be exchanged")


@pytest.mark.parametrize(("n_tests", "expected"), [(1, 4), (3, 5), (45, 7), (190, 8)])
def test_required_units(n_tests, expected):
    """2 · tests / C(2k, k): 3 + 3 recordings have ten relabellings, 4 + 4 have 35."""
    assert required_units(n_tests) == expected
