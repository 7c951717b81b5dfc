"""Intervals and tests of an experiment."""

import math
from types import SimpleNamespace

import numpy as np

from abxfast.scoring import Task
from abxfast.study.inference import infer, score


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
