"""Studies from end to end: the tables of a run, however it came about."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from reference import score
from tiny_encoder import INFO, write_encoder

from abxfast._files import TEMPORARY_PREFIX
from abxfast.errors import StudyError
from abxfast.report.methods import write_methods
from abxfast.results import TABLES, read_results
from abxfast.scoring import score_store
from abxfast.store import open_store
from abxfast.study import plan_study, run_study

STUDY = """\
[study]
title = "Noises"
manifest = "recordings.csv"
snippets = [0.5, 1]
variants = ["mfcc.max", "mfcc.mean"]
permutations = 200

[experiment.matrix]
on = "recording"
classify = ["colour"]

[experiment.colour]
on = "colour"
different = ["recording"]

[experiment.room]
on = "room"
by = ["colour"]
"""
SECONDS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make four recordings of noise, of two colours in two rooms; two of them are quiet."""
    root = tmp_path_factory.mktemp("study")
    rows = ["path,colour,room"]
    for number, (colour, width) in enumerate((("white", 1), ("pink ŋ", 6), ("white", 1), ("pink ŋ", 6))):
        random = np.random.default_rng(number)
        wave = np.convolve(random.standard_normal(16_000 * SECONDS + width - 1), np.ones(width) / width, "valid")
        # The level changes every 0.25 s, so that snippets differ.
        wave *= np.repeat(random.uniform(0.3, 1.0, SECONDS * 4), 4_000) * (0.02 if number < 2 else 0.2)
        soundfile.write(root / f"r{number}.wav", wave, 16_000)
        rows.append(f"r{number}.wav,{colour},{'big' if number < 2 else 'small'}")
    (root / "recordings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (root / "study.toml").write_text(STUDY, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def results(folder):
    report = run_study(folder / "study.toml", folder / "results", report=False)
    assert (report.steps, report.kept, report.failures) == (12, 0, [])
    return folder / "results"


def contents(results):
    tables = sorted(path for path in (results / "tables").iterdir() if not path.name.startswith(TEMPORARY_PREFIX))
    files = [*tables, results / "run.json", results / "study.toml"]
    return {file.name: file.read_bytes() for file in files}


def read(results, name):
    return json.loads((results / "tables" / f"{name}.json").read_text(encoding="utf-8"))


def test_scores_are_those_of_the_triple_loop(results):
    store = open_store(results / "stores" / "mfcc.store")
    for variant in ("mfcc.max", "mfcc.mean"):
        snippets = store.read(1.0, variant)
        counted = score(snippets.embeddings, {"recording": snippets.recordings}, "recording")
        loop = {cell: wins2 / (2 * triplets) for cell, (wins2, triplets) in counted.items()}
        ours = {
            (row["a"], row["b"]): row["score"]
            for row in read(results, "cells")
            if (row["experiment"], row["variant"], row["snippet_s"]) == ("matrix", variant, 1.0)
        }
        assert ours == pytest.approx(loop)
        for row in read(results, "pairs"):
            if (row["experiment"], row["variant"], row["snippet_s"]) == ("matrix", variant, 1.0):
                both = loop[row["a"], row["b"]], loop[row["b"], row["a"]]
                assert (row["score_ab"], row["score_ba"]) == pytest.approx(both)
                assert row["score"] == pytest.approx(sum(both) / 2)
                assert row["n_a"] == row["n_b"] == SECONDS


def test_every_table_has_its_columns_in_three_formats(results):
    dictionary = json.loads((results / "tables" / "dictionary.json").read_text(encoding="utf-8"))
    for name, described in dictionary.items():
        columns = list(described["columns"])
        table = pq.read_table(results / "tables" / f"{name}.parquet")
        assert table.column_names == columns
        assert [str(field.type) for field in table.schema] == [
            column["type"] for column in described["columns"].values()
        ]
        with (results / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == columns
        assert table.to_pylist() == read(results, name)
        assert len(rows) == table.num_rows
        assert table.num_rows or name == "copies", f"{name} is empty"


def test_differences_are_found_and_only_those(results):
    rows = [row for row in read(results, "pairs") if row["experiment"] == "matrix" and row["variant"] == "mfcc.mean"]
    for row in rows:
        alike = {row["a"], row["b"]} in ({"r0.wav", "r2.wav"}, {"r1.wav", "r3.wav"})
        assert (row["p"] < 0.05) is not alike, row
        assert (row["verdict"] == "different") is not alike, row
    correct = [row["correct"] for row in read(results, "classification") if row["variant"] == "mfcc.mean"]
    assert correct
    assert all(correct)
    # Sentences are of the default variant.
    texts = [row["text"] for row in read(results, "sentences") if row["variant"] == "mfcc.max"]
    assert any(
        text.startswith("There is evidence of a difference between r0.wav and r3.wav at 1 s: 1.00 [") for text in texts
    ), texts
    assert any("Classification by colour is correct for 4 of 4 recordings at 1 s" in text for text in texts), texts


def test_the_listening_list_has_the_snippets_discriminated_best_and_worst(results):
    store = open_store(results / "stores" / "mfcc.store")
    snippets = store.read(1.0, "mfcc.max")
    starts = np.array(snippets.start_s)
    unit = snippets.embeddings / np.linalg.norm(snippets.embeddings, axis=1, keepdims=True)
    distance = 1 - unit.astype(np.float64) @ unit.T.astype(np.float64)
    names = np.array(snippets.recordings)
    rows = [row for row in read(results, "listening") if row["snippet_s"] == 1.0 and row["variant"] == "mfcc.max"]
    rows = [row for row in rows if (row["experiment"], row["a"], row["b"]) == ("matrix", "r0.wav", "r2.wav")]
    assert [row["role"] for row in rows] == ["most"] * 3 + ["least"] * 3
    share = {}
    for x in np.flatnonzero(np.isin(names, ["r0.wav", "r2.wav"])):
        a = distance[x, (names == names[x]) & (np.arange(len(names)) != x)]
        b = distance[x, (names != names[x]) & np.isin(names, ["r0.wav", "r2.wav"])]
        share[names[x], starts[x]] = float((a[:, None] < b).mean())
    for row in rows:
        assert row["share"] == pytest.approx(share[row["recording"], row["start_s"]], abs=1e-6)
        assert row["end_s"] - row["start_s"] == pytest.approx(1.0)
        assert (results / row["path"]).resolve().name == row["recording"]
    assert [row["share"] for row in rows[:3]] == pytest.approx(sorted(share.values())[:-4:-1], abs=1e-6)
    assert [row["share"] for row in rows[3:]] == pytest.approx(sorted(share.values())[:3], abs=1e-6)


def test_running_again_computes_nothing_and_writes_the_same_bytes(folder, results):
    before = contents(results)
    report = run_study(folder / "study.toml", results, report=False)
    assert report.kept == report.steps == 12
    assert contents(results) == before


def test_another_folder_gives_the_same_tables(folder, results):
    run_study(folder / "study.toml", folder / "again", report=False, threads=1, memory_mb=64)
    assert contents(folder / "again") == contents(results)


def test_a_change_of_one_experiment_repeats_its_analyses_only(folder, results):
    changed = folder / "changed.toml"
    changed.write_text(STUDY.replace('by = ["colour"]\n', ""), encoding="utf-8")
    report = run_study(changed, results, report=False)
    assert (report.steps, report.kept) == (12, 8)
    assert {row["context"] for row in read(results, "cells")} == {""}
    report = run_study(folder / "study.toml", results, report=False)
    assert report.kept == 8


@pytest.mark.parametrize(
    ("old", "new"), [('title = "Noises"', 'title = "Voices"'), ('"recordings.csv"', '"others.csv"')]
)
def test_the_results_of_another_study_are_left_alone(folder, results, old, new):
    before = contents(results)
    (folder / "others.csv").write_bytes((folder / "recordings.csv").read_bytes())
    (folder / "other.toml").write_text(STUDY.replace(old, new), encoding="utf-8")
    for function in (plan_study, run_study):
        with pytest.raises(StudyError, match=r"another study: found 'Noises' of recordings\.csv"):
            function(folder / "other.toml", results)
    assert contents(results) == before


def test_results_of_the_former_format_are_computed_anew(folder, results, monkeypatch):
    """Format 1 had other names of tables and columns: neither its cached analyses nor its tables may be used."""
    target = folder / "former"
    with monkeypatch.context() as context:
        context.setattr("abxfast.study.results_folder.FORMAT", 1)
        run_study(folder / "study.toml", target, report=False)
    run = target / "run.json"
    run.write_text(json.dumps(json.loads(run.read_text(encoding="utf-8")) | {"format": 1}), encoding="utf-8")
    for suffix in ("csv", "json", "parquet"):
        (target / "tables" / f"self_baselines.{suffix}").rename(target / "tables" / f"floors.{suffix}")
    former = {path.name for path in (target / "partial").iterdir()}
    assert plan_study(folder / "study.toml", target).kept == 0
    report = run_study(folder / "study.toml", target, report=False)
    assert (report.steps, report.kept) == (12, 0)
    assert contents(target) == contents(results)
    assert not former & {path.name for path in (target / "partial").iterdir()}
    assert json.loads(run.read_text(encoding="utf-8"))["format"] == 4


def test_results_of_a_later_format_are_refused(folder, tmp_path):
    (tmp_path / "run.json").write_text('{"format": 5, "title": "Noises", "source": "recordings.csv"}', encoding="utf-8")
    with pytest.raises(StudyError, match=r"run\.json: has format 5, this version of abxfast writes 4; choose a new"):
        run_study(folder / "study.toml", tmp_path, report=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_damaged_cached_analysis_is_named(folder, tmp_path):
    run_study(folder / "study.toml", tmp_path / "results", report=False)
    damaged = min((tmp_path / "results" / "partial").glob("matrix-*.json"))
    damaged.write_text("{", encoding="utf-8")
    with pytest.raises(StudyError, match=r"is damaged .* delete it, and it is computed again") as caught:
        run_study(folder / "study.toml", tmp_path / "results", report=False)
    assert str(damaged) in str(caught.value)
    damaged.unlink()
    assert run_study(folder / "study.toml", tmp_path / "results", report=False).kept == 11


def test_a_folder_with_anything_else_is_refused(folder, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(StudyError, match="holds no results"):
        run_study(folder / "study.toml", tmp_path, report=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_recording_takes_no_part_and_is_named(folder, tmp_path):
    for path in folder.glob("r?.wav"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "r3.wav").write_bytes((folder / "r3.wav").read_bytes()[:1000])
    (tmp_path / "recordings.csv").write_bytes((folder / "recordings.csv").read_bytes())
    (tmp_path / "study.toml").write_bytes((folder / "study.toml").read_bytes())
    report = run_study(tmp_path / "study.toml", tmp_path / "results", report=False)
    assert [name for name, _ in report.failures] == ["r3.wav"]
    described = json.loads((tmp_path / "results" / "run.json").read_text(encoding="utf-8"))
    assert "cut short" in described["failures"][0]["reason"]
    matrix, *_ = read(tmp_path / "results", "summary")
    assert (matrix["recordings"], matrix["cells"]) == (3, 6)
    assert "1 row could not be embedded" in matrix["note"]
    noted = {row["recording"]: row["note"] for row in read(tmp_path / "results", "recordings")}
    assert "cut short" in noted["r3.wav"]


def test_the_summary_notes_that_no_recording_could_be_embedded(folder, tmp_path):
    for path in (*folder.glob("r?.wav"), folder / "recordings.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "study.toml").write_text(STUDY.replace("variants", "channel = 3\nvariants"), encoding="utf-8")
    report = run_study(tmp_path / "study.toml", tmp_path / "results", report=False)
    assert len(report.failures) == 4
    rows = read(tmp_path / "results", "summary")
    assert len(rows) == 12
    assert all(row["note"].startswith("not scored: there is no snippet; ") for row in rows)


def test_the_plan_notes_where_nothing_can_be_scored(folder, tmp_path):
    (tmp_path / "study.toml").write_text(
        f'[study]\nmanifest = "{(folder / "recordings.csv").as_posix()}"\nsnippets = [1, "whole"]\n'
        '[experiment.matrix]\non = "recording"\n',
        encoding="utf-8",
    )
    plan = plan_study(tmp_path / "study.toml", tmp_path / "results")
    (note,) = plan.notes
    assert note == (
        "matrix, whole items: nothing can be scored: there is one snippet for each recording as whole items: A and X "
        "need two"
    )


def test_the_plan_says_what_the_recordings_could_show(folder, results):
    before = plan_study(folder / "study.toml", folder / "new-results").power
    assert any("could show a difference with 80% power from a score of about 0." in text for text in before)
    assert all(text.endswith("no more alike than others") for text in before if "80% power" in text)
    # What is embedded tells how alike neighbours are.
    after = plan_study(folder / "study.toml", results).power
    assert len(after) == len(before)
    assert not any("no more alike" in text for text in after)


def test_the_plan_says_how_many_recordings_would_do(folder, tmp_path):
    (tmp_path / "study.toml").write_text(
        f'[study]\nmanifest = "{(folder / "recordings.csv").as_posix()}"\nsnippets = [1]\n'
        '[experiment.colours]\non = "colour"\ndifferent = ["recording"]\n',
        encoding="utf-8",
    )
    (text,) = plan_study(tmp_path / "study.toml", tmp_path / "results").power
    assert text == (
        "colours, 1 s: 1 of 1 pairs have too few recordings for p ≤ 0.05: 4 of each value of colour would do (the "
        "fewest are 2)"
    )


def test_the_plan_predicts_the_counts_of_the_run(folder, results):
    described = json.loads((results / "run.json").read_text(encoding="utf-8"))["plan"]
    plan = plan_study(folder / "study.toml", folder / "new-results")
    assert plan.recordings == described["recordings"] == 4
    assert plan.snippets == {"0.5 s": described["snippets"]["0.5"], "1 s": described["snippets"]["1"]}
    assert plan.cells == described["cells"]
    assert plan.steps == 12
    assert plan.hours == pytest.approx(4 * SECONDS / 3600)
    assert plan.embedded == 0
    assert plan.embed_s > 0
    assert plan.speeds["mfcc"] > 0
    assert plan.test_s > 0
    finished = plan_study(folder / "study.toml", results)
    assert (finished.embedded, finished.embed_s, finished.disk_mb) == (1, 0, 0)
    assert finished.kept == finished.steps == 12
    assert (finished.score_s, finished.test_s) == (0, 0)
    assert plan.kept == 0
    assert not (folder / "new-results").exists()


def test_the_plan_predicts_the_triplets_of_a_run_without_constraints(folder, tmp_path):
    study = folder / "plain.toml"
    study.write_text(STUDY.replace('different = ["recording"]\n', ""), encoding="utf-8")
    run_study(study, tmp_path / "plain", report=False)
    described = json.loads((tmp_path / "plain" / "run.json").read_text(encoding="utf-8"))["plan"]
    assert plan_study(study, tmp_path / "none").triplets == described["triplets"]


KILLED = """\
import os, pathlib, signal, sys
remaining, replace = int(sys.argv.pop()), pathlib.Path.replace

def replace_or_die(path, target):
    global remaining
    remaining -= 1
    if remaining == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replaced = replace(path, target)
    if remaining == -1:
        os.kill(os.getpid(), signal.SIGKILL)
    return replaced

pathlib.Path.replace = replace_or_die
from abxfast.cli import main
main()
"""
"""The program, killed just before the nth atomic replacement of a file; if n is 0, just after the first one."""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_run_killed_again_and_again_and_resumed_writes_the_same_bytes(folder, results):
    target = folder / "killed"
    kills = 0
    for moment in (1, 2, 4, 0, 5, 3, 7, 12, 0, 9, 40, 1000):
        arguments = ["run", "study.toml", "-o", target, "--no-report", "--threads", "1", moment]
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills >= 8
    assert done.returncode == 0, done.stderr
    assert contents(target) == contents(results)
    # A temporary file of a killed process is removed an hour later.
    leftovers = list(target.rglob(f"{TEMPORARY_PREFIX}*"))
    assert leftovers
    for path in leftovers:
        os.utime(path, (1, 1))
    run_study(folder / "study.toml", target, report=False)
    assert not list(target.glob(f"*/{TEMPORARY_PREFIX}*"))


def test_a_touched_recording_changes_nothing(folder, results):
    before = contents(results)
    os.utime(folder / "r1.wav")
    report = run_study(folder / "study.toml", results, report=False)
    assert report.failures == []
    assert contents(results) == before


@pytest.mark.parametrize("words", [4, 12])
def test_tokens_without_repetition_get_an_interval_over_words(tmp_path, words):
    """One token of each word and voice: the interval is over words, if there are enough of them."""
    rows = ["path,word,voice"]
    for number in range(2 * words):
        wave = 0.1 * np.random.default_rng(number).standard_normal(8_000)
        soundfile.write(tmp_path / f"{number}.wav", wave, 16_000)
        rows.append(f"{number}.wav,w{number // 2},v{number % 2}")
    (tmp_path / "tokens.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text(
        '[study]\nmanifest = "tokens.csv"\nsnippets = ["whole"]\npermutations = 100\n'
        '[experiment.words]\non = "word"\nacross = ["voice"]\n',
        encoding="utf-8",
    )
    run_study(tmp_path / "study.toml", tmp_path / "results", report=False)
    (summary,) = read(tmp_path / "results", "summary")
    cells = 2 * words * (words - 1)
    assert (summary["cells"], summary["triplets"], summary["snippet_s"]) == (cells, cells, None)
    texts = [row["text"] for row in read(tmp_path / "results", "sentences") if row["kind"] == "pair"]
    assert not any("can be told apart" in text for text in texts)  # of two words, each pair is two tokens
    if words < 10:
        assert summary["low"] is None
        assert summary["note"].startswith("no interval: one side has a single recording, and no label has 10")
    else:
        assert 0 < summary["low"] < summary["score"] < summary["high"] < 1
        assert summary["note"] == "the interval is over the 12 values of word, with all else held fixed"


@pytest.mark.parametrize(
    ("own", "line"),
    [("", "line 4"), ("\nsnippets = [0.5, 1]", "line 11")],
    ids=["study's snippets", "experiment's own"],
)
def test_snippets_longer_than_an_encoder_takes_are_refused_before_any_work(folder, tmp_path, own, line):
    encoder = write_encoder(tmp_path / "short.onnx", info=replace(INFO, most_samples=12_000))
    text = (
        STUDY.replace('"recordings.csv"', json.dumps(str(folder / "recordings.csv")))
        .replace('variants = ["mfcc.max", "mfcc.mean"]', f"encoders = {json.dumps(['mfcc', str(encoder)])}")
        .replace('classify = ["colour"]', f'classify = ["colour"]{own}', 1)
    )
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    for command in (plan_study, run_study):
        with pytest.raises(StudyError, match=rf"{line}: .*found 1, but tiny takes at most 0\.75 s; choose shorter"):
            command(tmp_path / "study.toml", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_standardised_study_scores_standardised_vectors_and_says_so(folder, tmp_path):
    """As `score_store` does; every table, run.json, the sentences and the methods name it."""
    text = STUDY.replace('"recordings.csv"', json.dumps(str(folder / "recordings.csv")))
    text = text.replace("permutations = 200", 'permutations = 200\nstandardise = "zscore"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    results = tmp_path / "results"
    run_study(tmp_path / "study.toml", results, report=False)
    rows = [row for row in read(results, "cells") if row["experiment"] == "matrix"]
    assert rows
    options = {"on": "recording", "standardise": "zscore"}
    for variant, snippet in {(row["variant"], row["snippet_s"]) for row in rows}:
        scores = score_store(results / "stores" / "mfcc.store", variant=variant, snippet=snippet, **options)
        expected = {(row["recording"], row["recording_b"]): row["wins2"] for row in scores.table.to_pylist()}
        found = {(r["a"], r["b"]): r["wins2"] for r in rows if (r["variant"], r["snippet_s"]) == (variant, snippet)}
        assert found == expected
    for name in TABLES:
        if name != "recordings":
            assert {row["standardise"] for row in read(results, name)} <= {"zscore"}, name
    assert json.loads((results / "run.json").read_text())["standardise"] == "zscore"
    sentences = [row["text"] for row in read(results, "sentences") if row["kind"] == "summary"]
    assert all("(mfcc.max, zscore)" in text or "(mfcc.mean, zscore)" in text for text in sentences)
    assert "standardised to zero mean and unit variance" in " ".join(write_methods(read_results(results))[0])


def test_the_tables_of_other_studies_say_that_nothing_was_standardised(results):
    assert {row["standardise"] for row in read(results, "pairs")} == {"none"}
    assert json.loads((results / "run.json").read_text())["standardise"] == "none"
    assert "standardised" not in " ".join(write_methods(read_results(results))[0])
