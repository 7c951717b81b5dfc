"""Files of scores: formats, content, and paths that cannot be written."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abxfast.errors import OutputError, TaskError
from abxfast.scoring import AbxScores, Task, check_output, format_scores_csv, format_scores_json, write_scores

TABLE = pa.table(
    {
        "word": ["ŋa, 1", "b"],
        "word_b": ["b", "ŋa, 1"],
        "score": [0.75, None],
        "wins2": [6, 0],
        "triplets": [4, 0],
    }
)
SCORES = AbxScores(Task("word"), TABLE, "mfcc", "mfcc.max", "10")
SOURCE = {"encoder": "mfcc", "variant": "mfcc.max", "snippet": "10"}


@pytest.mark.parametrize("name", ["scores.csv", "scores.CSV", "scores.tsv", "scores.json", "scores.parquet"])
def test_outputs_of_a_known_format_are_accepted(name, tmp_path):
    check_output(tmp_path / name)


def test_outputs_are_checked_before_any_work(tmp_path):
    with pytest.raises(TaskError, match=r"`output`: .*scores.doc has suffix '\.doc', expected \.csv, .* or \.parquet"):
        check_output(tmp_path / "scores.doc")
    with pytest.raises(TaskError, match=r"`output`: .*scores has no suffix"):
        check_output(tmp_path / "scores")
    with pytest.raises(TaskError, match=r"`output`: no folder .*missing; create it first"):
        check_output(tmp_path / "missing" / "scores.csv")


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_delimited_text_has_the_table_and_its_source(suffix, separator, tmp_path):
    path = tmp_path / f"scores{suffix}"
    write_scores(SCORES, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=separator))
    assert rows == [
        {"word": "ŋa, 1", "word_b": "b", "score": "0.75", "wins2": "6", "triplets": "4", **SOURCE},
        {"word": "b", "word_b": "ŋa, 1", "score": "", "wins2": "0", "triplets": "0", **SOURCE},
    ]
    assert path.read_text(encoding="utf-8") == format_scores_csv(SCORES, separator)


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_text_for_excel_begins_with_a_byte_order_mark(suffix, tmp_path):
    plain, marked = tmp_path / f"plain{suffix}", tmp_path / f"marked{suffix}"
    write_scores(SCORES, plain)
    write_scores(SCORES, marked, excel=True)
    assert marked.read_bytes() == b"\xef\xbb\xbf" + plain.read_bytes()
    with pytest.raises(TaskError, match=r"`excel`: .*scores.json is no text, expected .csv or .tsv"):
        check_output(tmp_path / "scores.json", excel=True)


def test_labels_that_look_like_formulas_are_escaped_in_text_only(tmp_path):
    labels = ["-ta", "=1+1"]
    scores = AbxScores(Task("word"), TABLE.set_column(0, "word", pa.array(labels)), "mfcc", "mfcc.max", "10")
    write_scores(scores, tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        assert [row["word"] for row in csv.DictReader(file)] == ["'-ta", "'=1+1"]
    write_scores(scores, tmp_path / "s.parquet")
    assert pq.read_table(tmp_path / "s.parquet")["word"].to_pylist() == labels
    assert [cell["word"] for cell in json.loads(format_scores_json(scores))["cells"]] == labels


def test_json_has_the_task_the_source_and_the_cells(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(SCORES, path)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "task": "ON word",
        **SOURCE,
        "standardise": None,
        "cells": TABLE.to_pylist(),
    }
    assert path.read_text(encoding="utf-8") == format_scores_json(SCORES)


def test_parquet_has_the_table_and_its_source(tmp_path):
    path = tmp_path / "scores.parquet"
    write_scores(SCORES, path)
    assert pq.read_table(path).to_pylist() == [row | SOURCE for row in TABLE.to_pylist()]


def test_scores_of_arrays_have_no_source():
    assert format_scores_csv(AbxScores(Task("word"), TABLE)).splitlines()[0] == "word,word_b,score,wins2,triplets"


def test_a_failed_write_names_the_file_and_leaves_nothing(tmp_path):
    (tmp_path / "scores.csv").mkdir()
    with pytest.raises(OutputError) as error:
        write_scores(SCORES, tmp_path / "scores.csv")
    assert "scores.csv" in str(error.value)
    assert "store" not in str(error.value).replace(str(tmp_path), "")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.csv"]
