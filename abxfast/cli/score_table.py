"""Scores as a table that fits the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from abxfast._files import to_printable

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

    from abxfast.scoring import AbxScores

MAX_ROWS = 40
"""Rows that a terminal shows of a long table."""
_SCORE_WIDTH = 7
_MIN_NAME = 20
HOW_TO_READ = (
    "How to read it: the share of triplets in which X is closer to A (the same {on}) than to B. "
    "0.5: chance level; 1: perfect discrimination."
)


def print_scores(scores: AbxScores, console: Console) -> None:
    """Print scores as a matrix if that fits, else as a list, with a sentence on how to read them."""
    console.print(to_printable(_title(scores)), style="bold", highlight=False)
    matrix = None if scores.task.by or scores.task.across else _matrix(scores, console.width)
    if matrix is not None:
        console.print(matrix)
    else:
        console.print(_list(scores))
        hidden = scores.table.num_rows - MAX_ROWS
        if hidden > 0:
            console.print(f"… and {hidden} more rows: -o scores.csv writes all", highlight=False)
    console.print(to_printable(HOW_TO_READ.format(on=scores.task.on)), style="dim", highlight=False)


def _title(scores: AbxScores) -> str:
    length = "whole items" if scores.snippet == "whole" else f"{scores.snippet} s snippets"
    estimated = ", estimated" if "standard_error" in scores.table.column_names else ""
    standardised = "" if scores.standardise is None else f", standardised: {scores.standardise}"
    return f"ABX {scores.task}{estimated}, encoder {scores.encoder} ({scores.variant}), {length}{standardised}"


def _matrix(scores: AbxScores, width: int) -> Table | None:
    """Lay out an ON task: a numbered row for A and X, a numbered column for B; None if that is too wide."""
    on = scores.task.on
    values = sorted({*scores.table[on].to_pylist(), *scores.table[f"{on}_b"].to_pylist()})
    numbers = [f"{number:>{len(str(len(values)))}} " for number in range(1, len(values) + 1)]
    longest = max(len(on) + len(" (A, X)"), *(len(numbers[0]) + cell_len(to_printable(str(value))) for value in values))
    available = width - _SCORE_WIDTH * len(values)
    if available < min(longest, _MIN_NAME):
        return None
    names = [
        number + _tail(to_printable(str(value)), available - len(number))
        for number, value in zip(numbers, values, strict=True)
    ]
    score = {(row[on], row[f"{on}_b"]): row["score"] for row in scores.table.to_pylist()}
    matrix = Table(box=None, pad_edge=False, padding=0)
    matrix.add_column(to_printable(f"{on} (A, X)"), no_wrap=True, width=min(longest, available))
    for number in range(1, len(values) + 1):
        matrix.add_column(f"B={number}", justify="right", no_wrap=True, width=_SCORE_WIDTH)
    for name, a in zip(names, values, strict=True):
        matrix.add_row(Text(name), *(_format_score(score, a, b) for b in values))
    return matrix


def _tail(name: str, width: int) -> str:
    """Shorten a name that is too wide to its end, where file names differ."""
    if cell_len(name) <= width:
        return name
    while cell_len(name) > width - 1:
        name = name[1:]
    return f"…{name}"


def _format_score(score: dict[tuple[Any, Any], float | None], a: object, b: object) -> str:
    value = score.get((a, b))
    if value is None:
        return "" if a == b else "n/a"
    return f"{value:.3f}"


def _list(scores: AbxScores) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    labels = scores.task.columns[:-3]
    for name in (*labels, "score", "triplets"):
        number = name not in labels
        table.add_column(to_printable(name), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in scores.table.slice(0, MAX_ROWS).to_pylist():
        score = "n/a" if row["score"] is None else f"{row['score']:.3f}"
        if row.get("standard_error"):
            score += f" ± {row['standard_error']:.3f}"
        table.add_row(*(Text(to_printable(str(row[name]))) for name in labels), score, f"{row['triplets']:,}")
    return table


def print_nearest(recording: str, nearest: pa.Table, console: Console) -> None:
    """Print the recordings that are closest to one, with a sentence on how to read them."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("recording", overflow="fold")
    for name in ("score", "distance"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in nearest.to_pylist():
        error = row.get("standard_error")
        score = f"{row['score']:.3f}" + (f" ± {error:.3f}" if error else "")
        table.add_row(Text(to_printable(row["recording"])), score, f"{row['distance']:.4f}")
    console.print(Text(to_printable(f"closest to {recording}")), style="bold")
    console.print(table)
    console.print(
        "score: mean of both directions; 0.5: chance level, 1: perfect discrimination. "
        "distance: mean cosine distance between snippets.",
        style="dim",
        highlight=False,
    )
