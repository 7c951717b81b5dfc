"""The rows of all result tables of one analysis."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import TaskError
from abxfast.scoring import encode_label, measure_dominance, standardise_vectors
from abxfast.statistics import UNDECIDABLE
from abxfast.study.confounds import confound_rows, describe_confounds
from abxfast.study.inference import Scored, infer, score
from abxfast.study.recording_pairs import classification_rows, recording_matrix
from abxfast.study.selection import value_of
from abxfast.study.sentences import (
    describe_baselines,
    describe_classification,
    describe_dominance,
    describe_generality,
    describe_pairs,
    describe_summary,
)
from abxfast.study.table_rows import baseline_rows, cell_rows, listening_rows, pair_rows, sample_sizes, summary_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.scoring import Dominance
    from abxfast.store import Snippets
    from abxfast.study.analysis import Analysis

logger = logging.getLogger(__name__)


def compute_tables(
    analysis: Analysis, snippets: Snippets, *, memory_mb: float = 512, threads: int | None = None
) -> dict[str, list[Row]]:
    """Score an analysis and return the rows of every table.

    If nothing can be scored, the only row is one of the summary, with a note that says why.
    """
    experiment = analysis.selection.experiment
    labels = _labels(analysis, snippets)
    dominance = measure_dominance(snippets.embeddings)
    if analysis.standardise is not None:
        standardised = standardise_vectors(snippets.embeddings, analysis.standardise, memory_mb=memory_mb)
        snippets = replace(snippets, embeddings=standardised)
    try:
        scored = score(
            snippets.embeddings, labels, experiment, seed=analysis.seed, memory_mb=memory_mb, threads=threads
        )
    except TaskError as error:
        return {"summary": [_not_scored(analysis, snippets, str(error))]}
    if not any(scored.scores.table["triplets"].to_pylist()):
        return {"summary": [_not_scored(analysis, snippets, "no cell has a triplet")]}
    pairs, pair_of_cell = _pairs(analysis, scored)
    values = encode_label(experiment.task.on, labels)[1].to_pylist()
    codes = {value: code for code, value in enumerate(values)}
    inference = infer(
        snippets.embeddings,
        labels,
        experiment,
        scored,
        pair_of_cell,
        np.array([[codes[a], codes[b]] for a, b in pairs], np.int64),
        permutations=analysis.permutations,
        seed=analysis.seed,
        margin=analysis.margin,
        variants=analysis.n_variants,
        threads=threads,
    )
    sizes = Counter(labels[experiment.task.on])
    rows: dict[str, list[Row]] = {
        "cells": cell_rows(analysis, scored),
        "pairs": pair_rows(analysis, scored, inference, pairs, pair_of_cell, sizes),
        "summary": [summary_row(analysis, snippets, scored, inference)],
        "self_baselines": baseline_rows(analysis, snippets, labels, memory_mb, threads),
        "listening": listening_rows(analysis, snippets, scored, pairs, pair_of_cell) if scored.has_snippets else [],
    }
    rows["confounds"] = confound_rows(analysis, labels, rows["pairs"])
    if experiment.classify:
        matrix = recording_matrix(analysis, snippets, labels, scored, memory_mb, threads)
        rows |= classification_rows(analysis, *matrix)
    if analysis.has_sentences:
        rows["sentences"] = _sentence_rows(analysis, rows, None if analysis.standardise else dominance)
    return rows


def _not_scored(analysis: Analysis, snippets: Snippets, reason: str) -> Row:
    """Return the row of the summary of an analysis in which nothing can be scored."""
    logger.warning("%s: %s", analysis, reason)
    note = "; ".join((f"not scored: {reason}", *analysis.left_out))
    row = analysis.key | sample_sizes(analysis, snippets) | {"cells": 0, "triplets": 0, "note": note}
    return row | {"verdict": UNDECIDABLE, "reason": reason}


def _labels(analysis: Analysis, snippets: Snippets) -> dict[str, Sequence[object]]:
    """Return the columns that the experiment needs, one value per snippet."""
    experiment = analysis.selection.experiment
    items = {item.item: item for item in analysis.selection.items}
    labels: dict[str, Sequence[object]] = {
        "recording": snippets.recordings,
        "item": snippets.items,
        "start_s": snippets.start_s.tolist(),
        "end_s": snippets.end_s.tolist(),
    }
    for name in (*experiment.task.labels, *experiment.different):
        labels.setdefault(name, [value_of(items[item], name) for item in snippets.items])
    return labels


def _pairs(analysis: Analysis, scored: Scored) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """Return the unordered pairs of values of ON and, as int64 of shape (cells,), the pair of each cell.

    Pairs, and the values of a pair, are in the order in which the manifest first has them.
    """
    on = analysis.selection.experiment.task.on
    values = dict.fromkeys(value_of(item, on) for item in analysis.selection.items)
    order = {value: number for number, value in enumerate(values)}
    table = scored.scores.table
    cell_pairs = [
        (a, b) if order[a] < order[b] else (b, a)
        for a, b in zip(table[on].to_pylist(), table[f"{on}_b"].to_pylist(), strict=True)
    ]
    pairs = sorted(set(cell_pairs), key=lambda pair: (order[pair[0]], order[pair[1]]))
    index = {pair: number for number, pair in enumerate(pairs)}
    return pairs, np.array([index[pair] for pair in cell_pairs], np.int64)


def _sentence_rows(analysis: Analysis, rows: Mapping[str, list[Row]], dominance: Dominance | None) -> list[Row]:
    on = analysis.selection.experiment.task.on
    sentences = (
        *describe_summary(rows["summary"][0], rows["pairs"], on),
        *describe_dominance(rows["summary"][0], dominance),
        *describe_pairs(rows["pairs"], analysis.margin),
        *describe_generality(on, _recordings_of_values(analysis), rows["pairs"]),
        *describe_baselines(rows["self_baselines"]),
        *describe_confounds(rows["confounds"], on),
        *describe_classification(rows.get("accuracy", ())),
    )
    return [analysis.key | {"kind": kind, "text": text} for kind, text in sentences]


def _recordings_of_values(analysis: Analysis) -> dict[object, set[str]]:
    """Return the recordings of each value of ON."""
    recordings: dict[object, set[str]] = {}
    for item in analysis.selection.items:
        recordings.setdefault(value_of(item, analysis.selection.experiment.task.on), set()).add(item.recording)
    return recordings
