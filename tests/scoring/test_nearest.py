"""The nearest recordings, against the scores of all pairs."""

import re

import numpy as np
import pytest

import abxfast
from abxfast.errors import StoreError, TaskError
from abxfast.store import open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    from abxfast.synthetic_speech import write_corpus

    folder = tmp_path_factory.mktemp("nearest")
    abxfast.embed(write_corpus(folder, seconds=6.0), folder / "s.store", snippets=[1, 5])
    return folder / "s.store"


QUERY = "recordings/voice-low-2.wav"


def test_scores_are_those_of_all_pairs(store):
    nearest = abxfast.nearest_recordings(store, QUERY, snippet=1, k=100).to_pylist()
    cells = abxfast.score_store(store, snippet=1).table.to_pylist()
    score = {(cell["recording"], cell["recording_b"]): cell["score"] for cell in cells}
    others = {a for a, _ in score} - {QUERY}
    assert {row["recording"] for row in nearest} == others
    for row in nearest:
        assert row["score_from"] == score[QUERY, row["recording"]]
        assert row["score_to"] == score[row["recording"], QUERY]
        assert row["score"] == (row["score_from"] + row["score_to"]) / 2
    assert [row["score"] for row in nearest] == sorted(row["score"] for row in nearest)


def test_the_distance_is_the_mean_over_pairs_of_snippets(store):
    snippets = open_store(store).read(1.0, "mfcc.max")
    unit = snippets.embeddings / np.linalg.norm(snippets.embeddings.astype(float), axis=1, keepdims=True)
    recordings = np.array(snippets.recordings)
    nearest = abxfast.nearest_recordings(store, QUERY, snippet=1, k=4, order="distance").to_pylist()
    mean = {
        name: np.mean(1 - unit[recordings == QUERY] @ unit[recordings == name].T) for name in set(recordings) - {QUERY}
    }
    assert [row["recording"] for row in nearest] == sorted(mean, key=mean.get)[:4]
    for row in nearest:
        assert row["distance"] == pytest.approx(mean[row["recording"]], abs=1e-12)


def test_the_last_part_of_a_name_is_enough(store):
    full = abxfast.nearest_recordings(store, QUERY, snippet=1)
    assert abxfast.nearest_recordings(store, "voice-low-2.wav", snippet=1).equals(full)


def test_estimates_have_an_error(store):
    exact = abxfast.nearest_recordings(store, QUERY, snippet=1)
    estimated = abxfast.nearest_recordings(store, QUERY, snippet=1, estimate=0.05)
    assert estimated["score"].equals(exact["score"])  # so few snippets are counted
    assert estimated["standard_error"].to_pylist() == [0.0] * 10


@pytest.mark.parametrize(
    ("recording", "options", "error", "message"),
    [
        (QUERY, {}, StoreError, "several snippet lengths; choose one in `snippet`: 1, 5"),
        ("voice-low-2", {"snippet": 1}, StoreError, "no recording 'voice-low-2' with snippets of this length"),
        (QUERY, {"snippet": 1, "k": 0}, TaskError, "`k`: found 0"),
        (QUERY, {"snippet": 1, "order": "size"}, TaskError, "`order`: found 'size', expected 'score' or 'distance'"),
        (QUERY, {"snippet": 1, "estimate": 3}, TaskError, "`estimate`: found 3"),
        (QUERY, {"snippet": 5}, TaskError, "need two snippets of this length each; embed shorter ones"),
        (QUERY, {"snippet": 1, "variant": "layer9.max"}, StoreError, "no variant 'layer9.max'"),
    ],
)
def test_what_cannot_be_answered_is_an_error(store, recording, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        abxfast.nearest_recordings(store, recording, **options)


def test_standardised_scores_are_those_of_all_pairs(store):
    nearest = abxfast.nearest_recordings(store, QUERY, snippet=1, standardise="zscore").to_pylist()
    cells = abxfast.score_store(store, snippet=1, standardise="zscore").table.to_pylist()
    score = {(cell["recording"], cell["recording_b"]): cell["score"] for cell in cells}
    assert [row["score_from"] for row in nearest] == [score[QUERY, row["recording"]] for row in nearest]
