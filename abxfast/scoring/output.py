"""Tables of scores: into files, and onto a terminal in a form that fits it."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from abxfast.errors import TaskError
from abxfast.store.parquet import write_aside

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from abxfast.scoring.score import AbxScores

FORMATS = (".csv", ".tsv", ".json", ".parquet")
MOST_ROWS = 40
"""Rows that a terminal shows of a long table."""
_SCORE_WIDTH = 7
_LEAST_NAME = 20
HOW_TO_READ = (
    "How to read it: the share of triplets in which X is closer to A (the same {on}) than to B. "
    "0.5: cannot be told apart; 1: always told apart."
)


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


def write(scores: AbxScores, path: Path) -> None:
    """Write a table in the format that its suffix names: whole, or not at all."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(_with_origin(scores), sink)
        write_aside(path, memoryview(sink.getvalue()))
        return
    text = to_json(scores) if suffix == ".json" else to_csv(scores, "\t" if suffix == ".tsv" else ",")
    write_aside(path, text.encode())


def to_csv(scores: AbxScores, separator: str = ",") -> str:
    """Give the table as text; a cell that could not be scored has an empty score."""
    table = _with_origin(scores)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(table.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    return out.getvalue()


def to_json(scores: AbxScores) -> str:
    """Give the table, and where it comes from, as JSON; a cell that could not be scored has the score null."""
    return json.dumps({**_origin(scores), "cells": scores.table.to_pylist()}, ensure_ascii=False, indent=1) + "\n"


def show(scores: AbxScores, console: Console) -> None:
    """Print a table as a matrix where that fits, else as a list, with a sentence that says how to read it."""
    console.print(_title(scores), style="bold", highlight=False)
    matrix = None if scores.task.by or scores.task.across else _matrix(scores, console.width)
    if matrix is not None:
        console.print(matrix)
    else:
        console.print(_list(scores))
        hidden = scores.table.num_rows - MOST_ROWS
        if hidden > 0:
            console.print(f"… and {hidden} more rows: -o scores.csv writes all", highlight=False)
    console.print(HOW_TO_READ.format(on=scores.task.on), style="dim", highlight=False)


def _title(scores: AbxScores) -> str:
    origin = _origin(scores)
    snippet = origin["snippet"]
    length = "whole items" if snippet == "whole" else f"{snippet} s snippets"
    return f"ABX {scores.task}, encoder {origin['encoder']} ({origin['variant']}), {length}"


def _origin(scores: AbxScores) -> dict[str, str | None]:
    return {
        "task": str(scores.task),
        "encoder": scores.encoder,
        "variant": scores.variant,
        "snippet": scores.snippet,
    }


def _with_origin(scores: AbxScores) -> pa.Table:
    """Add columns that say what was scored, so that a file never goes without the name of its encoder."""
    table = scores.table
    for name, value in _origin(scores).items():
        if name != "task" and value is not None:
            table = table.append_column(name, pa.array([value] * table.num_rows, pa.string()))
    return table


def _matrix(scores: AbxScores, width: int) -> Table | None:
    """Lay out an ON task: a numbered row for A and X, a numbered column for B; ``None`` where that is too wide."""
    on = scores.task.on
    values = sorted({*scores.table[on].to_pylist(), *scores.table[f"{on}_b"].to_pylist()})
    numbers = [f"{number:>{len(str(len(values)))}} " for number in range(1, len(values) + 1)]
    longest = max(len(on) + len(" (A, X)"), *(len(numbers[0]) + cell_len(str(value)) for value in values))
    room = width - _SCORE_WIDTH * len(values)
    if room < min(longest, _LEAST_NAME):
        return None
    names = [number + _tail(str(value), room - len(number)) for number, value in zip(numbers, values, strict=True)]
    score = {(row[on], row[f"{on}_b"]): row["score"] for row in scores.table.to_pylist()}
    matrix = Table(box=None, pad_edge=False, padding=0)
    matrix.add_column(f"{on} (A, X)", no_wrap=True, width=min(longest, room))
    for number in range(1, len(values) + 1):
        matrix.add_column(f"B={number}", justify="right", no_wrap=True, width=_SCORE_WIDTH)
    for name, a in zip(names, values, strict=True):
        matrix.add_row(Text(name), *(_shown(score, a, b) for b in values))
    return matrix


def _tail(name: str, width: int) -> str:
    """Keep the end of a name that is too wide: file names differ there, folders at the start."""
    if cell_len(name) <= width:
        return name
    while cell_len(name) > width - 1:
        name = name[1:]
    return f"…{name}"


def _shown(score: dict[tuple[Any, Any], float | None], a: object, b: object) -> str:
    value = score.get((a, b))
    if value is None:
        return "" if a == b else "n/a"
    return f"{value:.3f}"


def _list(scores: AbxScores) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for name in scores.task.columns:
        number = name in ("score", "wins2", "triplets")
        if name != "wins2":
            table.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in scores.table.slice(0, MOST_ROWS).to_pylist():
        score = "n/a" if row["score"] is None else f"{row['score']:.3f}"
        labels = [Text(str(row[name])) for name in scores.task.columns[:-3]]
        table.add_row(*labels, score, f"{row['triplets']:,}")
    return table
