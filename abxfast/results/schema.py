"""The tables of a study: what their columns mean, and the files that hold them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from abxfast._csv import format_csv
from abxfast._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Row = dict[str, Any]
Column = tuple[pa.DataType, str]

_TEXT, _NUMBER, _COUNT, _FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
_DIGITS = 10
"""Significant digits that a table keeps of a number: beyond any meaning, and short of what a processor may round."""

_KEY: dict[str, Column] = {
    "experiment": (_TEXT, "name of the experiment, as the study file gives it"),
    "encoder": (_TEXT, "name of the encoder"),
    "variant": (_TEXT, "which vector of a snippet: layer and pooling"),
    "snippet_s": (_NUMBER, "length of the snippets in seconds; empty for whole items"),
}
_NOTE: dict[str, Column] = {"note": (_TEXT, "what stands in the way of a number, or limits it; empty if nothing does")}
_PAIR: dict[str, Column] = {
    "on": (_TEXT, "the column that is compared: A and X share its value, B has another"),
    "a": (_TEXT, "one value of that column"),
    "b": (_TEXT, "the other value"),
}

TABLES: dict[str, tuple[str, dict[str, Column]]] = {
    "summary": (
        "One row for each experiment, encoder, variant and snippet length: the mean of all its cells.",
        _KEY
        | {
            "score": (_NUMBER, "ABX score, mean over the cells: 0.5 is chance, 1 is told apart every time"),
            "low": (_NUMBER, "lower end of the 95 % confidence interval"),
            "high": (_NUMBER, "upper end of the 95 % confidence interval"),
            "p": (_NUMBER, "permutation test of: the labels are exchangeable"),
            "cells": (_COUNT, "cells that were scored (ordered pairs, in each context)"),
            "triplets": (_COUNT, "triplets that were counted"),
            "recordings": (_COUNT, "recordings that took part"),
            "snippets": (_COUNT, "snippets that took part"),
            "dim": (_COUNT, "numbers in a vector"),
            "dims_per_frame": (
                _NUMBER,
                "numbers of a vector for each frame pooled: dim / (seconds × frames in one second, 49 in wav2vec 2.0)",
            ),
        }
        | _NOTE,
    ),
    "pairs": (
        "One row for each unordered pair of values of ON: the matrix, with its intervals and tests.",
        _KEY
        | _PAIR
        | {
            "context": (_TEXT, "what the scores were averaged over (BY, ACROSS); empty without either"),
            "score_ab": (_NUMBER, "score with A and X from a, B from b"),
            "score_ba": (_NUMBER, "score with A and X from b, B from a"),
            "score": (_NUMBER, "mean of both directions"),
            "low": (_NUMBER, "lower end of the 95 % confidence interval of score"),
            "high": (_NUMBER, "upper end of the 95 % confidence interval of score"),
            "p": (_NUMBER, "permutation test of: the labels are exchangeable, one pair by itself"),
            "p_holm": (_NUMBER, "p adjusted for all pairs of the matrix (Holm)"),
            "p_bh": (_NUMBER, "p adjusted for all pairs of the matrix (Benjamini and Hochberg)"),
            "triplets_ab": (_COUNT, "triplets behind score_ab"),
            "triplets_ba": (_COUNT, "triplets behind score_ba"),
            "n_a": (_COUNT, "snippets of a"),
            "n_b": (_COUNT, "snippets of b"),
        }
        | _NOTE,
    ),
    "cells": (
        "One row for each cell, as it was counted: nothing is averaged.",
        _KEY
        | _PAIR
        | {
            "context": (_TEXT, "JSON of the values of BY and ACROSS (and of ACROSS for X); empty without either"),
            "score": (_NUMBER, "wins2 / (2 · triplets); empty where the cell has no triplet"),
            "wins2": (_COUNT, "2 · triplets won + triplets tied"),
            "triplets": (_COUNT, "triplets"),
        },
    ),
    "self_baselines": (
        "One row for each recording of an experiment: what it scores against itself.",
        _KEY
        | {
            "label": (_TEXT, "the recording"),
            "alternating_split": (_NUMBER, "score of its odd 30 s blocks (A, X) against its even ones (B): the floor"),
            "alternating_split_low": (_NUMBER, "lower end of the 95 % confidence interval of within"),
            "alternating_split_high": (_NUMBER, "upper end of the 95 % confidence interval of within"),
            "half_split": (_NUMBER, "score of its first half (A, X) against its second (B)"),
            "half_split_low": (_NUMBER, "lower end of the 95 % confidence interval of drift"),
            "half_split_high": (_NUMBER, "upper end of the 95 % confidence interval of drift"),
            "n": (_COUNT, "snippets"),
        }
        | _NOTE,
    ),
    "recordings": (
        "One row for each recording: how it was recorded, measured on the file; then the columns of the manifest.",
        {
            "recording": (_TEXT, "name of the recording"),
            "path": (_TEXT, "the audio file, as seen from the results folder"),
            "seconds": (_NUMBER, "length"),
            "rate_hz": (_COUNT, "samples a second"),
            "channels": (_COUNT, "channels"),
            "level_db": (_NUMBER, "root mean square of the mixed channels, dB re full scale"),
            "clipping": (_NUMBER, "share of samples that stand at the file's own peak for three samples or more"),
            "bandwidth_hz": (_NUMBER, "highest frequency whose power comes within 50 dB of the strongest band's"),
            "noise_db": (
                _NUMBER,
                "level of the quietest tenth of its 50 ms stretches that are not digital silence, dB",
            ),
        }
        | _NOTE,
    ),
    "confounds": (
        "How far differences in how recordings were made go along with their scores.",
        _KEY
        | {
            "measure": (_TEXT, "column of the table recordings"),
            "correlation": (_NUMBER, "rank correlation of |difference| with the score, over pairs of recordings"),
            "p": (_NUMBER, "two-sided Mantel test: the recordings' measures permuted"),
            "pairs": (_COUNT, "pairs of recordings"),
        }
        | _NOTE,
    ),
    "classification": (
        "One row for each recording: the label of the recordings that it is hardest to tell from.",
        _KEY
        | {
            "classify": (_TEXT, "the column whose label is guessed"),
            "recording": (_TEXT, "the recording that was left out"),
            "label": (_TEXT, "its own label"),
            "predicted": (_TEXT, "the label with the lowest mean score; empty where two labels share it"),
            "correct": (_FLAG, "whether they agree; empty where no other recording has its label"),
        },
    ),
    "accuracy": (
        "How often the classification is right.",
        _KEY
        | {
            "classify": (_TEXT, "the column whose label is guessed"),
            "accuracy": (_NUMBER, "share of recordings that got their own label"),
            "low": (_NUMBER, "lower end of the 95 % interval (Wilson)"),
            "high": (_NUMBER, "upper end of the 95 % interval (Wilson)"),
            "chance": (_NUMBER, "share of the commonest label: what guessing it always would get"),
            "n": (_COUNT, "recordings"),
        }
        | _NOTE,
    ),
    "confusion": (
        "The confusion matrix of the classification, as a list.",
        _KEY
        | {
            "classify": (_TEXT, "the column whose label is guessed"),
            "label": (_TEXT, "own label"),
            "predicted": (_TEXT, "label given; empty where two labels share the lowest score"),
            "n": (_COUNT, "recordings, of those that the accuracy counts"),
        },
    ),
    "listening": (
        "For each pair, the snippets X that were most and least often told: where to listen.",
        _KEY
        | {
            "a": (_TEXT, "one value of ON"),
            "b": (_TEXT, "the other value"),
            "recording": (_TEXT, "the recording that X is from"),
            "start_s": (_NUMBER, "start of X in the recording"),
            "end_s": (_NUMBER, "end of X in the recording"),
            "role": (_TEXT, "most or least discriminated"),
            "share": (_NUMBER, "share of the triplets with this X that were won"),
            "path": (_TEXT, "the audio file, as seen from the results folder"),
        },
    ),
    "sentences": (
        "What the numbers say, in plain words.",
        _KEY
        | {
            "kind": (_TEXT, "summary, pair, floor, length, confound or classification"),
            "text": (_TEXT, "one sentence"),
        },
    ),
}
"""For each table, what a row is, and its columns: type and meaning."""


def write_tables(folder: Path, rows: Mapping[str, Sequence[Row]], metadata: Mapping[str, str]) -> None:
    """Write every table as CSV, Parquet and JSON, and the dictionary that explains them.

    Parameters
    ----------
    folder : Path
    rows : mapping of str to sequence of dict
        By the name of the table; a table without rows is written too.
    metadata : mapping of str to str
        Columns of the manifest that the table ``recordings`` has besides its own, and what they are called there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, (_, columns) in TABLES.items():
        more = dict.fromkeys(metadata.values(), (_TEXT, "from the manifest")) if name == "recordings" else {}
        table = make_table(rows.get(name, ()), columns | more)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_atomic(folder / f"{name}.parquet", memoryview(sink.getvalue()))
        write_atomic(folder / f"{name}.csv", format_csv(table).encode())
        text = json.dumps(table.to_pylist(), ensure_ascii=False, indent=1, allow_nan=False)
        write_atomic(folder / f"{name}.json", f"{text}\n".encode())
    write_atomic(folder / "dictionary.json", _dictionary(metadata).encode())


def make_table(rows: Sequence[Row], columns: Mapping[str, Column]) -> pa.Table:
    """Give rows as a table of these columns; a number that is not finite becomes null."""
    return pa.table(
        {name: pa.array([_value(row.get(name)) for row in rows], kind) for name, (kind, _) in columns.items()}
    )


def _value(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value


def _dictionary(metadata: Mapping[str, str]) -> str:
    described = {}
    for name, (row, own) in TABLES.items():
        columns = {column: {"type": str(kind), "meaning": meaning} for column, (kind, meaning) in own.items()}
        if name == "recordings":
            columns |= {
                there: {"type": "string", "meaning": f"column {written!r} of the manifest"}
                for written, there in metadata.items()
            }
        described[name] = {"row": row, "columns": columns}
    return json.dumps(described, ensure_ascii=False, indent=1) + "\n"
