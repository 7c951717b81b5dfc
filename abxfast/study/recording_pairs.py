"""Scores of every pair of recordings, whatever ON is, and the classification of recordings that follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from abxfast.scoring import encode_label, score_embeddings
from abxfast.statistics import classify
from abxfast.study.selection import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.store import Snippets
    from abxfast.study.analysis import Analysis
    from abxfast.study.inference import Scored

_MAX_RECORDINGS = 400
"""Recordings that are compared in pairs: 80,000 pairs."""


def recording_matrix(
    analysis: Analysis,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    scored: Scored,
    memory_mb: float,
    threads: int | None,
) -> tuple[list[str], NDArray[np.float64], str]:
    """Return the scores of every pair of recordings, those of the experiment itself if ON is ``recording``.

    Returns
    -------
    list of str
        The recordings with at least two snippets, in the order of the manifest.
    ndarray of float64, shape (recordings, recordings)
        Mean score of both directions; NaN without one.
    str
        Why there are no scores at all; empty otherwise.
    """
    task = scored.scores.task
    codes, values = encode_label("recording", labels)
    repeated = np.flatnonzero(np.bincount(codes) > 1)
    names = {values[code].as_py() for code in repeated}
    recordings = [recording for recording in analysis.selection.recordings if recording in names]
    n = len(recordings)
    if n < 2:  # noqa: PLR2004
        return recordings, np.full((n, n), np.nan), "fewer than two recordings have two snippets"
    if n > _MAX_RECORDINGS:
        note = f"more than {_MAX_RECORDINGS} recordings: not compared in pairs"
        return recordings, np.full((n, n), np.nan), note
    table = scored.scores.table
    if task.on != "recording" or task.by or task.across:
        rows = np.flatnonzero(np.isin(codes, repeated))
        table = score_embeddings(
            snippets.embeddings[rows],
            {name: [column[row] for row in rows.tolist()] for name, column in labels.items()},
            on="recording",
            min_gap_s=analysis.selection.experiment.min_gap_s,
            memory_mb=memory_mb,
            threads=threads,
        ).table
    index = {recording: number for number, recording in enumerate(recordings)}
    directions = np.full((2, n, n), np.nan)
    columns = (table[name].to_pylist() for name in ("recording", "recording_b", "score"))
    for a, b, score in zip(*columns, strict=True):
        if score is not None and a in index and b in index:
            directions[0, index[a], index[b]] = directions[1, index[b], index[a]] = score
    return recordings, (directions[0] + directions[1]) / 2, ""


def classification_rows(
    analysis: Analysis, recordings: Sequence[str], matrix: NDArray[np.float64], note: str
) -> dict[str, list[Row]]:
    """Return the rows of the tables ``classification``, ``accuracy`` and ``confusion``.

    Parameters
    ----------
    analysis : Analysis
    recordings, matrix, note
        As `recording_matrix` returns them.
    """
    rows: dict[str, list[Row]] = {"classification": [], "accuracy": [], "confusion": []}
    items = {item.recording: item for item in analysis.selection.items}
    for column in analysis.selection.experiment.classify:
        key = analysis.key | {"classify": column}
        if note:
            rows["accuracy"].append(key | {"n": 0, "note": note})
            continue
        labels = [str(value_of(items[recording], column)) for recording in recordings]
        result = classify(matrix, labels)
        predictions = list(zip(labels, result.predicted, result.correct, strict=True))
        rows["classification"] += [
            key | {"recording": recording, "label": label, "predicted": predicted, "correct": correct}
            for recording, (label, predicted, correct) in zip(recordings, predictions, strict=True)
        ]
        rows["accuracy"].append(
            key | {name: getattr(result, name) for name in ("accuracy", "low", "high", "chance", "n", "note")}
        )
        counted = [(label, predicted) for label, predicted, correct in predictions if correct is not None]
        names = list(dict.fromkeys(labels))
        rows["confusion"] += [
            key | {"label": label, "predicted": predicted, "n": counted.count((label, predicted))}
            for label in names
            for predicted in (*names, *([None] if any(predicted is None for _, predicted in counted) else []))
        ]
    return rows
