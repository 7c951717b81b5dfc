"""Scores written to a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._csv import format_csv
from abxfast._files import write_atomic
from abxfast.errors import TaskError

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.scoring.scores import AbxScores

FORMATS = (".csv", ".tsv", ".json", ".parquet")


def check_output(path: Path) -> None:
    """Refuse an output file whose format is not known, before any work is done.

    Raises
    ------
    TaskError
        Where the suffix is none of `FORMATS`, or the folder is not there.
    """
    if path.suffix.lower() not in FORMATS:
        raise TaskError(f"-o {path}: found {path.suffix or 'no suffix'}, expected {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise TaskError(f"-o {path}: no folder {path.parent}; make it first")


def write_scores(scores: AbxScores, path: Path) -> None:
    """Write a table in the format that its suffix names: whole, or not at all."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(_withorigin_of(scores), sink)
        write_atomic(path, memoryview(sink.getvalue()))
        return
    text = (
        format_scores_json(scores)
        if suffix == ".json"
        else format_scores_csv(scores, "\t" if suffix == ".tsv" else ",")
    )
    write_atomic(path, text.encode())


def format_scores_csv(scores: AbxScores, separator: str = ",") -> str:
    """Give the table as text; a cell that could not be scored has an empty score."""
    return format_csv(_withorigin_of(scores), separator)


def format_scores_json(scores: AbxScores) -> str:
    """Give the table, and where it comes from, as JSON; a cell that could not be scored has the score null."""
    return json.dumps({**origin_of(scores), "cells": scores.table.to_pylist()}, ensure_ascii=False, indent=1) + "\n"


def origin_of(scores: AbxScores) -> dict[str, str | None]:
    return {
        "task": str(scores.task),
        "encoder": scores.encoder,
        "variant": scores.variant,
        "snippet": scores.snippet,
    }


def _withorigin_of(scores: AbxScores) -> pa.Table:
    """Add columns that say what was scored, so that a file never goes without the name of its encoder."""
    table = scores.table
    for name, value in origin_of(scores).items():
        if name != "task" and value is not None:
            table = table.append_column(name, pa.array([value] * table.num_rows, pa.string()))
    return table
