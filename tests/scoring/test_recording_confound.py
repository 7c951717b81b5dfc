"""The warning that recordings may explain the scores, against its definition."""

import logging
from itertools import product

import numpy as np
import pytest

from abxfast import score_embeddings
from abxfast.errors import TaskError
from abxfast.scoring import Task, make_cells, recording_confound

WARNING = "`different='recording'`"


def score(labels, **task):
    embeddings = np.random.default_rng(0).standard_normal((len(labels["recording"]), 3))
    return score_embeddings(embeddings, labels, **task)


@pytest.mark.parametrize(
    "task",
    [
        {"on": "recording"},
        {"on": "genre", "different": ["recording"]},
        {"on": "phone", "by": ["recording"]},
        {"on": "phone"},  # all recordings have all phones
    ],
)
def test_no_warning_if_a_recording_cannot_help(task, caplog):
    n = 60
    phones = [f"p{k}" for k in np.random.default_rng(0).integers(0, 3, n)]
    labels = {"recording": [f"r{k % 4}" for k in range(n)], "phone": phones}
    labels["genre"] = ["tale" if name in {"r0", "r1"} else "list" for name in labels["recording"]]
    with caplog.at_level(logging.WARNING):
        score(labels, **task)
    assert WARNING not in caplog.text


def test_warning_if_a_and_x_may_share_a_recording_that_b_lacks(caplog):
    labels = {"genre": ["song"] * 4 + ["tale"] * 4, "recording": [0, 0, 1, 1, 2, 2, 3, 3]}
    with caplog.at_level(logging.WARNING):
        score(labels, on="genre")
    assert "ON genre: some a and x come from one recording" in caplog.text
    assert WARNING in caplog.text


def test_warning_across(caplog):
    """Recordings that span both halves are in A and in X, and never in B."""
    labels = {"genre": ["song"] * 4 + ["tale"] * 4, "half": [0, 1] * 4, "recording": [0, 0, 1, 1, 2, 2, 3, 3]}
    with caplog.at_level(logging.WARNING):
        score({**labels, "recording": [*range(8)]}, on="genre", across=["half"])
        assert not caplog.text
        score(labels, on="genre", across=["half"])
    assert WARNING in caplog.text


def is_confounded_by_definition(cells, recording):
    """Look for an a and an x of one recording that is in none of the B of their groups."""
    groups = [cells.rows[start:stop] for start, stop in zip(cells.bounds, cells.bounds[1:], strict=False)]
    in_b = {}
    for a, b, x in cells.groups:
        in_b.setdefault((a, x), set()).update(recording[groups[b]])
    return any(
        i != j and recording[i] == recording[j] and recording[i] not in recordings
        for (a, x), recordings in in_b.items()
        for i, j in product(groups[a], groups[x])
    )


@pytest.mark.parametrize("cells_per_chunk", [1, 3, 10_000])
def test_the_warning_matches_its_definition(cells_per_chunk, caplog, monkeypatch):
    monkeypatch.setattr(recording_confound, "_CELLS_PER_CHUNK", cells_per_chunk)
    rng = np.random.default_rng(0)
    outcomes = set()
    for trial in range(150):
        n, n_recordings = rng.integers(6, 24), rng.integers(2, 12)
        labels = {"recording": rng.integers(0, n_recordings, n)}
        labels |= {name: rng.integers(0, 3, n) for name in ("phone", "speaker", "day")}
        task = Task("phone", ("day",) * (trial % 3 == 1), ("speaker",) * (trial % 2))
        try:
            cells = make_cells(task, labels)
        except TaskError:
            continue
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            recording_confound.warn_recording_confound(task, labels, cells)
        expected = is_confounded_by_definition(cells, labels["recording"])
        assert (WARNING in caplog.text) == expected
        outcomes.add((bool(trial % 2), expected))
    assert len(outcomes) == 4  # both outcomes, with and without ACROSS
