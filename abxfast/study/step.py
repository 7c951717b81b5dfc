"""One step of a study: an experiment, with one encoder, variant and snippet length, as rows of the tables."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abxfast.errors import TaskError
from abxfast.scoring import score_embeddings
from abxfast.statistics import floors
from abxfast.study.classification import classify
from abxfast.study.confounds import mantel
from abxfast.study.inference import Inference, Scored, infer, score
from abxfast.study.levels import MEASURES, Levels
from abxfast.study.selection import Selection, value_of
from abxfast.study.sentences import say_classification, say_confounds, say_floors, say_pairs, say_summary
from abxfast.task import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.contract import EncoderInfo
    from abxfast.store import Snippets
    from abxfast.study.tables import Row

logger = logging.getLogger(__name__)

LISTEN = 3
"""Snippets of a pair that the listening list has of each kind."""
_MOST_RECORDINGS = 400
"""Recordings that are compared one by one for confounds and classification: 80,000 pairs."""
_LEAST_FLOOR = 4
"""Snippets of a recording below which it has no halves to compare."""


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
        return {"summary": [step.key | _extent(step, snippets) | {"cells": 0, "triplets": 0, "note": note}]}
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
    sizes = {value: list(labels[experiment.task.on]).count(value) for value in values}
    rows: dict[str, list[Row]] = {
        "cells": _cell_rows(step, scored),
        "pairs": _pair_rows(step, scored, inference, pairs, pair_of_cell, sizes),
        "summary": [_summary_row(step, snippets, scored, inference)],
        "floors": _floor_rows(step, snippets, labels, memory_mb, threads),
        "listening": _listening_rows(step, snippets, scored, pairs, pair_of_cell) if scored.single else [],
    }
    recordings, matrix, note = _recording_matrix(step, snippets, labels, scored, memory_mb, threads)
    rows["confounds"] = _confound_rows(step, recordings, matrix, note)
    rows |= _classification_rows(step, recordings, matrix, note)
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


def _cell_rows(step: Step, scored: Scored) -> list[Row]:
    task = scored.scores.task
    contexts = [*task.by, *(name for column in task.across for name in (column, f"{column}_x"))]
    return [
        step.key
        | {"on": task.on, "a": row[task.on], "b": row[f"{task.on}_b"]}
        | {"context": json.dumps({name: row[name] for name in contexts}, ensure_ascii=False) if contexts else ""}
        | {name: row[name] for name in ("score", "wins2", "triplets")}
        for row in scored.scores.table.to_pylist()
    ]


def _pair_rows(
    step: Step,
    scored: Scored,
    inference: Inference,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
    sizes: Mapping[object, int],
) -> list[Row]:
    task, table = scored.scores.task, scored.scores.table
    cell_a = np.array(table[task.on].to_pylist(), object)
    score = np.array([np.nan if value is None else value for value in table["score"].to_pylist()])
    triplets = table["triplets"].to_numpy()
    words = [f"{word} {', '.join(names)}" for word, names in (("BY", task.by), ("ACROSS", task.across)) if names]
    rows = []
    for number, (a, b) in enumerate(pairs):
        here = pair_of_cell == number
        row: Row = step.key | {"on": task.on, "a": a, "b": b}
        contexts = 0
        for name, value in (("ab", a), ("ba", b)):
            cells = here & (cell_a == value)
            known = score[cells][np.isfinite(score[cells])]
            row[f"score_{name}"] = float(known.mean()) if len(known) else None
            row[f"triplets_{name}"] = int(triplets[cells].sum())
            contexts = max(contexts, int(cells.sum()))
        row["context"] = f"mean over {contexts} context{'s' * (contexts != 1)} ({' '.join(words)})" if words else ""
        row |= {"n_a": sizes[a], "n_b": sizes[b]}
        row |= {name: float(getattr(inference.pairs, name)[number]) for name in ("score", "low", "high")}
        notes = [inference.pairs.note[number]]
        if inference.pair_tests is not None:
            row |= {name: float(getattr(inference.pair_tests, name)[number]) for name in ("p", "p_holm", "p_bh")}
            notes.append(inference.pair_tests.note[number])
        rows.append(row | {"note": _joined(notes)})
    return rows


def _joined(notes: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def _summary_row(step: Step, snippets: Snippets, scored: Scored, inference: Inference) -> Row:
    table = scored.scores.table
    notes = [inference.all.note[0], *step.left_out]
    row = step.key | _extent(step, snippets)
    row |= {name: float(getattr(inference.all, name)[0]) for name in ("score", "low", "high")}
    if inference.all_test is not None:
        row["p"] = float(inference.all_test.p[0])
        notes.insert(1, inference.all_test.note[0])
    triplets = table["triplets"].to_numpy()
    return row | {"cells": int((triplets > 0).sum()), "triplets": int(triplets.sum()), "note": _joined(notes)}


def _extent(step: Step, snippets: Snippets) -> Row:
    info = step.encoder
    frames_in_1_s = (info.sample_rate_hz - info.least_samples) // info.frame_hop_samples + 1
    lengths = snippets.end_s - snippets.start_s
    seconds = step.length_s if step.length_s is not None else float(np.median(lengths)) if len(lengths) else np.nan
    return {
        "recordings": len(set(snippets.recordings)),
        "snippets": len(snippets.items),
        "dim": step.dim,
        "cells_per_frame": step.dim / (seconds * max(frames_in_1_s, 1)),
    }


def _floor_rows(
    step: Step,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    memory_mb: float,
    threads: int | None,
) -> list[Row]:
    codes, values = encode("recording", labels)
    n = np.bincount(codes)
    if n.max() < _LEAST_FLOOR:
        return []
    kept = np.flatnonzero(n[codes] >= _LEAST_FLOOR)
    _, recording = np.unique(codes[kept], return_inverse=True)
    found = floors(
        snippets.embeddings[kept],
        recording.astype(np.int64),
        snippets.start_s[kept],
        snippets.end_s[kept],
        min_gap_s=step.selection.experiment.min_gap_s,
        memory_mb=memory_mb,
        threads=threads,
    )
    place = {values[code].as_py(): number for number, code in enumerate(np.flatnonzero(n >= _LEAST_FLOOR))}
    names = ("within", "within_low", "within_high", "drift", "drift_low", "drift_high")
    return [
        step.key
        | {"label": recording, "n": int(found.n[place[recording]]), "note": found.note[place[recording]]}
        | {name: float(getattr(found, name)[place[recording]]) for name in names}
        for recording in step.selection.recordings
        if recording in place
    ]


def _listening_rows(
    step: Step,
    snippets: Snippets,
    scored: Scored,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
) -> list[Row]:
    shares = (scored.scores.shares or {})["x"]
    n = len(snippets.items)
    keys = pair_of_cell[shares["cell"].to_numpy()] * n + shares["snippet"].to_numpy()
    found, place = np.unique(keys, return_inverse=True)
    wins2, triplets = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
    np.add.at(wins2, place, shares["wins2"].to_numpy())
    np.add.at(triplets, place, shares["triplets"].to_numpy())
    found, wins2, triplets = found[triplets > 0], wins2[triplets > 0], triplets[triplets > 0]
    share, snippet, pair = wins2 / (2 * triplets), found % n, found // n
    rows = []
    for number, (a, b) in enumerate(pairs):
        here = np.flatnonzero(pair == number)
        order = here[np.argsort(-share[here], kind="stable")]
        most = order[:LISTEN]
        least = order[max(len(most), len(order) - LISTEN) :][::-1]
        rows += [
            step.key
            | {"a": a, "b": b, "recording": snippets.recordings[snippet[k]], "role": role, "share": float(share[k])}
            | {"start_s": float(snippets.start_s[snippet[k]]), "end_s": float(snippets.end_s[snippet[k]])}
            | {"path": step.paths[snippets.recordings[snippet[k]]]}
            for role, chosen in (("most", most), ("least", least))
            for k in chosen
        ]
    return rows


def _recording_matrix(
    step: Step,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    scored: Scored,
    memory_mb: float,
    threads: int | None,
) -> tuple[list[str], NDArray[np.float64], str]:
    """Give the mean score of both directions of every two recordings, NaN where there is none, and why if there is none."""
    task = scored.scores.task
    codes, values = encode("recording", labels)
    several = np.flatnonzero(np.bincount(codes) > 1)
    known = {values[code].as_py() for code in several}
    recordings = [recording for recording in step.selection.recordings if recording in known]
    matrix = np.full((len(recordings), len(recordings)), np.nan)
    if len(recordings) < 2:  # noqa: PLR2004
        return recordings, matrix, "fewer than two recordings have two snippets"
    if len(recordings) > _MOST_RECORDINGS:
        return recordings, matrix, f"more than {_MOST_RECORDINGS} recordings: not compared one by one"
    table = scored.scores.table
    if task.on != "recording" or task.by or task.across:
        rows = np.flatnonzero(np.isin(codes, several))
        table = score_embeddings(
            snippets.embeddings[rows],
            {name: [column[row] for row in rows] for name, column in labels.items()},
            on="recording",
            min_gap_s=step.selection.experiment.min_gap_s,
            memory_mb=memory_mb,
            threads=threads,
        ).table
    place = {recording: number for number, recording in enumerate(recordings)}
    both = np.full((2, len(recordings), len(recordings)), np.nan)
    columns = (table[name].to_pylist() for name in ("recording", "recording_b", "score"))
    for a, b, score in zip(*columns, strict=True):
        if score is not None and a in place and b in place:
            both[0, place[a], place[b]] = both[1, place[b], place[a]] = score
    return recordings, (both[0] + both[1]) / 2, ""


def _confound_rows(step: Step, recordings: Sequence[str], matrix: NDArray[np.float64], note: str) -> list[Row]:
    rows = []
    for number, name in enumerate(MEASURES):
        raw = [getattr(step.levels[recording], name) for recording in recordings]
        values = np.array([np.nan if value is None else value for value in raw], np.float64)
        if note:
            rows.append(step.key | {"measure": name, "pairs": 0, "note": note})
            continue
        found = mantel(matrix, values, permutations=step.permutations, seed=[step.seed, number])
        rows.append(
            step.key
            | {"measure": name, "correlation": found.correlation, "p": found.p}
            | {"pairs": found.pairs, "note": found.note}
        )
    return rows


def _classification_rows(
    step: Step, recordings: Sequence[str], matrix: NDArray[np.float64], note: str
) -> dict[str, list[Row]]:
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
        names = list(dict.fromkeys(labels))
        taken = list(zip(labels, found.predicted, strict=True))
        rows["confusion"] += [
            key | {"label": label, "predicted": predicted, "n": taken.count((label, predicted))}
            for label in names
            for predicted in names
        ]
    return rows
