"""The rows of all tables of one analysis."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from abxfast.errors import TaskError
from abxfast.scoring import encode_label
from abxfast.study.inference import Scored, infer, score
from abxfast.study.recording_pairs import classification_rows, confound_rows, recording_matrix
from abxfast.study.selection import value_of
from abxfast.study.sentences import (
    describe_baselines,
    describe_classification,
    describe_confounds,
    describe_pairs,
    describe_summary,
)
from abxfast.study.table_rows import cell_rows, floor_rows, listening_rows, pair_rows, sample_sizes, summary_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.store import Snippets
    from abxfast.study.analysis import Analysis

logger = logging.getLogger(__name__)


def compute_tables(
    step: Analysis, snippets: Snippets, *, memory_mb: float = 512, threads: int | None = None
) -> dict[str, list[Row]]:
    """Score a step and give the rows of every table.

    What cannot be scored on this material gives a row of the summary whose note says why.
    """
    experiment = step.selection.experiment
    labels = _labels(step, snippets)
    try:
        scored = score(snippets.embeddings, labels, experiment, seed=step.seed, memory_mb=memory_mb, threads=threads)
    except TaskError as error:
        logger.warning("%s: %s", step, error)
        note = "; ".join((f"not scored: {error}", *step.left_out))
        return {"summary": [step.key | sample_sizes(step, snippets) | {"cells": 0, "triplets": 0, "note": note}]}
    pairs, pair_of_cell = _pairs(step, scored)
    values = encode_label(experiment.task.on, labels)[1].to_pylist()
    codes = {value: code for code, value in enumerate(values)}
    inference = infer(
        snippets.embeddings,
        labels,
        experiment,
        scored,
        pair_of_cell,
        np.array([[codes[a], codes[b]] for a, b in pairs], np.int64),
        permutations=step.permutations,
        seed=step.seed,
        threads=threads,
    )
    sizes = Counter(labels[experiment.task.on])
    rows: dict[str, list[Row]] = {
        "cells": cell_rows(step, scored),
        "pairs": pair_rows(step, scored, inference, pairs, pair_of_cell, sizes),
        "summary": [summary_row(step, snippets, scored, inference)],
        "self_baselines": floor_rows(step, snippets, labels, memory_mb, threads),
        "listening": listening_rows(step, snippets, scored, pairs, pair_of_cell) if scored.single else [],
    }
    recordings, matrix, note = recording_matrix(step, snippets, labels, scored, memory_mb, threads)
    rows["confounds"] = confound_rows(step, recordings, matrix, note)
    rows |= classification_rows(step, recordings, matrix, note)
    rows["sentences"] = [
        step.key | {"kind": kind, "text": text}
        for kind, text in (
            *describe_summary(rows["summary"][0], rows["pairs"], experiment.task.on),
            *describe_pairs(rows["pairs"], rows["self_baselines"]),
            *describe_baselines(rows["self_baselines"]),
            *describe_confounds(rows["confounds"]),
            *describe_classification(rows["accuracy"]),
        )
    ]
    return rows


def _labels(step: Analysis, snippets: Snippets) -> dict[str, Sequence[object]]:
    experiment = step.selection.experiment
    items = {item.item: item for item in step.selection.items}
    labels: dict[str, Sequence[object]] = {
        "recording": snippets.recordings,
        "item": snippets.items,
        "start_s": snippets.start_s.tolist(),
        "end_s": snippets.end_s.tolist(),
    }
    for name in (*experiment.task.labels, *experiment.different):
        labels.setdefault(name, [value_of(items[item], name) for item in snippets.items])
    return labels


def _pairs(step: Analysis, scored: Scored) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
    """Give the unordered pairs, in the order in which the manifest names their values, and the pair of each cell."""
    on = step.selection.experiment.task.on
    order = {value: place for place, value in enumerate(dict.fromkeys(value_of(i, on) for i in step.selection.items))}
    table = scored.scores.table
    of_cell = [
        (a, b) if order[a] < order[b] else (b, a)
        for a, b in zip(table[on].to_pylist(), table[f"{on}_b"].to_pylist(), strict=True)
    ]
    pairs = sorted(set(of_cell), key=lambda pair: (order[pair[0]], order[pair[1]]))
    place = {pair: number for number, pair in enumerate(pairs)}
    return pairs, np.array([place[pair] for pair in of_cell], np.int64)
