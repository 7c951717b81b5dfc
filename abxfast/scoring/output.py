"""Write scores to a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._files import format_csv, write_atomic
from abxfast.errors import TaskError
from abxfast.scoring.scores import add_source_columns

if TYPE_CHECKING:
    from pathlib import Path

    from abxfast.scoring.scores import AbxScores

TEXT_SUFFIXES = (".csv", ".tsv")
SUFFIXES = (*TEXT_SUFFIXES, ".json", ".parquet")


def check_output(path: Path, *, excel: bool = False) -> None:
    """Check that scores can be written to a file, before they are computed.

    Raises
    ------
    TaskError
        If the suffix is none of `SUFFIXES`, or not that of text for `excel`, or if the folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        found = f"suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise TaskError(f"`output`: {path} has {found}, expected {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if excel and path.suffix.lower() not in TEXT_SUFFIXES:
        raise TaskError(f"`excel`: {path} is no text, expected {' or '.join(TEXT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise TaskError(f"`output`: no folder {path.parent}; create it first")


def write_scores(scores: AbxScores, path: Path, *, excel: bool = False) -> None:
    """Write scores in the format that the suffix of the file names, whole or not at all.

    Parameters
    ----------
    scores : AbxScores
    path : Path
        See `check_output`.
    excel : bool
        Whether text begins with a byte order mark, without which Excel does not read UTF-8.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(add_source_columns(scores), sink)
        write_atomic(path, memoryview(sink.getvalue()))
    elif suffix == ".json":
        write_atomic(path, format_scores_json(scores).encode())
    else:
        write_atomic(path, format_scores_csv(scores, "\t" if suffix == ".tsv" else ",", excel=excel).encode())


def format_scores_csv(scores: AbxScores, separator: str = ",", *, excel: bool = False) -> str:
    """Return the table as delimited text; the score of a cell without triplets is empty."""
    return format_csv(add_source_columns(scores), separator, excel=excel)


def format_scores_json(scores: AbxScores) -> str:
    """Return task, source and table as JSON; the score of a cell without triplets is null."""
    document = {
        "task": str(scores.task),
        "encoder": scores.encoder,
        "variant": scores.variant,
        "snippet": scores.snippet,
        "standardise": scores.standardise,
        "cells": scores.table.to_pylist(),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"
