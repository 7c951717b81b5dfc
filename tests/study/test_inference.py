"""Intervals and tests of an experiment."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from abxfast.errors import TaskError
from abxfast.scoring import Task
from abxfast.study import unit_pairs
from abxfast.study.inference import infer, score


def two_recordings(n):
    """Return vectors without a difference, their labels, and an experiment ON recording."""
    vectors = np.random.default_rng(1).standard_normal((2 * n, 6)).astype(np.float32)
    start_s = np.tile(np.arange(n) * 1.0, 2)
    labels = {"recording": np.repeat(["one", "two"], n).tolist(), "start_s": start_s, "end_s": start_s + 1}
    task = Task("recording")
    return (
        vectors,
        labels,
        SimpleNamespace(task=task, min_gap_s=0.0, different=(), max_size_group=None, max_x_across=None),
    )


def test_a_vector_that_is_not_finite_is_named():
    vectors, labels, experiment = two_recordings(20)
    vectors[27, 3] = np.nan
    with pytest.raises(TaskError, match="two: the vector of the snippet at 7 s holds NaN or infinity"):
        score(vectors, labels, experiment, seed=0, memory_mb=512, threads=1)


@pytest.mark.parametrize("limit", ["_MAX_PAIRS", "_MAX_VALUES"])
def test_pairs_of_units_narrow_the_interval_unless_there_are_too_many(monkeypatch, limit):
    vectors, labels, experiment = two_recordings(40)

    def width():
        scored = score(vectors, labels, experiment, seed=0, memory_mb=512, threads=1)
        none = {"permutations": 0, "seed": 0, "margin": 0.05, "threads": 1, "variants": 1}
        pairs = infer(vectors, labels, experiment, scored, np.zeros(2, np.int64), np.array([[0, 1]]), **none).pairs
        return scored.pairs is None, pairs.high[0] - pairs.low[0]

    without, narrow = width()
    assert not without
    monkeypatch.setattr(unit_pairs, limit, 100)
    without, wide = width()
    assert without
    assert wide > 1.1 * narrow


def test_a_test_of_too_many_values_is_left_out_with_a_note():
    words = [f"w{number}" for number in range(257) for _ in range(2)]
    names = [str(number) for number in range(514)]
    labels = {"word": words, "recording": names, "start_s": [0.0] * 514, "end_s": [1.0] * 514}
    experiment = SimpleNamespace(task=Task("word"), min_gap_s=0.0, different=(), max_size_group=None, max_x_across=None)
    vectors = np.random.default_rng(0).standard_normal((514, 4)).astype(np.float32)
    scored = score(vectors, labels, experiment, seed=0, memory_mb=512, threads=1)
    cells = np.zeros(scored.scores.table.num_rows, np.int64)
    inference = infer(
        vectors,
        labels,
        experiment,
        scored,
        cells,
        np.array([[0, 1]]),
        permutations=20,
        seed=0,
        margin=0.05,
        variants=1,
        threads=1,
    )
    assert math.isnan(inference.overall_test.p[0])
    assert inference.overall_test.note == ["not tested: more than 256 values"]
    assert inference.overall_verdict == ("undecidable", "not tested: more than 256 values")
