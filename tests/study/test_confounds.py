"""Confounds belong to the labels and recordings of the experiment."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from abxfast.audio import AudioQuality
from abxfast.scoring import Task
from abxfast.statistics import association_test
from abxfast.study.confounds import confound_rows


def rows_of(task, recordings, pairs=(), permutations=999):
    """Compute the rows of recordings given as (name, labels, level)."""
    quality = {name: AudioQuality(level_db=level, noise_db=-60.0) for name, _, level in recordings}
    selection = SimpleNamespace(experiment=SimpleNamespace(task=task), recordings=list(quality))
    analysis = SimpleNamespace(selection=selection, quality=quality, permutations=permutations, seed=0, key={})
    labels = {"recording": [name for name, _, _ in recordings for _ in range(2)]}
    for column in task.labels:
        labels.setdefault(column, [found[column] for _, found, _ in recordings for _ in range(2)])
    return {row["measure"]: row for row in confound_rows(analysis, labels, pairs)}


RECORDINGS = [
    (f"{voice}{microphone}{n}", {"voice": voice, "microphone": microphone}, level + n / 10)
    for voice, n in itertools.product("fm", range(4))
    for microphone, level in (("head", -20.0), ("table", -30.0))
]


def test_each_label_has_its_own_confounds():
    by_microphone = rows_of(Task("microphone", by=("voice",)), RECORDINGS)["level_db"]
    by_voice = rows_of(Task("voice"), RECORDINGS)["level_db"]
    assert by_microphone["p"] < 0.01
    assert by_microphone["values"] == "table -29.9, head -19.9"
    assert by_voice["p"] > 0.5
    assert {row["method"] for row in (by_microphone, by_voice)} == {"values"}


def test_contexts_are_compared_within_themselves():
    """Voice f is loud and m is soft; within each, the microphones are alike, though most of f has one of them."""
    recordings = [
        (f"{voice}{number}", {"voice": voice, "microphone": "head" if number < n_head else "table"}, level + number % 2)
        for voice, level, n_head in (("f", -10.0, 8), ("m", -40.0, 2))
        for number in range(10)
    ]
    assert rows_of(Task("microphone"), recordings)["level_db"]["p"] < 0.05
    assert rows_of(Task("microphone", by=("voice",)), recordings)["level_db"]["p"] > 0.5


def test_labels_within_recordings_have_no_confounds():
    recordings = [("r1", {"vowel": "a"}, -20.0), ("r1", {"vowel": "i"}, -20.0), ("r2", {"vowel": "a"}, -30.0)]
    assert rows_of(Task("vowel"), recordings) == {}


def test_single_recordings_are_compared_in_the_pairs_of_the_experiment():
    names = [f"r{n}" for n in range(6)]
    recordings = [(name, {"recording": name}, -20.0 - n) for n, name in enumerate(names)]
    pairs = [
        {"a": a, "b": b, "score": 0.5 + 0.05 * abs(int(a[1]) - int(b[1]))} for a, b in itertools.combinations(names, 2)
    ]
    row = rows_of(Task("recording"), recordings, pairs)["level_db"]
    assert (row["method"], row["pairs"]) == ("pairs", 15)
    assert row["correlation"] == pytest.approx(1)
    fewer = rows_of(Task("recording"), recordings, [*pairs[:6], pairs[6] | {"score": None}])["level_db"]
    assert fewer["pairs"] == 6


@pytest.mark.parametrize("n_groups", [2, 3])
def test_in_one_stratum_the_test_orders_relabellings_as_kruskal_and_wallis_do(n_groups):
    random = np.random.default_rng(n_groups)
    label = np.repeat(np.arange(n_groups), 3 if n_groups == 2 else 2)
    values = random.standard_normal(len(label)) + label

    def statistic(codes):
        return stats.kruskal(*(values[codes == group] for group in range(n_groups))).statistic

    every = [statistic(np.array(codes)) for codes in set(itertools.permutations(label.tolist()))]
    expected = np.mean(np.array(every) >= statistic(label) - 1e-9)
    result = association_test(values, label, np.zeros(len(label), np.int64), permutations=10_000, seed=0)
    assert result.p == pytest.approx(expected)
    assert 0 <= result.correlation <= 1
    assert result.note == "too few recordings for p < 0.05"


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_a_measure_without_values_or_differences_is_not_tested(value):
    label = np.array([0, 0, 1, 1])
    result = association_test(np.full(4, value), label, np.zeros(4, np.int64), permutations=100, seed=0)
    assert np.isnan(result.p)
    assert result.note
