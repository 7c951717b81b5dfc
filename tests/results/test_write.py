"""Result tables as files: schema, values, data dictionary."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abxfast.results import TABLES, write_tables

SUMMARY = {"experiment": "e", "encoder": "mfcc", "variant": "mfcc.max", "snippet_s": None, "note": 'ŋ, "q"\nx'}
METADATA = {"genre": "genre", "path": "manifest_path"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "tables"
    summary = SUMMARY | {"score": 2 / 3, "low": float("nan"), "high": float("inf"), "p": 1e-17 / 3, "cells": 7}
    recording = {"recording": "a.wav", "path": "../a.wav", "genre": "tale", "manifest_path": "a.wav"}
    write_tables(folder, {"summary": [summary], "recordings": [recording]}, METADATA)
    return folder


def test_csv_is_safe_in_a_spreadsheet_and_the_other_formats_are_as_they_were(tmp_path):
    rows = {"pairs": [{"a": "-ta", "b": "=1+1", "score": -0.5}], "recordings": [{"recording": "@x", "genre": "+"}]}
    write_tables(tmp_path, rows, METADATA, excel=True)
    for name in TABLES:
        assert (tmp_path / f"{name}.csv").read_bytes().startswith(b"\xef\xbb\xbf")
        assert not (tmp_path / f"{name}.json").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "pairs.csv").open(encoding="utf-8-sig", newline="") as file:
        [pair] = csv.DictReader(file)
    assert (pair["a"], pair["b"], pair["score"]) == ("'-ta", "'=1+1", "-0.5")
    [pair] = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert (pair["a"], pair["b"], pair["score"]) == ("-ta", "=1+1", -0.5)
    [recording] = json.loads((tmp_path / "recordings.json").read_text(encoding="utf-8"))
    assert (recording["recording"], recording["genre"]) == ("@x", "+")


def test_every_table_is_written_in_every_format(folder):
    expected = {f"{name}.{suffix}" for name in TABLES for suffix in ("csv", "json", "parquet")} | {"dictionary.json"}
    assert {path.name for path in folder.iterdir()} == expected


@pytest.mark.parametrize("name", TABLES)
def test_columns_and_types_follow_the_schema_even_without_rows(name, folder):
    schema = pq.read_schema(folder / f"{name}.parquet")
    expected = {column: kind for column, (kind, _) in TABLES[name].columns.items()}
    if name == "recordings":
        expected |= dict.fromkeys(METADATA.values(), pa.string())
    assert dict(zip(schema.names, schema.types, strict=True)) == expected


def test_numbers_keep_ten_digits_and_what_is_not_finite_is_null(folder):
    [row] = pq.read_table(folder / "summary.parquet").to_pylist()
    assert row == dict.fromkeys(TABLES["summary"].columns) | SUMMARY | {
        "score": 0.6666666667,
        "p": 3.333333333e-18,
        "cells": 7,
    }
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == [row]
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [
            {name: "" if value is None else str(value) for name, value in row.items()}
        ]


def test_metadata_columns_follow_those_of_the_recordings(folder):
    [row] = pq.read_table(folder / "recordings.parquet").to_pylist()
    assert (row["path"], row["genre"], row["manifest_path"]) == ("../a.wav", "tale", "a.wav")


def test_the_data_dictionary_explains_every_column(folder):
    dictionary = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    assert list(dictionary) == list(TABLES)
    for name, table in dictionary.items():
        assert table["row"].endswith(".")
        assert list(table["columns"]) == pq.read_schema(folder / f"{name}.parquet").names
        assert all(column["type"] and column["meaning"] for column in table["columns"].values())
    assert dictionary["recordings"]["columns"]["manifest_path"]["meaning"] == "column 'path' of the manifest"
    assert dictionary["summary"]["columns"]["low"] == {
        "type": "double",
        "meaning": "lower end of the 95% confidence interval of score",
    }
