"""One step of a study: an experiment, with one encoder, variant and snippet length, as rows of the tables."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.errors import TaskError
from abxfast.scoring.task import encode
from abxfast.study.inference import Scored, infer, score
from abxfast.study.recording_pairs import classification_rows, confound_rows, recording_matrix
from abxfast.study.selection import Selection, value_of
from abxfast.study.sentences import say_classification, say_confounds, say_floors, say_pairs, say_summary
from abxfast.study.table_rows import cell_rows, extent, floor_rows, listening_rows, pair_rows, summary_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.audio.quality import Levels
    from abxfast.encoders.contract import EncoderInfo
    from abxfast.results.write import Row
    from abxfast.store.store import Snippets

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What is scored, and how.

    Attributes
    ----------
    selection : Selection
    encoder : EncoderInfo
    dim : int
    variant : str
    length_s : float or None
    paths : dict of str to str
        Of each recording, as seen from the results folder.
    levels : dict of str to Levels
        Of each recording.
    left_out : tuple of str
        Why rows of the selection are missing, in words.
    permutations, seed : int
    """

    selection: Selection
    encoder: EncoderInfo
    dim: int
    variant: str
    length_s: float | None
    paths: Mapping[str, str]
    levels: Mapping[str, Levels]
    left_out: tuple[str, ...]
    permutations: int
    seed: int

    @property
    def key(self) -> Row:
        """The columns that every table of results begins with."""
        return {
            "experiment": self.selection.experiment.name,
            "encoder": self.encoder.name,
            "variant": self.variant,
            "snippet_s": self.length_s,
        }

    def __str__(self) -> str:
        """Name it for a line on the terminal."""
        length = "whole items" if self.length_s is None else f"{self.length_s:g} s"
        return f"{self.selection.experiment.name}, {self.encoder.name} {self.variant}, {length}"

    def describe(self) -> dict[str, Any]:
        """Give all that the rows depend on besides the vectors, as JSON."""
        experiment = self.selection.experiment
        needed = (*experiment.task.labels, *experiment.different, *experiment.classify)
        rows = [
            [item.item, item.recording, *(value_of(item, name) for name in needed)] for item in self.selection.items
        ]
        levels = {recording: asdict(self.levels[recording]) for recording in self.selection.recordings}
        return {
            "key": self.key,
            "experiment": asdict(experiment),
            "rows": rows,
            "levels": levels,
            "paths": {recording: self.paths[recording] for recording in self.selection.recordings},
            "left_out": self.left_out,
            "dim": self.dim,
            "frames": [self.encoder.sample_rate_hz, self.encoder.least_samples, self.encoder.frame_hop_samples],
            "permutations": self.permutations,
            "seed": self.seed,
        }


def compute(
    step: Step, snippets: Snippets, *, memory_mb: float = 512, threads: int | None = None
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
        return {"summary": [step.key | extent(step, snippets) | {"cells": 0, "triplets": 0, "note": note}]}
    pairs, pair_of_cell = _pairs(step, scored)
    values = encode(experiment.task.on, labels)[1].to_pylist()
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
        "floors": floor_rows(step, snippets, labels, memory_mb, threads),
        "listening": listening_rows(step, snippets, scored, pairs, pair_of_cell) if scored.single else [],
    }
    recordings, matrix, note = recording_matrix(step, snippets, labels, scored, memory_mb, threads)
    rows["confounds"] = confound_rows(step, recordings, matrix, note)
    rows |= classification_rows(step, recordings, matrix, note)
    rows["sentences"] = [
        step.key | {"kind": kind, "text": text}
        for kind, text in (
            *say_summary(rows["summary"][0], rows["pairs"], experiment.task.on),
            *say_pairs(rows["pairs"], rows["floors"]),
            *say_floors(rows["floors"]),
            *say_confounds(rows["confounds"]),
            *say_classification(rows["accuracy"]),
        )
    ]
    return rows


def _labels(step: Step, snippets: Snippets) -> dict[str, Sequence[object]]:
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


def _pairs(step: Step, scored: Scored) -> tuple[list[tuple[str, str]], NDArray[np.int64]]:
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
