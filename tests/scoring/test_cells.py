"""Cells against the definition, triplet by triplet."""

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abxfast.errors import TaskError
from abxfast.scoring import Task, make_cells

COLUMNS = ("phone", "speaker", "context", "day")


@st.composite
def labelled(draw):
    """Draw columns of a few snippets, and a task on them."""
    n = draw(st.integers(2, 14))
    labels = {name: draw(st.lists(st.sampled_from("pqr"), min_size=n, max_size=n)) for name in COLUMNS}
    order = draw(st.permutations(COLUMNS))
    by = draw(st.integers(0, 2))
    across = draw(st.integers(0, 3 - by))
    return labels, Task(order[0], tuple(order[1 : 1 + by]), tuple(order[1 + by : 1 + by + across]))


def triplets_by_definition(labels, task):
    """Count the triplets of each cell by Schatz's definition alone."""
    cells = Counter()
    n = len(labels[task.on])
    for a, b, x in itertools.product(range(n), repeat=3):
        same_on = labels[task.on][a] == labels[task.on][x] != labels[task.on][b]
        same_by = all(labels[name][a] == labels[name][b] == labels[name][x] for name in task.by)
        crossed = all(labels[name][a] == labels[name][b] != labels[name][x] for name in task.across)
        if a != x and same_on and same_by and crossed:
            across = [value for name in task.across for value in (labels[name][a], labels[name][x])]
            by = [labels[name][a] for name in task.by]
            cells[labels[task.on][a], labels[task.on][b], *by, *across] += 1
    return cells


@given(labelled())
def test_cells_hold_the_triplets_of_the_definition_and_no_others(case):
    labels, task = case
    expected = triplets_by_definition(labels, task)
    try:
        cells = make_cells(task, labels)
    except TaskError:
        assert not expected
        return
    rows = [tuple(row.values()) for row in cells.table.to_pylist()]
    assert len(set(rows)) == len(rows)
    assert rows == sorted(rows)
    sizes = np.diff(cells.bounds)
    triplets = [int((sizes[a] - (a == x)) * sizes[b] * sizes[x]) for a, b, x in cells.groups]
    assert {row: n for row, n in zip(rows, triplets, strict=True) if n} == dict(expected)
    assert tuple(cells.table.column_names) == task.columns[:-3]


@given(labelled())
def test_groups_hold_every_snippet_once(case):
    labels, task = case
    try:
        cells = make_cells(task, labels)
    except TaskError:
        return
    n = len(labels[task.on])
    assert sorted(cells.rows.tolist()) == list(range(n))
    assert cells.bounds[0] == 0
    assert cells.bounds[-1] == n
    for start, stop in itertools.pairwise(cells.bounds):
        members = cells.rows[start:stop]
        for name in task.labels:
            assert len({labels[name][row] for row in members}) == 1


@pytest.mark.parametrize(
    "kind",
    [list, np.array, pa.array, lambda values: pa.chunked_array([values[:2], values[2:]])],
    ids=["list", "array", "arrow", "chunked"],
)
def test_labels_come_in_any_form(kind):
    values = ["b", "a", "b", "a", "ŋ"]
    table = make_cells(Task("phone"), {"phone": kind(values)}).table
    assert table["phone"].to_pylist() == ["a", "a", "b", "b", "ŋ", "ŋ"]
    numbers = make_cells(Task("day"), {"day": kind([10, 9, 10, 9, 1])}).table
    assert numbers["day"].to_pylist() == [1, 1, 9, 9, 10, 10]


@pytest.mark.parametrize(
    ("labels", "task", "message"),
    [
        ({"day": [1, 2]}, Task("phone"), "no label 'phone'; there are: day"),
        ({"phone": ["a", "a"]}, Task("phone"), "a single value (a)"),
        ({"phone": []}, Task("phone"), "no value"),
        ({"phone": ["a", None, "b"]}, Task("phone"), "no value in row 1"),
        ({"phone": [1.0, float("nan"), 2.0]}, Task("phone"), "no value in row 1"),
        ({"phone": ["a", "b"], "day": [1]}, Task("phone", ("day",)), "different lengths: phone 2, day 1"),
        ({"phone": ["a", "b"], "day": [1, 2]}, Task("phone", ("day",)), "with the same day"),
        ({"phone": ["a", "b"], "day": [1, 1]}, Task("phone", (), ("day",)), "there is no X"),
        ({"phone": ["a", 1]}, Task("phone"), "mixes types"),
    ],
)
def test_labels_that_form_no_cell_are_refused(labels, task, message):
    with pytest.raises(TaskError) as error:
        make_cells(task, labels)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
