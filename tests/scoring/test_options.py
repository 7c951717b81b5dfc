"""The options of `score_embeddings`, against the float64 loop over labels."""

import itertools
from collections import defaultdict
from itertools import product

import numpy as np
import pytest
import reference

from abxfast import score_embeddings
from abxfast.errors import TaskError
from abxfast.kernels import cap_per_group, splitmix64_keys


def make_data(seed=0, n=60):
    rng = np.random.default_rng(seed)
    labels = {
        "recording": [f"r{k % 7}" for k in range(n)],
        "genre": ["tale" if k % 7 < 4 else "list" for k in range(n)],
        "speaker": [f"s{k}" for k in rng.integers(0, 3, n)],
        "phone": [f"p{k}" for k in rng.integers(0, 3, n)],
        "start_s": [2.0 * (k // 7) for k in range(n)],
        "end_s": [2.0 * (k // 7) + 2 for k in range(n)],
    }
    return rng.standard_normal((n, 5)).astype(np.float32), labels


def count_by_definition(embeddings, labels, on, by=(), across=(), allowed=lambda _a, _x: True):
    """Count every cell from the definition of the task."""
    d = reference.distances(embeddings)
    columns = {name: np.array(values) for name, values in labels.items()}

    def matches(names, values):
        return [columns[name] == value for name, value in zip(names, values, strict=True)]

    counts = {}
    everything = np.ones(len(embeddings), bool)
    choices = [np.unique(columns[name]) for name in (on, on, *by, *across, *across)]
    for on_a, on_b, *others in product(*choices):
        shared, across_ab, across_x = np.split(np.array(others, object), [len(by), len(by) + len(across)])
        if on_a == on_b or any(u == v for u, v in zip(across_ab, across_x, strict=True)):
            continue
        stratum = np.logical_and.reduce([everything, *matches(by, shared)])
        of_ab = np.logical_and.reduce([stratum, *matches(across, across_ab)])
        of_x = np.logical_and.reduce([stratum, *matches(across, across_x)])
        sides = ((of_ab, on_a), (of_ab, on_b), (of_x, on_a))
        a_b_x = [np.flatnonzero(side & (columns[on] == value)) for side, value in sides]
        if all(len(snippets) for snippets in a_b_x):
            across_values = [value for pair in zip(across_ab, across_x, strict=True) for value in pair]
            counts[on_a, on_b, *shared, *across_values] = reference.counts(d, *a_b_x, allowed)[:2]
    return counts


def rows(scores):
    return {tuple(row.values())[:-3]: (row["wins2"], row["triplets"]) for row in scores.table.to_pylist()}


TASKS = [
    {"on": "recording"},
    {"on": "phone", "by": ["speaker"]},
    {"on": "phone", "by": ["genre"], "across": ["speaker"]},
    {"on": "phone", "across": ["speaker", "genre"]},
]


@pytest.mark.parametrize("task", TASKS)
def test_every_kind_of_task_matches_the_definition(task):
    embeddings, labels = make_data()
    assert rows(score_embeddings(embeddings, labels, **task)) == count_by_definition(embeddings, labels, **task)


@pytest.mark.parametrize("task", TASKS[1:])
def test_constraints_leave_out_exactly_the_pairs_that_they_name(task):
    embeddings, labels = make_data(1)

    def far_enough(a, x):
        gap = max(labels["start_s"][a], labels["start_s"][x]) - min(labels["end_s"][a], labels["end_s"][x])
        return labels["recording"][a] != labels["recording"][x] or gap >= 4

    scores = score_embeddings(embeddings, labels, **task, min_gap_s=4)
    assert rows(scores) == count_by_definition(embeddings, labels, **task, allowed=far_enough)
    scores = score_embeddings(embeddings, labels, **task, different=["recording"])
    expected = count_by_definition(
        embeddings, labels, **task, allowed=lambda a, x: labels["recording"][a] != labels["recording"][x]
    )
    assert rows(scores) == expected


def test_a_cell_without_triplets_has_no_score():
    embeddings, labels = make_data()
    table = score_embeddings(embeddings, labels, on="recording", different=["recording"]).table
    assert table["score"].null_count == table.num_rows


def test_a_gap_in_decimal_seconds():
    """In binary, 0.3 − 0.2 is less than 0.1; it still counts as a gap of 0.1 s."""
    n = 40
    start = [0.1 * k for k in range(n)] * 2
    labels = {"recording": ["a"] * n + ["b"] * n, "start_s": start, "end_s": [time + 0.1 for time in start]}
    embeddings = np.random.default_rng(0).standard_normal((2 * n, 3))
    table = score_embeddings(embeddings, labels, on="recording", min_gap_s=0.1).table
    far_enough = sum(abs(a - x) >= 2 for a in range(n) for x in range(n))
    assert table["triplets"].to_pylist() == [far_enough * n] * 2


def test_pair_marginals_equal_those_triplet_by_triplet():
    random = np.random.default_rng(3)
    embeddings = random.integers(-2, 3, (40, 2)).astype(np.float64)  # many ties
    embeddings[:, 0] += 3
    labels = {
        "word": random.integers(0, 3, 40),
        "voice": random.integers(0, 2, 40),
        "recording": np.arange(40) // 4,
        "unit": np.arange(40) // 5,
    }
    scores = score_embeddings(
        embeddings, labels, on="word", across=["voice"], different=["recording"], pair_marginals="unit"
    )
    d = reference.distances(embeddings)
    expected = defaultdict(lambda: np.zeros(2, np.int64))
    for cell, row in enumerate(scores.table.to_pylist()):
        groups = ((row["word"], row["voice"]), (row["word_b"], row["voice"]), (row["word"], row["voice_x"]))
        a_rows, b_rows, x_rows = (
            np.flatnonzero((labels["word"] == word) & (labels["voice"] == voice)) for word, voice in groups
        )
        for x, a, b in itertools.product(x_rows, a_rows, b_rows):
            if labels["recording"][x] == labels["recording"][a]:
                continue
            difference = d[b, x] - d[a, x]
            won = 1 if abs(difference) <= reference.TIE else 2 * (difference > 0)
            for pair in ((x, a), (x, b), (a, b)):
                expected[cell, *(labels["unit"][i] for i in pair)] += (won, 1)
    found = defaultdict(lambda: np.zeros(2, np.int64))
    for row in scores.pair_marginals.to_pylist():
        found[row["cell"], row["first"], row["second"]] += (row["wins2"], row["triplets"])
    assert {key: tuple(value) for key, value in found.items() if value[1]} == {
        key: tuple(value) for key, value in expected.items()
    }


def test_marginals_by_snippet_and_by_block_add_up():
    embeddings, labels = make_data()
    scores = score_embeddings(embeddings, labels, on="genre", different=["recording"], marginals=True)
    blocks = score_embeddings(embeddings, labels, on="genre", different=["recording"], marginals="recording")
    for role, group in (("x", "genre"), ("a", "genre"), ("b", "genre_b")):
        single = scores.marginals[role]
        for cell in range(scores.table.num_rows):
            in_cell = [row for row in single.to_pylist() if row["cell"] == cell]
            assert sum(row["wins2"] for row in in_cell) == scores.table["wins2"][cell].as_py()
            assert sum(row["triplets"] for row in in_cell) == scores.table["triplets"][cell].as_py()
            assert {labels["genre"][row["snippet"]] for row in in_cell} == {scores.table[group][cell].as_py()}
            by_block = {}
            for row in in_cell:
                name = labels["recording"][row["snippet"]]
                by_block[name] = by_block.get(name, 0) + row["wins2"]
            assert by_block == {
                row["recording"]: row["wins2"] for row in blocks.marginals[role].to_pylist() if row["cell"] == cell
            }


def test_subsampling():
    embeddings, labels = make_data()
    full = score_embeddings(embeddings, labels, on="phone", by=["genre"], across=["speaker"])
    few = score_embeddings(embeddings, labels, on="phone", by=["genre"], across=["speaker"], max_x_across=1)
    assert few.table.num_rows < full.table.num_rows
    kept = list(zip(*(few.table[name].to_pylist() for name in ("phone", "phone_b", "genre", "speaker")), strict=True))
    assert len(kept) == len(set(kept))
    assert rows(few).items() <= rows(full).items()
    small = score_embeddings(embeddings, labels, on="phone", max_size_group=4)
    assert small.table["triplets"].to_pylist() == [4 * 3 * 4] * 6
    again = score_embeddings(embeddings, labels, on="phone", max_size_group=4)
    other = score_embeddings(embeddings, labels, on="phone", max_size_group=4, seed=1)
    assert small.table.equals(again.table)
    assert small.table["wins2"] != other.table["wins2"]


def test_subsamples_are_the_same_everywhere():
    """SplitMix64 from 0, as published; which elements are kept must never change."""
    assert splitmix64_keys(0, np.zeros(1, np.int64)).tolist() == [0xE220A8397B1DCDAF]
    kept = cap_per_group(np.repeat([0, 1], 10), 3, splitmix64_keys(7, np.arange(20)))
    assert np.flatnonzero(kept).tolist() == [0, 2, 4, 13, 18, 19]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_gap_s": -1.0}, "`min_gap_s`: found -1.0"),
        ({"min_gap_s": float("nan")}, "`min_gap_s`: found nan"),
        ({"different": ["nothing"]}, "no label 'nothing'"),
        ({"max_size_group": 0}, "`max_size_group`: found 0"),
        ({"max_x_across": 0}, "`max_x_across`: found 0"),
        ({"max_size_group": 2.5}, "`max_size_group`: found 2.5"),
        ({"threads": 0}, "`threads`: found 0"),
        ({"memory_mb": -5}, "`memory_mb`: found -5"),
        ({"memory_mb": float("nan")}, "`memory_mb`: found nan"),
        ({"marginals": "nothing"}, "no label 'nothing'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    embeddings, labels = make_data()
    with pytest.raises(TaskError, match=message):
        score_embeddings(embeddings, labels, on="phone", **options)


def test_a_gap_needs_times():
    embeddings, labels = make_data()
    without_times = {name: labels[name] for name in ("phone", "recording")}
    with pytest.raises(TaskError, match=r"`min_gap_s` needs the labels .*; missing: start_s, end_s"):
        score_embeddings(embeddings, without_times, on="phone", min_gap_s=1)


def test_one_name_may_be_given_as_a_string():
    embeddings, labels = make_data()
    by_name = score_embeddings(embeddings, labels, on="phone", by="genre", across="speaker", different="recording")
    by_list = score_embeddings(
        embeddings, labels, on="phone", by=["genre"], across=["speaker"], different=["recording"]
    )
    assert by_name.table.equals(by_list.table)


def correlated_data():
    rng = np.random.default_rng(3)
    labels = {"recording": np.repeat(["a", "b", "c"], 900), "low": np.tile(["u", "v"], 1350)}
    return rng.standard_normal((2700, 6)) + 0.2 * rng.standard_normal((3, 6)).repeat(900, axis=0), labels


def test_estimates_have_an_error_in_place_of_counts():
    embeddings, labels = correlated_data()
    exact = score_embeddings(embeddings, labels, on="recording").table
    table = score_embeddings(embeddings, labels, on="recording", estimate=0.01).table
    columns = ["recording", "recording_b", "score", "standard_error", "low", "high", "triplets"]
    assert table.column_names == columns
    for row, cell in zip(table.to_pylist(), exact.to_pylist(), strict=True):
        assert [row["recording"], row["recording_b"]] == [cell["recording"], cell["recording_b"]]
        assert abs(row["score"] - cell["score"]) < 4 * row["standard_error"] <= 0.04
        assert 0 < row["triplets"] < cell["triplets"] / 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimate": 0.0}, "expected a standard error from 0.0005 to 0.1"),
        ({"estimate": float("nan")}, "expected a standard error"),
        ({"estimate": 0.01, "marginals": True}, "leave out `estimate`"),
        ({"estimate": 0.01, "by": ["low"]}, "rename the label 'low'"),
    ],
)
def test_estimates_that_cannot_be_made(options, message):
    embeddings, labels = correlated_data()
    with pytest.raises(TaskError, match=message):
        score_embeddings(embeddings, labels, on="recording", **options)
