"""The schema of a results folder: its files, its tables, and the type and meaning of every column.

Writer, reader and data dictionary all follow it. Names of tables and columns are public: a change of them is a new
`FORMAT`.
"""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

FORMAT = 4
"""Version of the results folder, kept in `RUN_FILE`.

4: every table of analyses got ``standardise``; the tables ``copies`` and ``best_variants`` are new; ``confounds`` got
``method``, ``values`` and ``recordings``, and ``recordings`` got ``mix_db``. Only default variants have sentences.
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
        "low_corrected": _number("lower end of the interval at the level 1 − 0.05 / variants of the encoder"),
        "high_corrected": _number("upper end of that interval"),
        "p_corrected": _number("p times the number of the encoder's variants, at most 1 (Bonferroni)"),
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
BEST_VARIANTS = TableSchema(
    "One row per experiment, encoder with several variants, and length: the variant with the highest score.",
    {
        **_KEY,
        "score": _number("its mean ABX score"),
        "low": _number("lower end of its confidence interval, corrected for the choice: 95% for all variants jointly"),
        "high": _number("upper end of that interval"),
        "p": _number("p-value of its permutation test, corrected for the choice (Bonferroni)"),
        "verdict": _text("different, no_evidence or equivalent, after the correction; empty if none can be judged"),
        "variants": _count("number of variants of the encoder"),
        "compared": _count("number of those that can be judged and have a corrected interval"),
        "overlapping": _count("number of other variants whose corrected intervals overlap its own"),
        "not_judged": _text("variants that score higher but cannot be judged"),
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
        "mix_db": _number(
            "level of the mixed channels relative to a channel, in dB: about −3 if two are unrelated, 0 if there is one"
        ),
        **_NOTE,
    },
)
COPIES = TableSchema(
    "One row per pair of recordings that hold the same audio.",
    {
        "recording": _text("one recording"),
        "other": _text("the other recording"),
        "kind": _text("bytes: the files are the same; audio: the same up to codec, level, rate and some seconds"),
        "correlation": _number("correlation of the changes of the two spectra, over the first minute; 1 for bytes"),
        "offset_s": _number("what other has in excess at its start, in seconds"),
        "gain_db": _number("level of other relative to that of recording, in dB"),
    },
)
CONFOUNDS = TableSchema(
    "One row per analysis and audio quality measure: whether it goes along with what the experiment compares.",
    {
        **_KEY,
        "measure": _text("column of the table recordings"),
        "method": _text(
            "pairs: each value of ON is a recording, and differences of the measure are correlated with the scores of "
            "the experiment's pairs; values: the measure is compared between the values of ON"
        ),
        "correlation": _number(
            "pairs: rank correlation of |difference of the measure| with the score; values: correlation ratio of the "
            "measure's ranks and ON within BY and ACROSS, from 0 to 1"
        ),
        "p": _number(
            "p-value of a permutation test: of the two-sided Mantel test (pairs), or with the values of ON permuted "
            "over recordings, within BY and ACROSS (values)"
        ),
        "values": _text("values: mean of the measure for the values of ON where it is lowest and highest"),
        "pairs": _count("pairs: number of pairs of recordings"),
        "recordings": _count("number of recordings that were measured"),
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
    "The results in plain words: those of the default variant of each encoder, and comparisons.",
    {
        **_KEY,
        "kind": _text(
            "subject of the sentence: summary, channels (of the vectors), pair, baseline, confound, classification; "
            "length, variant (comparisons of lengths and of variants); copy, cancellation (recordings of an experiment "
            "that are copies of each other, or whose channels cancel)"
        ),
        "text": _text("one sentence"),
    },
)

TABLES: dict[str, TableSchema] = {
    "summary": SUMMARY,
    "best_variants": BEST_VARIANTS,
    "pairs": PAIRS,
    "cells": CELLS,
    "self_baselines": SELF_BASELINES,
    "recordings": RECORDINGS,
    "copies": COPIES,
    "confounds": CONFOUNDS,
    "classification": CLASSIFICATION,
    "accuracy": ACCURACY,
    "confusion": CONFUSION,
    "listening": LISTENING,
    "sentences": SENTENCES,
}
"""All result tables by name; the table ``recordings`` also has the metadata columns of the manifest."""
