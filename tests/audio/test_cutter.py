"""Cutting a stream against slicing an array: the same snippets, whatever the blocks."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abxfast.audio import Cutter, SnippetPlan, Stretch

RATE_HZ = 100
SLACK = 5  # 50 ms
MAX_WHOLE = 6_005  # 60 s and the slack

WHOLE = SnippetPlan(None, None)


def plan(length_s=10.0, hop_s=10.0, remainder="drop"):
    return SnippetPlan(length_s, hop_s, remainder)


def cut(stretches, blocks, min_samples=1, rate_hz=RATE_HZ):
    """Return the snippets of each stretch, in order, and the results of a cutter that is fed these blocks."""
    cutter = Cutter(stretches, rate_hz, min_samples)
    snippets = [[] for _ in stretches]
    for block in [*blocks, None]:
        for snippet in cutter.finish() if block is None else cutter.feed(block):
            previous = snippets[snippet.stretch]
            assert snippet.index == len(previous)
            assert snippet.samples.dtype == np.float32
            assert len(snippet.samples) == snippet.stop - snippet.start
            previous.append((snippet.start, snippet.samples.tolist()))
    return snippets, cutter.results()


def slices(recording, stretch, min_samples):
    """Return the snippets of a stretch from the whole array, or ``None`` if it cannot be used."""
    start, stop, stretch_plan = stretch
    end = len(recording) if stop is None else min(stop, len(recording))
    if stop is not None and stop > len(recording) + SLACK:
        return None
    if stretch_plan.length_s is None:
        windows = [(start, end)] if end - start <= MAX_WHOLE else []
    else:
        length = round(stretch_plan.length_s * RATE_HZ)
        starts = [start + round(k * stretch_plan.hop_s * RATE_HZ) for k in range(len(recording) + 1)]
        windows = [(s, s + length) for s in starts if s + length <= end]
        next_start = starts[len(windows)]
        is_new = next_start < end and (not windows or windows[-1][1] < end)
        windows += [(next_start, end)] if is_new and stretch_plan.remainder == "keep" and length >= min_samples else []
        windows = windows if length >= min_samples else []
    return [(s, recording[s:t].tolist()) for s, t in windows if t - s >= min_samples] or None


plans = st.one_of(
    st.just(WHOLE),
    st.builds(
        SnippetPlan,
        st.sampled_from((0.05, 0.1, 0.5, 1.0, 1.237, 3.0)),
        st.sampled_from((0.03, 0.1, 0.333, 0.5, 1.0, 1.237, 2.0)),
        st.sampled_from(("drop", "keep")),
    ),
)


@st.composite
def stretches_of(draw, n):
    start = draw(st.integers(0, n + 10))
    stop = draw(st.one_of(st.none(), st.integers(start, n + 2 * SLACK + 4), st.integers(max(start, n - 3), n + start)))
    return Stretch(start, stop, draw(plans))


@settings(max_examples=250, deadline=None)
@given(
    data=st.data(),
    n=st.one_of(st.integers(0, 700), st.sampled_from((50, 150, 300))),
    min_samples=st.sampled_from((1, 5, 10, 40)),
)
def test_snippets_are_slices_of_the_whole_recording(data, n, min_samples):
    stretches = data.draw(st.lists(stretches_of(n), min_size=1, max_size=6))
    recording = np.arange(n, dtype=np.float32)
    borders = data.draw(st.one_of(st.just(range(n)), st.lists(st.integers(0, n), max_size=12).map(sorted)))
    snippets, results = cut(stretches, np.split(recording, list(borders)), min_samples)
    for stretch, actual, result in zip(stretches, snippets, results, strict=True):
        expected = slices(recording, stretch, min_samples)
        assert result.snippets == len(actual)
        if expected is None:
            assert result.problem
            assert "\n" not in result.problem
        else:
            assert result.problem is None
            assert actual == expected


@pytest.mark.parametrize("n", [5_999, 6_000, 6_001, 6_005, 6_006, 20_000])
@pytest.mark.parametrize("stop", [None, 6_000, 6_005, 6_006, 20_000])
@pytest.mark.parametrize("block", [1_000, 7_000])
def test_a_whole_item_lasts_at_most_a_minute(n, stop, block):
    recording = np.arange(n, dtype=np.float32)
    snippets, results = cut([Stretch(0, stop, WHOLE)], np.split(recording, range(block, n, block)))
    expected = slices(recording, (0, stop, WHOLE), 1)
    assert snippets == [expected or []]
    if expected:
        assert results == [(1, None)]
    elif stop is not None and stop > n + SLACK and n <= MAX_WHOLE:
        assert "the recording ends at" in results[0].problem
    else:
        assert "over 60 s long" in results[0].problem


@settings(max_examples=100, deadline=None)
@given(data=st.data(), block=st.integers(1, 300))
def test_no_more_is_held_than_the_longest_window(data, block):
    n = 2_000
    stretches = data.draw(st.lists(stretches_of(n), min_size=1, max_size=6))
    lengths = [
        (n + block if s.stop is None else s.stop - s.start)
        if s.plan.length_s is None
        else round(s.plan.length_s * RATE_HZ)
        for s in stretches
    ]
    cutter = Cutter(stretches, RATE_HZ, 1)
    for _ in range(0, n, block):
        for _snippet in cutter.feed(np.zeros(block, np.float32)):
            pass
        assert len(cutter._buffer) <= max(lengths)
        assert cutter._buffer.base is None, "a view would keep all of its block"


@pytest.mark.parametrize("stop", [None, 200])
@pytest.mark.parametrize("block", [30, 1_000])
def test_a_remainder_without_new_samples_is_left_out(stop, block):
    recording = np.arange(200, dtype=np.float32)
    (snippets,), _ = cut([Stretch(0, stop, plan(1.0, 0.5, "keep"))], np.split(recording, range(block, 200, block)))
    assert [start for start, _ in snippets] == [0, 50, 100]


def test_a_whole_item_that_is_too_long_is_not_held():
    cutter = Cutter([Stretch(0, None, WHOLE), Stretch(0, 90_000, WHOLE)], RATE_HZ, 1)
    held = []
    for _ in range(20):
        assert not list(cutter.feed(np.zeros(1_000, np.float32)))
        held.append(len(cutter._buffer))
    assert max(held) <= MAX_WHOLE + 1_000
    assert held[-1] == 0


@pytest.mark.parametrize("hop_s", [1 / 3, 0.3333337, 10.01, 0.7000001])
def test_starts_do_not_drift_over_hours(hop_s):
    rate_hz, start, hours = 16_000, 12_345, 3
    cutter = Cutter([Stretch(start, None, SnippetPlan(0.05, hop_s))], rate_hz, 400)
    block, starts = np.zeros(60 * rate_hz, np.float32), []
    for _ in range(hours * 60):
        starts += [snippet.start for snippet in cutter.feed(block)]
    assert len(starts) == math.floor((hours * 3600 - 0.05 - start / rate_hz) / hop_s) + 1
    exact = [start + k * Fraction(hop_s) * rate_hz for k in range(len(starts))]
    assert starts == [round(sample) for sample in exact]


def test_snippets_are_copies_that_keep_no_block_alive():
    cutter = Cutter([Stretch(0, None, plan(0.1, 0.1))], RATE_HZ, 1)
    assert all(snippet.samples.base is None for snippet in cutter.feed(np.zeros(1_000, np.float32)))


# Why a stretch cannot be used


@pytest.mark.parametrize(
    ("stretch", "n", "words"),
    [
        (
            Stretch(0, None, plan()),
            999,
            "for a snippet of 10 s; choose a shorter length in `snippets`, or pass `remainder='keep'`",
        ),
        (Stretch(0, None, plan(remainder="keep")), 9, "0.090 s long, the encoder needs at least 0.1 s"),
        (Stretch(0, None, plan()), 999, "9.990 s long, too short for a snippet of 10 s; "),
        (Stretch(0, None, plan()), 0, "0.000 s long, the encoder needs at least 0.1 s"),
        (Stretch(200, 205, WHOLE), 999, "0.050 s long, the encoder needs at least 0.1 s"),
        (Stretch(0, 1_006, WHOLE), 1_000, "ends at 10.06 s, but the recording ends at 10.000 s"),
        (Stretch(0, 1_006, plan()), 1_000, "ends at 10.06 s, but the recording ends at 10.000 s"),
        # The first snippet has been cut, and the next would start after the end of the stretch.
        (Stretch(0, 2_000, plan(5.0, 30.0)), 1_000, "ends at 20 s, but the recording ends at 10.000 s"),
        (Stretch(1_500, None, plan()), 1_000, "starts at 15 s, but the recording ends at 10.000 s"),
        (Stretch(0, None, WHOLE), 7_000, "over 60 s long, `snippets='whole'` accepts at most 60 s; split it"),
        (Stretch(0, 7_000, WHOLE), 7_000, "over 60 s long"),
        (
            Stretch(0, None, plan(0.05, 0.05)),
            1_000,
            "a snippet of 0.05 s is too short, the encoder needs at least 0.1 s",
        ),
        (
            Stretch(0, None, plan(0.05, 0.05, "keep")),
            3,
            "a snippet of 0.05 s is too short, the encoder needs at least 0.1 s",
        ),
    ],
)
@pytest.mark.parametrize("block", [7, 10_000])
def test_a_stretch_that_cannot_be_used_says_why(stretch, n, words, block):
    blocks = np.split(np.zeros(n, np.float32), range(block, n, block))
    _, (result,) = cut([stretch], blocks, min_samples=10)
    assert words in result.problem


@pytest.mark.parametrize("missing", range(SLACK + 1))
def test_an_end_within_the_slack_is_the_end(missing):
    n = 1_000 - missing
    snippets, results = cut([Stretch(900, 1_000, WHOLE), Stretch(0, 1_000, plan(1.0, 1.0))], [np.zeros(n, np.float32)])
    assert [result.problem for result in results] == [None, None]
    assert [len(samples) for _, samples in snippets[0]] == [100 - missing]
    assert len(snippets[1]) == (10 if missing == 0 else 9)
