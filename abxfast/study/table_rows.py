"""Rows of the tables of one step: cells, pairs, summary, floors, listening."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from abxfast.scoring import encode_label
from abxfast.statistics import self_baselines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.results import Row
    from abxfast.store import Snippets
    from abxfast.study.analysis import Analysis
    from abxfast.study.inference import Inference, Scored

LISTEN = 3
"""Snippets of a pair that the listening list has of each kind."""
_MIN_FLOOR = 4
"""Snippets of a recording below which it has no halves to compare."""


def cell_rows(step: Analysis, scored: Scored) -> list[Row]:
    """Give every cell as it was counted."""
    task = scored.scores.task
    contexts = [*task.by, *(name for column in task.across for name in (column, f"{column}_x"))]
    return [
        step.key
        | {"on": task.on, "a": row[task.on], "b": row[f"{task.on}_b"]}
        | {"context": json.dumps({name: row[name] for name in contexts}, ensure_ascii=False) if contexts else ""}
        | {name: row[name] for name in ("score", "wins2", "triplets")}
        for row in scored.scores.table.to_pylist()
    ]


def pair_rows(
    step: Analysis,
    scored: Scored,
    inference: Inference,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
    sizes: Mapping[object, int],
) -> list[Row]:
    """Give every unordered pair of values of ON, with how sure its score is."""
    task, table = scored.scores.task, scored.scores.table
    cell_a = np.array(table[task.on].to_pylist(), object)
    score = np.array([np.nan if value is None else value for value in table["score"].to_pylist()])
    triplets = table["triplets"].to_numpy()
    words = [f"{word} {', '.join(names)}" for word, names in (("BY", task.by), ("ACROSS", task.across)) if names]
    rows = []
    for number, ((a, b), here) in enumerate(zip(pairs, _members(pair_of_cell, len(pairs)), strict=True)):
        row: Row = step.key | {"on": task.on, "a": a, "b": b}
        contexts = 0
        for name, value in (("ab", a), ("ba", b)):
            cells = here[cell_a[here] == value]
            known = score[cells][np.isfinite(score[cells])]
            row[f"score_{name}"] = float(known.mean()) if len(known) else None
            row[f"triplets_{name}"] = int(triplets[cells].sum())
            contexts = max(contexts, len(cells))
        row["context"] = f"mean over {contexts} context{'s' * (contexts != 1)} ({' '.join(words)})" if words else ""
        row |= {"n_a": sizes[a], "n_b": sizes[b]}
        row |= {name: float(getattr(inference.pairs, name)[number]) for name in ("score", "low", "high")}
        notes = [inference.pairs.note[number]]
        if inference.pair_tests is not None:
            row |= {name: float(getattr(inference.pair_tests, name)[number]) for name in ("p", "p_holm", "p_bh")}
            notes.append(inference.pair_tests.note[number])
        rows.append(row | {"note": _joined(notes)})
    return rows


def _members(group: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Give, for each of n groups, the places that belong to it, in order."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, n)))


def _joined(notes: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def summary_row(step: Analysis, snippets: Snippets, scored: Scored, inference: Inference) -> Row:
    """Give the mean of all cells."""
    table = scored.scores.table
    notes = [inference.all.note[0], *step.left_out]
    if not scored.single:
        notes.append("no listening list: too many snippets in too many cells")
    row = step.key | sample_sizes(step, snippets)
    row |= {name: float(getattr(inference.all, name)[0]) for name in ("score", "low", "high")}
    if inference.all_test is not None:
        row["p"] = float(inference.all_test.p[0])
        notes.insert(1, inference.all_test.note[0])
    triplets = table["triplets"].to_numpy()
    return row | {"cells": int((triplets > 0).sum()), "triplets": int(triplets.sum()), "note": _joined(notes)}


def sample_sizes(step: Analysis, snippets: Snippets) -> Row:
    """Say how much took part."""
    info = step.encoder
    frames_in_1_s = (info.sample_rate_hz - info.least_samples) // info.frame_hop_samples + 1
    lengths = snippets.end_s - snippets.start_s
    seconds = step.length_s if step.length_s is not None else float(np.median(lengths)) if len(lengths) else np.nan
    return {
        "recordings": len(set(snippets.recordings)),
        "snippets": len(snippets.items),
        "dim": step.dim,
        "dims_per_frame": step.dim / (seconds * max(frames_in_1_s, 1)),
    }


def floor_rows(
    step: Analysis,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    memory_mb: float,
    threads: int | None,
) -> list[Row]:
    """Give what time alone does to a score, recording by recording."""
    codes, values = encode_label("recording", labels)
    n = np.bincount(codes)
    if n.max() < _MIN_FLOOR:
        return []
    kept = np.flatnonzero(n[codes] >= _MIN_FLOOR)
    _, recording = np.unique(codes[kept], return_inverse=True)
    found = self_baselines(
        snippets.embeddings[kept],
        recording.astype(np.int64),
        snippets.start_s[kept],
        snippets.end_s[kept],
        min_gap_s=step.selection.experiment.min_gap_s,
        memory_mb=memory_mb,
        threads=threads,
    )
    place = {values[code].as_py(): number for number, code in enumerate(np.flatnonzero(n >= _MIN_FLOOR))}
    names = (
        "alternating_split",
        "alternating_split_low",
        "alternating_split_high",
        "half_split",
        "half_split_low",
        "half_split_high",
    )
    return [
        step.key
        | {"label": recording, "n": int(found.n[place[recording]]), "note": found.note[place[recording]]}
        | {name: float(getattr(found, name)[place[recording]]) for name in names}
        for recording in step.selection.recordings
        if recording in place
    ]


def listening_rows(
    step: Analysis,
    snippets: Snippets,
    scored: Scored,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
) -> list[Row]:
    """Give the snippets of each pair that were most and least often told."""
    shares = (scored.scores.marginals or {})["x"]
    n = len(snippets.items)
    keys = pair_of_cell[shares["cell"].to_numpy()] * n + shares["snippet"].to_numpy()
    found, place = np.unique(keys, return_inverse=True)
    wins2, triplets = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
    np.add.at(wins2, place, shares["wins2"].to_numpy())
    np.add.at(triplets, place, shares["triplets"].to_numpy())
    found, wins2, triplets = found[triplets > 0], wins2[triplets > 0], triplets[triplets > 0]
    share, snippet, pair = wins2 / (2 * triplets), found % n, found // n
    rows = []
    for (a, b), here in zip(pairs, _members(pair, len(pairs)), strict=True):
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
