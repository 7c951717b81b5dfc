"""The options of `score_embeddings`, against the float64 loop over labels."""

import logging
from itertools import product

import numpy as np
import pytest
import reference

from abxfast import score_embeddings
from abxfast.errors import TaskError
from abxfast.kernels import cap_per_group, splitmix64_keys


def study(seed=0, n=60):
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


def loop(embeddings, labels, on, by=(), across=(), allowed=lambda _a, _x: True):
    """Count every cell, from the definition of the task."""
    d = reference.distances(embeddings)
    at = {name: np.array(values) for name, values in labels.items()}
    found = {}
    names = [np.unique(at[name]) for name in (on, on, *by, *across, *across)]
    for on_a, on_b, *others in product(*names):
        same, there, where = np.split(np.array(others, object), [len(by), len(by) + len(across)])
        if on_a == on_b or any(u == v for u, v in zip(there, where, strict=True)):
            continue
        stratum = np.logical_and.reduce([at[n] == v for n, v in zip(by, same, strict=True)] or [at[on] == at[on]])
        a_side = np.logical_and.reduce([stratum, *(at[n] == v for n, v in zip(across, there, strict=True))])
        x_side = np.logical_and.reduce([stratum, *(at[n] == v for n, v in zip(across, where, strict=True))])
        sets = [
            np.flatnonzero(side & (at[on] == value)) for side, value in ((a_side, on_a), (a_side, on_b), (x_side, on_a))
        ]
        if all(len(each) for each in sets):
            pairs = [v for both in zip(there, where, strict=True) for v in both]
            found[on_a, on_b, *same, *pairs] = reference.counts(d, *sets, allowed)[:2]
    return found


def rows(scores):
    return {tuple(row.values())[:-3]: (row["wins2"], row["triplets"]) for row in scores.table.to_pylist()}


TASKS = [
    {"on": "recording"},
    {"on": "phone", "by": ["speaker"]},
    {"on": "phone", "by": ["genre"], "across": ["speaker"]},
    {"on": "phone", "across": ["speaker", "genre"]},
]


@pytest.mark.parametrize("task", TASKS)
def test_tasks(task):
    embeddings, labels = study()
    assert rows(score_embeddings(embeddings, labels, **task)) == loop(embeddings, labels, **task)


@pytest.mark.parametrize("task", TASKS[1:])
def test_constraints(task):
    embeddings, labels = study(1)

    def far(a, x):
        gap = max(labels["start_s"][a], labels["start_s"][x]) - min(labels["end_s"][a], labels["end_s"][x])
        return labels["recording"][a] != labels["recording"][x] or gap >= 4

    found = score_embeddings(embeddings, labels, **task, min_gap_s=4)
    assert rows(found) == loop(embeddings, labels, **task, allowed=far)
    found = score_embeddings(embeddings, labels, **task, different=["recording"])
    other = loop(embeddings, labels, **task, allowed=lambda a, x: labels["recording"][a] != labels["recording"][x])
    assert rows(found) == other


def test_a_cell_without_triplets_has_no_score():
    embeddings, labels = study()
    found = score_embeddings(embeddings, labels, on="recording", different=["recording"])
    assert found.table["score"].null_count == found.table.num_rows


def test_warns_where_the_recording_helps(caplog):
    embeddings, labels = study()
    with caplog.at_level(logging.WARNING):
        for fair in (
            {"on": "recording"},
            {"on": "genre", "different": ["recording"]},
            {"on": "phone", "by": ["speaker", "recording"]},
            {"on": "phone"},
        ):
            score_embeddings(embeddings, labels, **fair)
    assert "different=" not in caplog.text
    with caplog.at_level(logging.WARNING):
        score_embeddings(embeddings, labels, on="genre")
    assert "`different='recording'`" in caplog.text


def test_warns_where_the_recording_helps_across(caplog):
    """Recordings that span both halves are in A and in X, and never in B."""
    labels = {"genre": ["song"] * 4 + ["tale"] * 4, "half": [0, 1] * 4, "recording": [0, 0, 1, 1, 2, 2, 3, 3]}
    embeddings = np.random.default_rng(0).standard_normal((8, 3))
    with caplog.at_level(logging.WARNING):
        score_embeddings(embeddings, {**labels, "recording": [*range(8)]}, on="genre", across=["half"])
        assert not caplog.text
        score_embeddings(embeddings, labels, on="genre", across=["half"])
    assert "`different='recording'`" in caplog.text


def test_a_gap_in_decimal_seconds():
    """0.3 − 0.2 is less than 0.1 in binary; a gap of 0.1 s that was asked for is there."""
    n = 40
    start = [0.1 * k for k in range(n)] * 2
    labels = {"recording": ["a"] * n + ["b"] * n, "start_s": start, "end_s": [time + 0.1 for time in start]}
    embeddings = np.random.default_rng(0).standard_normal((2 * n, 3))
    table = score_embeddings(embeddings, labels, on="recording", min_gap_s=0.1).table
    far_enough = sum(abs(a - x) >= 2 for a in range(n) for x in range(n))
    assert table["triplets"].to_pylist() == [far_enough * n] * 2


def test_shares_by_snippet_and_by_block():
    embeddings, labels = study()
    scores = score_embeddings(embeddings, labels, on="genre", different=["recording"], marginals=True)
    blocks = score_embeddings(embeddings, labels, on="genre", different=["recording"], marginals="recording")
    for role, group in (("x", "genre"), ("a", "genre"), ("b", "genre_b")):
        single = scores.marginals[role]
        for cell in range(scores.table.num_rows):
            own = [row for row in single.to_pylist() if row["cell"] == cell]
            assert sum(row["wins2"] for row in own) == scores.table["wins2"][cell].as_py()
            assert sum(row["triplets"] for row in own) == scores.table["triplets"][cell].as_py()
            assert {labels["genre"][row["snippet"]] for row in own} == {scores.table[group][cell].as_py()}
            joined = {}
            for row in own:
                name = labels["recording"][row["snippet"]]
                joined[name] = joined.get(name, 0) + row["wins2"]
            assert joined == {
                row["recording"]: row["wins2"] for row in blocks.marginals[role].to_pylist() if row["cell"] == cell
            }


def test_subsampling():
    embeddings, labels = study()
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


def test_keys_are_the_same_everywhere():
    """SplitMix64 from 0, after the published generator; the choice is pinned for good."""
    assert splitmix64_keys(0, np.zeros(1, np.int64)).tolist() == [0xE220A8397B1DCDAF]
    kept = cap_per_group(np.repeat([0, 1], 10), 3, splitmix64_keys(7, np.arange(20)))
    assert np.flatnonzero(kept).tolist() == [0, 2, 4, 13, 18, 19]


@pytest.mark.parametrize(
    "options",
    [
        {"min_gap_s": -1.0},
        {"min_gap_s": float("nan")},
        {"different": ["nothing"]},
        {"max_size_group": 0},
        {"max_x_across": 0},
        {"max_size_group": 2.5},
        {"threads": 0},
        {"memory_mb": -5},
        {"memory_mb": float("nan")},
        {"marginals": "nothing"},
    ],
)
def test_refuses(options):
    embeddings, labels = study()
    with pytest.raises(TaskError):
        score_embeddings(embeddings, labels, on="phone", **options)


def test_refuses_gaps_without_times():
    embeddings, labels = study()
    with pytest.raises(TaskError, match="start_s"):
        score_embeddings(
            embeddings, {"phone": labels["phone"], "recording": labels["recording"]}, on="phone", min_gap_s=1
        )
