"""Recordings against each other, whatever ON is: for confounds and classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.audio import QUALITY_MEASURES
from abxfast.scoring import encode_label, score_embeddings
from abxfast.statistics import classify, mantel_test
from abxfast.study.selection import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.store import Snippets
    from abxfast.study.analysis import Analysis
    from abxfast.study.inference import Scored

_MAX_RECORDINGS = 400
"""Recordings that are compared one by one: 80,000 pairs."""


def recording_matrix(
    step: Analysis,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    scored: Scored,
    memory_mb: float,
    threads: int | None,
) -> tuple[list[str], NDArray[np.float64], str]:
    """Compare recordings one by one.

    Returns
    -------
    list of str
        The recordings that have two snippets at least.
    ndarray of float64, shape (recordings, recordings)
        Mean score of both directions; NaN where there is none.
    str
        Why there is none at all; empty otherwise.
    """
    task = scored.scores.task
    codes, values = encode_label("recording", labels)
    several = np.flatnonzero(np.bincount(codes) > 1)
    known = {values[code].as_py() for code in several}
    recordings = [recording for recording in step.selection.recordings if recording in known]
    matrix = np.full((len(recordings), len(recordings)), np.nan)
    if len(recordings) < 2:  # noqa: PLR2004
        return recordings, matrix, "fewer than two recordings have two snippets"
    if len(recordings) > _MAX_RECORDINGS:
        return recordings, matrix, f"more than {_MAX_RECORDINGS} recordings: not compared one by one"
    table = scored.scores.table
    if task.on != "recording" or task.by or task.across:
        rows = np.flatnonzero(np.isin(codes, several))
        table = score_embeddings(
            snippets.embeddings[rows],
            {name: [column[row] for row in rows.tolist()] for name, column in labels.items()},
            on="recording",
            min_gap_s=step.selection.experiment.min_gap_s,
            memory_mb=memory_mb,
            threads=threads,
        ).table
    place = {recording: number for number, recording in enumerate(recordings)}
    both = np.full((2, len(recordings), len(recordings)), np.nan)
    columns = (table[name].to_pylist() for name in ("recording", "recording_b", "score"))
    for a, b, found in zip(*columns, strict=True):
        if found is not None and a in place and b in place:
            both[0, place[a], place[b]] = both[1, place[b], place[a]] = found
    return recordings, (both[0] + both[1]) / 2, ""


def confound_rows(step: Analysis, recordings: Sequence[str], matrix: NDArray[np.float64], note: str) -> list[Row]:
    """Hold the scores of recordings against how they were made."""
    rows = []
    for number, name in enumerate(QUALITY_MEASURES):
        raw = [getattr(step.levels[recording], name) for recording in recordings]
        values = np.array([np.nan if value is None else value for value in raw], np.float64)
        if note:
            rows.append(step.key | {"measure": name, "pairs": 0, "note": note})
            continue
        found = mantel_test(matrix, values, permutations=step.permutations, seed=[step.seed, number])
        rows.append(
            step.key
            | {"measure": name, "correlation": found.correlation, "p": found.p}
            | {"pairs": found.pairs, "note": found.note}
        )
    return rows


def classification_rows(
    step: Analysis, recordings: Sequence[str], matrix: NDArray[np.float64], note: str
) -> dict[str, list[Row]]:
    """Guess labels from the scores of recordings."""
    rows: dict[str, list[Row]] = {"classification": [], "accuracy": [], "confusion": []}
    of_recording = {item.recording: item for item in step.selection.items}
    for column in step.selection.experiment.classify:
        key = step.key | {"classify": column}
        if note:
            rows["accuracy"].append(key | {"n": 0, "note": note})
            continue
        labels = [str(value_of(of_recording[recording], column)) for recording in recordings]
        found = classify(matrix, labels)
        rows["classification"] += [
            key | {"recording": recording, "label": label, "predicted": predicted, "correct": correct}
            for recording, label, predicted, correct in zip(
                recordings, labels, found.predicted, found.correct, strict=True
            )
        ]
        rows["accuracy"].append(
            key | {name: getattr(found, name) for name in ("accuracy", "low", "high", "chance", "n", "note")}
        )
        taken = [
            (label, predicted)
            for label, predicted, correct in zip(labels, found.predicted, found.correct, strict=True)
            if correct is not None
        ]
        names = list(dict.fromkeys(labels))
        rows["confusion"] += [
            key | {"label": label, "predicted": predicted, "n": taken.count((label, predicted))}
            for label in names
            for predicted in (*names, *([None] if any(given is None for _, given in taken) else []))
        ]
    return rows
