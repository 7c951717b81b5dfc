"""Scores of arrays against the definition and against scikit-learn."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

import abxfast
from abxfast.errors import TaskError

NAMES = ("phone", "speaker", "context")


@st.composite
def labelled_vectors(draw):
    """Draw few vectors over few values, so that duplicates, scaled duplicates, zeros and ties abound, and a task."""
    n = draw(st.integers(2, 12))
    dim = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    vectors = draw(hnp.arrays(dtype, (n, dim), elements=st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])))
    labels = {name: draw(st.lists(st.sampled_from("ab"), min_size=n, max_size=n)) for name in NAMES}
    order = draw(st.permutations(NAMES))
    by = draw(st.integers(0, 2))
    across = draw(st.integers(0, 2 - by))
    return vectors, labels, order[0], tuple(order[1 : 1 + by]), tuple(order[1 + by : 1 + by + across])


def cells_of(scores):
    rows = scores.table.to_pylist()
    return {tuple(row.values())[:-3]: (row["wins2"], row["triplets"]) for row in rows if row["triplets"]}


@settings(max_examples=150, deadline=None)
@given(labelled_vectors())
def test_counts_match_the_definition(case):
    vectors, labels, on, by, across = case
    expected = reference.score(vectors, labels, on, by, across)
    try:
        scores = abxfast.score_embeddings(vectors, labels, on=on, by=by, across=across)
    except TaskError:
        assert not expected
        return
    assert cells_of(scores) == expected
    for row in scores.table.to_pylist():
        assert row["score"] == (row["wins2"] / 2 / row["triplets"] if row["triplets"] else None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_score_is_the_mean_of_per_x_auc(dtype):
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((60, 8)) + 1).astype(dtype)
    vectors[30:] += 0.3
    labels = np.repeat(["a", "b"], 30)
    (row, _) = abxfast.score_embeddings(vectors, {"kind": labels}, on="kind").table.to_pylist()
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosine = unit @ unit.T
    others = [np.delete(np.arange(60), x) for x in range(30)]
    aucs = [roc_auc_score(labels[keep] == "a", cosine[x, keep]) for x, keep in enumerate(others)]
    assert row["score"] == pytest.approx(np.mean(aucs), abs=1e-12)


@given(st.permutations(range(24)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_rows_and_the_memory_do_not_matter(order):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((24, 5)).astype(np.float32)
    labels = {"kind": list("aabbbcccccaabbbcccccaabb"), "day": list("1112223331") + list("12121212121212")}
    plain = abxfast.score_embeddings(vectors, labels, on="kind", across=["day"])
    mixed = {name: [values[i] for i in order] for name, values in labels.items()}
    again = abxfast.score_embeddings(vectors[list(order)], mixed, on="kind", across=["day"], memory_mb=0.001)
    assert again.table.equals(plain.table)


def test_a_zero_vector_is_at_distance_1_from_everything():
    vectors = np.array([[0, 0], [1, 0], [0, 1], [-1, 0]], np.float32)
    # From x = (1, 0): the zero vector is at 1, (0, 1) at 1, (-1, 0) at 2.
    labels = {"kind": ["a", "a", "b", "c"]}
    rows = abxfast.score_embeddings(vectors, labels, on="kind").table.to_pylist()
    wins2 = {(row["kind"], row["kind_b"]): row["wins2"] for row in rows if row["triplets"]}
    # x = zero ties with all (1 each); x = (1, 0): a is zero, at 1: ties with b at 1, wins against c at 2.
    assert wins2 == {("a", "b"): 1 + 1, ("a", "c"): 1 + 2}


def test_scores_are_not_symmetric():
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.2], [1, 2], [1, 30], [-1, 0]], np.float64)
    labels = {"kind": list("aaabbb")}
    (ab, ba) = abxfast.score_embeddings(vectors, labels, on="kind").table["score"].to_pylist()
    assert ab == 1.0
    assert ba < ab


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        ([[1.0]], TypeError, "list"),
        (np.ones((3, 2), np.float16), TypeError, "float16"),
        (np.ones((3, 2), np.int64), TypeError, "int64"),
        (np.ma.masked_less(np.ones((3, 2)), 2), TypeError, "MaskedArray"),
        (np.ones(3, np.float32), TaskError, r"shape \(3,\)"),
        (np.ones((3, 0), np.float32), TaskError, r"shape \(3, 0\)"),
        (np.ones((4, 2), np.float32), TaskError, "found 3 rows, expected 4"),
        (np.array([[1, 2], [1, np.nan], [1, 2]], np.float32), TaskError, "row 1"),
        (np.array([[1, 2], [1, 1], [np.inf, 2]], np.float64), TaskError, "row 2"),
    ],
)
def test_vectors_that_cannot_be_scored_are_refused(vectors, error, message):
    with pytest.raises(error, match=message):
        abxfast.score_embeddings(vectors, {"kind": ["a", "a", "b"]}, on="kind")
