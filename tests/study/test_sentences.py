"""The pieces of a study, each against something that knows nothing of ours."""

import itertools
import math
import subprocess
import sys
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from abxfast.audio import measure_quality
from abxfast.errors import StudyError
from abxfast.scoring import Task
from abxfast.statistics import classify, mantel_test
from abxfast.study import DESIGNS, write_study
from abxfast.study.config import read_study
from abxfast.study.inference import infer, score
from abxfast.study.recording_pairs import classification_rows
from abxfast.study.selection import resolve
from abxfast.study.sentences import describe_baselines, describe_lengths, describe_pairs, describe_summary

RATE_HZ = 16_000


# -- confounds


@given(st.integers(0, 2**32 - 1), st.integers(4, 6), st.booleans())
@settings(max_examples=20, deadline=None)
def test_mantel_comes_to_what_all_orders_say(seed, n, gaps):
    """With every order of so few recordings written out, p must be theirs, within what chance allows."""
    random = np.random.default_rng(seed)
    values = random.standard_normal(n)
    scores = random.uniform(size=(n, n))
    scores += scores.T + np.abs(values[:, None] - values) * random.uniform(0, 2)
    np.fill_diagonal(scores, np.nan)
    if gaps:
        scores[0, 1] = scores[1, 0] = np.nan
    pairs = [(i, j) for i, j in itertools.combinations(range(n), 2) if np.isfinite(scores[i, j])]
    ranks = dict(zip(itertools.combinations(range(n), 2), stats.rankdata(
        [abs(values[i] - values[j]) for i, j in itertools.combinations(range(n), 2)]
    ), strict=True))  # fmt: skip
    of_scores = stats.rankdata([scores[pair] for pair in pairs])

    def correlation(order):
        own = [ranks[tuple(sorted((order[i], order[j])))] for i, j in pairs]
        return np.corrcoef(own, of_scores)[0, 1]

    every = np.array([correlation(order) for order in itertools.permutations(range(n))])
    exact = float((np.abs(every) >= abs(every[0]) - 1e-12).mean())
    found = mantel_test(scores, values, permutations=4000, seed=[seed])
    assert found.correlation == pytest.approx(every[0])
    assert found.pairs == len(pairs)
    assert abs(found.p - exact) < 5 * math.sqrt(exact * (1 - exact) / 4000) + 2 / 4000
    if not gaps:
        spearman = stats.spearmanr([abs(values[i] - values[j]) for i, j in pairs], [scores[pair] for pair in pairs])
        assert found.correlation == pytest.approx(spearman.statistic)


def test_mantel_says_when_there_is_nothing_to_test():
    scores = np.random.default_rng(0).uniform(size=(6, 6))
    scores += scores.T
    assert mantel_test(scores, np.ones(6), permutations=10, seed=[0]).note == "the same in all recordings"
    few = mantel_test(scores[:3, :3], np.arange(3.0), permutations=100, seed=[0])
    assert "too few recordings" in few.note
    assert math.isnan(mantel_test(scores[:2, :2], np.arange(2.0), permutations=10, seed=[0]).p)
    assert math.isnan(mantel_test(scores, np.arange(6.0), permutations=0, seed=[0]).p)


# -- inference


def test_a_test_of_too_many_values_is_not_left_out_in_silence():
    words = [f"w{number}" for number in range(257) for _ in range(2)]
    names = [str(number) for number in range(514)]
    labels = {"word": words, "recording": names, "start_s": [0.0] * 514, "end_s": [1.0] * 514}
    experiment = SimpleNamespace(task=Task("word"), min_gap_s=0.0, different=(), max_size_group=None, max_x_across=None)
    vectors = np.random.default_rng(0).standard_normal((514, 4)).astype(np.float32)
    scored = score(vectors, labels, experiment, seed=0, memory_mb=512, threads=1)
    cells = np.zeros(scored.scores.table.num_rows, np.int64)
    found = infer(vectors, labels, experiment, scored, cells, np.array([[0, 1]]), permutations=20, seed=0, threads=1)
    assert math.isnan(found.all_test.p[0])
    assert found.all_test.note == ["not tested: more than 256 values"]


# -- classification


def test_the_confusion_matrix_is_of_the_recordings_that_the_accuracy_counts():
    """One alone with its label cannot be found, and one that is as near to both labels gets neither."""
    names = [("r1", "a"), ("r2", "a"), ("r3", "b"), ("r4", "b"), ("r5", "c")]
    items = tuple(SimpleNamespace(recording=name, item=name, labels={"kind": label}) for name, label in names)
    selection = SimpleNamespace(items=items, experiment=SimpleNamespace(classify=("kind",)))
    matrix = np.full((5, 5), 0.8)
    matrix[1, :4] = matrix[:4, 1] = 0.6
    matrix[2, 3] = matrix[3, 2] = 0.5
    matrix[0, 2] = matrix[2, 0] = matrix[0, 3] = matrix[3, 0] = 0.9
    matrix[np.diag_indices(5)] = np.nan
    step = SimpleNamespace(selection=selection, key={})
    rows = classification_rows(step, [name for name, _ in names], matrix, "")
    (accuracy,) = rows["accuracy"]
    counted = {(row["label"], row["predicted"]): row["n"] for row in rows["confusion"] if row["n"]}
    assert counted == {("a", "a"): 1, ("a", None): 1, ("b", "b"): 2}
    assert accuracy["n"] == sum(counted.values()) == 4
    assert accuracy["accuracy"] == 3 / 4


@given(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_each_recording_gets_the_label_of_the_lowest_mean(labels, seed, missing):
    random = np.random.default_rng(seed)
    scores = random.uniform(size=(len(labels), len(labels)))
    scores = (scores + scores.T) / 2
    scores[np.triu(random.uniform(size=scores.shape) < missing, 1)] = np.nan
    scores = np.where(np.isnan(scores.T), np.nan, scores)
    scores = np.where(np.isnan(scores), scores, (scores + scores.T) / 2)
    found = classify(scores, labels)
    right = []
    for i, own in enumerate(labels):
        means = {}
        for label in set(labels):
            others = [
                scores[i, j] for j in range(len(labels)) if j != i and labels[j] == label and not np.isnan(scores[i, j])
            ]
            if others:
                means[label] = sum(others) / len(others)
        best = min(means, key=means.get) if means else None
        assert found.predicted[i] == best
        if own not in means:
            assert found.correct[i] is None
        else:
            assert found.correct[i] is (best == own)
            right.append(best == own)
    assert found.n == len(right)
    if right:
        assert found.accuracy == pytest.approx(sum(right) / len(right))
        assert found.low <= found.accuracy <= found.high


def test_the_interval_is_wilsons():
    n, k, z = 10, 8, 1.959963984540054
    labels = ["a"] * 5 + ["b"] * 5
    scores = np.full((n, n), 0.6)
    scores[:5, :5] = scores[5:, 5:] = 0.5
    for i in (0, 5):  # two that are taken for the other
        other = slice(5, 10) if i == 0 else slice(0, 5)
        scores[i, other] = scores[other, i] = 0.4
    found = classify(scores, labels)
    wrong = [i for i, right in enumerate(found.correct) if not right]
    k = n - len(wrong)
    share = k / n
    centre, spread = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert (found.low, found.high) == pytest.approx(
        ((centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n))
    )
    assert {0, 5} <= set(wrong)
    assert found.chance == 0.5


# -- levels


def test_levels_are_those_of_the_whole_file(tmp_path):
    random = np.random.default_rng(1)
    wave = 0.1 * random.standard_normal(RATE_HZ * 7 + 123)
    wave[: RATE_HZ * 2] *= 0.01
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, RATE_HZ, subtype="FLOAT")
    found = measure_quality(path)
    wave = soundfile.read(path)[0]
    assert found.seconds == pytest.approx(len(wave) / RATE_HZ)
    assert found.level_db == pytest.approx(10 * math.log10(np.mean(wave**2)))
    stretches = wave[: len(wave) // 800 * 800].reshape(-1, 800)
    assert found.noise_db == pytest.approx(10 * math.log10(np.quantile((stretches**2).mean(axis=1), 0.1)), abs=1e-6)
    assert found.clipping == 0
    assert (found.rate_hz, found.channels) == (RATE_HZ, 1)
    assert found.bandwidth_hz == RATE_HZ / 2


@pytest.mark.parametrize("cut_hz", [1000, 3000, 5000])
def test_bandwidth_is_where_a_filter_cuts(tmp_path, cut_hz):
    spectrum = np.fft.rfft(np.random.default_rng(2).standard_normal(RATE_HZ * 5))
    spectrum[cut_hz * 5 :] = 0
    wave = np.fft.irfft(spectrum)
    soundfile.write(tmp_path / "a.wav", 0.3 * wave / np.abs(wave).max(), RATE_HZ, subtype="FLOAT")
    assert measure_quality(tmp_path / "a.wav").bandwidth_hz == pytest.approx(cut_hz, abs=120)


def test_clipping_is_the_flat_tops(tmp_path):
    wave = 0.4 * np.sin(2 * np.pi * 200 * np.arange(RATE_HZ * 5) / RATE_HZ)
    soundfile.write(tmp_path / "round.wav", wave, RATE_HZ)
    assert measure_quality(tmp_path / "round.wav").clipping == 0
    flat = np.clip(wave, -0.3, 0.3)
    soundfile.write(tmp_path / "flat.wav", flat, RATE_HZ)
    runs = [len(list(group)) for top, group in itertools.groupby(np.sign(flat) * (np.abs(flat) == 0.3)) if top]
    expected = sum(max(0, length - 2) for length in runs) / len(flat)
    assert expected > 0.3
    assert measure_quality(tmp_path / "flat.wav").clipping == pytest.approx(expected)


def test_a_recording_that_cannot_be_read_is_told_not_raised(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    found = measure_quality(tmp_path / "a.wav")
    assert "a.wav" in found.note
    assert math.isnan(found.level_db)


# -- sentences


def curve(*rows):
    return [{"snippet_s": length, "score": score, "low": low, "high": high} for length, score, low, high in rows]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85)), "10 s tells most: 0.80 [0.75, 0.85]"),
        (
            curve((1, 0.78, 0.7, 0.85), (10, 0.8, 0.75, 0.85)),
            "of 1 and 10 s overlap: they do not support one of these lengths over another.",
        ),
        (
            curve((1, 0.93, 0.92, 0.94), (5, 0.99, 0.98, 0.995), (10, 1.0, 0.69, 1.0)),
            "of 5 and 10 s overlap: they do not support one of these lengths over another; 1 s tells less.",
        ),
        (curve((1, 0.51, 0.45, 0.57), (10, 0.5, 0.4, 0.6)), "No length tells them apart"),
        (curve((1, 0.6, None, None), (10, 0.8, 0.75, 0.85)), "No length can be recommended"),
        (
            curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85), (20, 0.9, None, None)),
            "lie below (20 s can't be judged)",
        ),
    ],
)
def test_a_length_is_recommended_only_where_the_intervals_support_it(rows, says):
    ((kind, text),) = describe_lengths(rows)
    assert kind == "length"
    assert says in text


@pytest.mark.parametrize(
    ("score", "low", "high", "says"),
    [
        (0.53, 0.48, 0.58, "A and B can't be told apart at 10 s: 0.53 [0.48, 0.58]."),
        (0.83, 0.78, 0.88, "A and B can be told apart at 10 s: 0.83 [0.78, 0.88]."),
        (0.57, 0.52, 0.62, "0.57 [0.52, 0.62], no more than one recording from itself (0.60)."),
        (0.40, 0.35, 0.45, "below chance"),
        (0.83, None, None, "A and B can't be judged at 10 s: 0.83, without an interval: too short."),
    ],
)
def test_a_pair_is_told_apart_only_where_its_interval_says_so(score, low, high, says):
    row = {
        "a": "A",
        "b": "B",
        "snippet_s": 10.0,
        "score": score,
        "low": low,
        "high": high,
        "note": "no interval: too short",
    }
    ((_, text),) = describe_pairs(
        [row],
        [
            {"label": "A", "alternating_split": 0.6, "alternating_split_low": 0.5},
            {"label": "B", "alternating_split": 1.0, "alternating_split_low": None},
        ],
    )
    assert says in text


def test_why_pairs_cannot_be_judged_is_said_once():
    rows = [
        {"a": "A", "b": b, "snippet_s": 1.0, "score": score, "low": None, "high": None, "note": f"no interval: {why}"}
        for b, score, why in (("B", 0.4, "too short"), ("C", 0.9, "too short"), ("D", 0.7, "no triplet"))
    ]
    assert [text for _, text in describe_pairs(rows, [])] == [
        "2 pairs can't be judged at 1 s: 0.40 to 0.90, without an interval: too short.",
        "A and D can't be judged at 1 s: 0.70, without an interval: no triplet.",
    ]


def test_a_floor_counts_only_where_it_has_an_interval():
    rows = [
        {
            "label": label,
            "snippet_s": 10.0,
            "alternating_split": within,
            "alternating_split_low": low,
            "half_split": 0.5,
            "half_split_low": None,
        }
        for label, within, low in (("A", 0.6, 0.5), ("B", 0.5, 0.4), ("C", 0.0, None), ("D", 1.0, None))
    ]
    ((_, text),) = describe_baselines(rows)
    assert "scores 0.55 at 10 s on average (0.50 to 0.60)" in text
    assert text.endswith("2 of 4 recordings are too short to say.")
    ((_, text),) = describe_baselines(rows[2:])
    assert text == "No recording is long enough to be held against itself at 10 s: the floor is not known."


@pytest.mark.parametrize(
    ("p", "note", "says"),
    [
        (0.01, "", "A and B can be told apart at 1 s: 0.60 [0.55, 0.65]."),
        (None, "", "A and B can be told apart at 1 s: 0.60 [0.55, 0.65]."),
        (0.2, "", "A and B score above chance at 1 s: 0.60 [0.55, 0.65], which the test does not bear out (p = 0.2)."),
        (0.33, "too few recordings", "which the test does not bear out (p = 0.33; too few recordings)."),
    ],
)
def test_what_correlation_alone_may_do_is_not_called_a_difference(p, note, says):
    """Two stretches of one process score above chance where neighbours are alike: the test knows, the interval not."""
    row = {"a": "A", "b": "B", "snippet_s": 1.0, "score": 0.6, "low": 0.55, "high": 0.65, "p": p, "note": note}
    ((_, text),) = describe_pairs([row], [])
    assert says in text
    summary = row | {"encoder": "mfcc", "variant": "mfcc.max"}
    ((_, text),) = describe_summary(summary, [row], "recording")
    assert ("1 of 1 pairs can be told apart" in text) is (says.startswith("A and B can be"))
    assert ("1 score above chance, which the test does not bear out" in text) is not (says.startswith("A and B can be"))


def test_drift_is_not_called_a_change_alone():
    """The halves of a recording that does not change differ too, where neighbours are alike (see calibration)."""
    row = {
        "label": "A",
        "snippet_s": 1.0,
        "alternating_split": 0.5,
        "half_split": 0.6,
        "half_split_low": 0.55,
        "half_split_high": 0.65,
    }
    *_, (_, text) = describe_baselines([row])
    assert text.startswith("1 of 1 recordings score above chance between their first half and their second at 1 s")
    assert text.endswith("most A: 0.60 [0.55, 0.65]; they change, or snippets that lie near to each other are alike.")


def test_a_length_that_the_test_does_not_bear_out_is_not_recommended():
    rows = curve((1, 0.6, 0.55, 0.65), (10, 0.8, 0.75, 0.85))
    ((_, text),) = describe_lengths([row | {"p": 0.3} for row in rows])
    assert text == "No length tells them apart: the best, 10 s, has 0.80 [0.75, 0.85], p = 0.3."


# -- init


@pytest.fixture
def manifest(tmp_path):
    rows = ["path,speaker,microphone,syllable,remark"]
    for n, (speaker, microphone, syllable) in enumerate(itertools.product(("F4", "ŋɑ˧"), ("table", "head"), "ab")):
        soundfile.write(tmp_path / f"{n}.wav", 0.1 * np.random.default_rng(n).standard_normal(RATE_HZ * 2), RATE_HZ)
        rows.append(f"{n}.wav,{speaker},{microphone},{syllable},{'once' if n == 0 else ''}")
    path = tmp_path / "our recordings.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("design", [*DESIGNS, None])
def test_what_init_writes_can_be_run_as_it_is(manifest, tmp_path, design):
    output = tmp_path / "below" / "study.toml"
    write_study(manifest, output, design)
    material = resolve(read_study(output))
    assert material.study.title == "our recordings"
    on = {selection.experiment.task.on for selection in material.selections}
    expected = {
        "recording-conditions": {"recording", "microphone"},
        "voice": {"recording", "speaker"},
        "segments": {"syllable"},
        None: {"syllable"},
    }
    assert on == expected[design]
    assert all(len(selection.items) == 8 for selection in material.selections)
    text = output.read_text(encoding="utf-8")
    assert "$" not in text
    assert "speaker: F4 (4), ŋɑ˧ (4)" in text
    assert "remark: once (1); empty in 7; nothing to compare" in text


@pytest.mark.parametrize(
    ("seconds", "columns", "on"),
    [
        (2, "genre,text", ["text"]),
        (7, "genre,text", ["genre", "recording"]),
        (7, "condition,text", ["recording", "condition"]),
    ],
)
def test_long_recordings_of_several_texts_are_not_taken_for_segments(tmp_path, seconds, columns, on):
    rows = [f"path,{columns}"]
    for n in range(4):
        soundfile.write(tmp_path / f"{n}.wav", np.random.default_rng(n).uniform(size=RATE_HZ * seconds), RATE_HZ)
        rows.append(f"{n}.wav,{'ab'[n % 2]},text {n // 2}")
    (tmp_path / "table.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    write_study(tmp_path / "table.csv", tmp_path / "study.toml")
    content = tomllib.loads((tmp_path / "study.toml").read_text(encoding="utf-8"))
    assert [experiment["on"] for experiment in content["experiment"].values()] == on


def test_init_does_not_write_over_a_file(manifest, tmp_path):
    (tmp_path / "study.toml").write_text("mine")
    with pytest.raises(StudyError, match="is there already"):
        write_study(manifest, tmp_path / "study.toml")
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_init_takes_a_folder_as_well(manifest, tmp_path):
    write_study(manifest.parent, tmp_path / "folder.toml")
    content = tomllib.loads((tmp_path / "folder.toml").read_text(encoding="utf-8"))
    assert content["study"]["recordings"] == "."
    assert list(content["experiment"]) == ["recordings"]


def test_a_design_that_no_column_fits_is_refused(manifest, tmp_path):
    with pytest.raises(StudyError, match="did you mean 'voice'"):
        write_study(manifest, tmp_path / "s.toml", "voices")
    with pytest.raises(StudyError, match="needs a column"):
        write_study(manifest.parent, tmp_path / "s.toml", "segments")


# -- command line


def test_the_commands_print_one_line_for_what_is_wrong(manifest, tmp_path):
    def call(*words):
        program = "from abxfast.cli.app import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, words)],
            cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip

    done = call("init", manifest, "--design", "recording-conditions")
    assert done.returncode == 0, done.stderr
    study = tmp_path / "study.toml"
    text = study.read_text(encoding="utf-8").replace('"microphone"\n', '"microfone"\n')
    study.write_text(text, encoding="utf-8")
    for words in (("plan", study), ("run", study)):
        done = call(*words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "did you mean 'microphone'?" in done.stderr
        assert not (tmp_path / "results").exists()
    study.write_text(text.replace("microfone", "microphone").replace("10000", "50"), encoding="utf-8")
    done = call("plan", study)
    assert done.returncode == 0, done.stderr
    assert "recordings  8," in done.stdout
    done = call("run", study, "--no-report")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "tables" / "pairs.csv").exists()
