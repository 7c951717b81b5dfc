"""The schema of a results folder: its files, its tables, and the type and meaning of every column.

Writer, reader and data dictionary all follow it. Names of tables and columns are public: a change of them is a new
`FORMAT`.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

FORMAT = 4
"""Version of the results folder, kept in `RUN_FILE`.

4: every table of analyses got ``standardise``.

3: ``pairs`` and ``summary`` got ``verdict`` and ``reason``.

2: the table ``floors`` became ``self_baselines``, its ``within`` and ``drift`` became ``alternating_split`` and
``half_split``; the column ``cells_per_frame`` of ``summary`` became ``dims_per_frame``.
"""
RUN_FILE = "run.json"
"""What was run: versions, hashes, encoders, experiments, failures."""
STUDY_FILE = "study.toml"
"""Copy of the study file."""
TABLES_FOLDER = "tables"
PARTIAL_FOLDER = "partial"
"""Finished analyses of a study, from which an interrupted run resumes."""
DICTIONARY_FILE = "dictionary.json"
"""Data dictionary, inside `TABLES_FOLDER`."""


class Column(NamedTuple):
    """A column of a result table: its type, and its meaning in one sentence."""

    type: pa.DataType
    meaning: str


class TableSchema(NamedTuple):
    """A result table: what it holds in one sentence, and its columns in order."""

    description: str
    columns: dict[str, Column]


def _text(meaning: str) -> Column:
    return Column(pa.string(), meaning)


def _number(meaning: str) -> Column:
    return Column(pa.float64(), meaning)


def _count(meaning: str) -> Column:
    return Column(pa.int64(), meaning)


def _flag(meaning: str) -> Column:
    return Column(pa.bool_(), meaning)


_KEY = {
    "experiment": _text("name of the experiment in the study file"),
    "encoder": _text("name of the encoder"),
    "variant": _text("which vector of a snippet: layer and pooling"),
    "snippet_s": _number("length of the snippets in seconds; empty for whole items"),
    "standardise": _text("what was done to each channel of the vectors: none, center or zscore"),
}
_NOTE = {"note": _text("why a number is missing or limited; empty if it is neither")}
_VERDICT = {
    "verdict": _text(
        "different: there is evidence of a difference; no_evidence: there is none, though the test could have reached "
        "p ≤ 0.05; equivalent: the score is within the margin of 0.5; undecidable: nothing can be said, see reason"
    ),
    "reason": _text("why the verdict is undecidable, and what would be needed; otherwise empty"),
}
_VALUES = {
    "a": _text("one value of the ON column"),
    "b": _text("the other value"),
}
_PAIR = {"on": _text("the ON column: A and X share its value, B has another one"), **_VALUES}

SUMMARY = TableSchema(
    "One row per experiment, encoder, variant and snippet length: the mean over all cells.",
    {
        **_KEY,
        "score": _number("ABX score, mean over the cells: 0.5 is chance, 1 is perfect discrimination"),
        "low": _number("lower end of the 95% confidence interval of score"),
        "high": _number("upper end of the 95% confidence interval of score"),
        "p": _number("p-value of the permutation test; null hypothesis: the ON labels are exchangeable"),
        **_VERDICT,
        "cells": _count("number of cells with at least one triplet (ordered pairs, in each context)"),
        "triplets": _count("number of triplets"),
        "recordings": _count("number of recordings"),
        "snippets": _count("number of snippets"),
        "dim": _count("dimensions of a vector"),
        "dims_per_frame": _number(
            "dimensions of a vector per pooled frame: dim / (seconds × frames in one second), with 49 frames in one "
            "second of wav2vec 2.0"
        ),
        **_NOTE,
    },
)
PAIRS = TableSchema(
    "One row per unordered pair of values of ON: the score matrix, with confidence intervals and tests.",
    {
        **_KEY,
        **_PAIR,
        "context": _text("the contexts (BY, ACROSS) that the scores are averaged over; empty without BY and ACROSS"),
        "score_ab": _number("ABX score with A and X from a, B from b"),
        "score_ba": _number("ABX score with A and X from b, B from a"),
        "score": _number("mean of score_ab and score_ba"),
        "low": _number("lower end of the 95% confidence interval of score"),
        "high": _number("upper end of the 95% confidence interval of score"),
        "p": _number("p-value of this pair's permutation test, not adjusted; null hypothesis: exchangeable labels"),
        "p_holm": _number("p adjusted for all pairs of the matrix by Holm's method"),
        "p_bh": _number("p adjusted for all pairs of the matrix by the Benjamini–Hochberg method"),
        **_VERDICT,
        "triplets_ab": _count("number of triplets behind score_ab"),
        "triplets_ba": _count("number of triplets behind score_ba"),
        "n_a": _count("number of snippets of a"),
        "n_b": _count("number of snippets of b"),
        **_NOTE,
    },
)
CELLS = TableSchema(
    "One row per cell, as counted, before any averaging.",
    {
        **_KEY,
        **_PAIR,
        "context": _text(
            "values of BY, of ACROSS for A and B, and of ACROSS for X, as JSON; empty without BY and ACROSS"
        ),
        "score": _number("ABX score, wins2 / (2 · triplets); empty if the cell has no triplet"),
        "wins2": _count("2 · triplets won + triplets tied"),
        "triplets": _count("number of triplets"),
    },
)
SELF_BASELINES = TableSchema(
    "One row per recording of an experiment: the scores of the recording against itself.",
    {
        **_KEY,
        "label": _text("the recording"),
        "alternating_split": _number("ABX score of its odd 30 s blocks (A, X) against its even ones (B): the baseline"),
        "alternating_split_low": _number("lower end of the 95% confidence interval of alternating_split"),
        "alternating_split_high": _number("upper end of the 95% confidence interval of alternating_split"),
        "half_split": _number("ABX score of its first half (A, X) against its second half (B): drift over time"),
        "half_split_low": _number("lower end of the 95% confidence interval of half_split"),
        "half_split_high": _number("upper end of the 95% confidence interval of half_split"),
        "n": _count("number of snippets"),
        **_NOTE,
    },
)
RECORDINGS = TableSchema(
    "One row per recording: audio quality measured on the file, then the metadata columns of the manifest.",
    {
        "recording": _text("name of the recording"),
        "path": _text("path of the audio file, relative to the results folder"),
        "seconds": _number("duration in seconds"),
        "rate_hz": _count("sampling rate in Hz"),
        "channels": _count("number of channels"),
        "level_db": _number("root mean square of the mixed channels in dB re full scale"),
        "clipping": _number("share of samples that are at least the third in a row at the file's own peak"),
        "bandwidth_hz": _number("highest frequency whose mean power is within 50 dB of the strongest one's, in Hz"),
        "noise_db": _number(
            "10th percentile of the level of 50 ms frames, digital silence excluded, in dB re full scale"
        ),
        **_NOTE,
    },
)
CONFOUNDS = TableSchema(
    "One row per analysis and audio quality measure: its correlation with the scores of pairs of recordings.",
    {
        **_KEY,
        "measure": _text("column of the table recordings"),
        "correlation": _number(
            "rank correlation of |difference of the measure| with the score, over pairs of recordings"
        ),
        "p": _number("p-value of the two-sided Mantel test (the measure is permuted over recordings)"),
        "pairs": _count("number of pairs of recordings"),
        **_NOTE,
    },
)
CLASSIFICATION = TableSchema(
    "One row per recording: its label as predicted from the recordings with the lowest scores against it.",
    {
        **_KEY,
        "classify": _text("the metadata column that is predicted"),
        "recording": _text("the recording that was left out"),
        "label": _text("its own label"),
        "predicted": _text("the label with the lowest mean score; empty if two labels share it"),
        "correct": _flag("whether the prediction is right; empty if no other recording has its label"),
    },
)
ACCURACY = TableSchema(
    "One row per classification: its accuracy.",
    {
        **_KEY,
        "classify": _text("the metadata column that is predicted"),
        "accuracy": _number("share of recordings whose label is predicted correctly"),
        "low": _number("lower end of the 95% confidence interval (Wilson)"),
        "high": _number("upper end of the 95% confidence interval (Wilson)"),
        "chance": _number("majority-class baseline: the share of the most frequent label"),
        "n": _count("number of recordings"),
        **_NOTE,
    },
)
CONFUSION = TableSchema(
    "One row per entry of the confusion matrix of a classification.",
    {
        **_KEY,
        "classify": _text("the metadata column that is predicted"),
        "label": _text("true label"),
        "predicted": _text("predicted label; empty if two labels share the lowest score"),
        "n": _count("number of recordings, of those that the accuracy counts"),
    },
)
LISTENING = TableSchema(
    "For each pair, the snippets X that were discriminated best and worst: where to listen.",
    {
        **_KEY,
        **_VALUES,
        "recording": _text("the recording of X"),
        "start_s": _number("start of X in the recording, in seconds"),
        "end_s": _number("end of X in the recording, in seconds"),
        "role": _text("most (discriminated best) or least (discriminated worst)"),
        "share": _number("ABX score of this X: share of its triplets won, ties counted one half"),
        "path": _text("path of the audio file, relative to the results folder"),
    },
)
SENTENCES = TableSchema(
    "The results in plain words.",
    {
        **_KEY,
        "kind": _text("subject of the sentence: summary, channels, pair, baseline, length, confound or classification"),
        "text": _text("one sentence"),
    },
)

TABLES: dict[str, TableSchema] = {
    "summary": SUMMARY,
    "pairs": PAIRS,
    "cells": CELLS,
    "self_baselines": SELF_BASELINES,
    "recordings": RECORDINGS,
    "confounds": CONFOUNDS,
    "classification": CLASSIFICATION,
    "accuracy": ACCURACY,
    "confusion": CONFUSION,
    "listening": LISTENING,
    "sentences": SENTENCES,
}
"""All result tables by name; the table ``recordings`` also has the metadata columns of the manifest."""
