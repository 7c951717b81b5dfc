"""Rows of the result tables of one analysis: cells, pairs, summary, self-baselines, listening list."""

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

_LISTED = 3
"""Snippets of each role that the listening list has for a pair."""
_MIN_SNIPPETS = 4
"""Snippets that a recording needs for a self-baseline: two halves of two."""
_BASELINES = (
    "alternating_split",
    "alternating_split_low",
    "alternating_split_high",
    "half_split",
    "half_split_low",
    "half_split_high",
)


def cell_rows(analysis: Analysis, scored: Scored) -> list[Row]:
    """Return a row per cell, as counted."""
    task = scored.scores.task
    contexts = [*task.by, *(name for column in task.across for name in (column, f"{column}_x"))]
    return [
        analysis.key
        | {"on": task.on, "a": row[task.on], "b": row[f"{task.on}_b"]}
        | {"context": json.dumps({name: row[name] for name in contexts}, ensure_ascii=False) if contexts else ""}
        | {name: row[name] for name in ("score", "wins2", "triplets")}
        for row in scored.scores.table.to_pylist()
    ]


def pair_rows(
    analysis: Analysis,
    scored: Scored,
    inference: Inference,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
    sizes: Mapping[object, int],
) -> list[Row]:
    """Return a row per unordered pair of values of ON.

    Parameters
    ----------
    analysis : Analysis
    scored : Scored
    inference : Inference
    pairs : sequence of (str, str)
    pair_of_cell : ndarray of int64, shape (cells,)
        Index into `pairs` of each cell.
    sizes : mapping of str to int
        Number of snippets of each value of ON.
    """
    task, table = scored.scores.task, scored.scores.table
    cell_a = np.array(table[task.on].to_pylist(), object)
    scores = np.array([np.nan if value is None else value for value in table["score"].to_pylist()])
    triplets = table["triplets"].to_numpy()
    design = [f"{role} {', '.join(names)}" for role, names in (("BY", task.by), ("ACROSS", task.across)) if names]
    rows = []
    for number, ((a, b), members) in enumerate(zip(pairs, _members(pair_of_cell, len(pairs)), strict=True)):
        row: Row = analysis.key | {"on": task.on, "a": a, "b": b}
        contexts = 0
        for name, value in (("ab", a), ("ba", b)):
            cells = members[cell_a[members] == value]
            finite = scores[cells][np.isfinite(scores[cells])]
            row[f"score_{name}"] = float(finite.mean()) if len(finite) else None
            row[f"triplets_{name}"] = int(triplets[cells].sum())
            contexts = max(contexts, len(cells))
        row["context"] = f"mean over {contexts} context{'s' * (contexts != 1)} ({' '.join(design)})" if design else ""
        row |= {"n_a": sizes[a], "n_b": sizes[b]}
        row |= {name: float(getattr(inference.pairs, name)[number]) for name in ("score", "low", "high")}
        notes = [inference.pairs.note[number]]
        if inference.pair_tests is not None:
            row |= {name: float(getattr(inference.pair_tests, name)[number]) for name in ("p", "p_holm", "p_bh")}
            notes.append(inference.pair_tests.note[number])
        row |= inference.pair_verdicts[number]._asdict()
        rows.append(row | {"note": _join(notes)})
    return rows


def _members(group: NDArray[np.int64], n: int) -> list[NDArray[np.int64]]:
    """Return the indices of the members of each of n groups, in ascending order."""
    order = np.argsort(group, kind="stable")
    return np.split(order, np.searchsorted(group[order], np.arange(1, n)))


def _join(notes: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(note for note in notes if note))


def summary_row(analysis: Analysis, snippets: Snippets, scored: Scored, inference: Inference) -> Row:
    """Return the mean over all cells, with its interval, test and sample sizes."""
    notes = [inference.overall.note[0], *analysis.left_out]
    if not scored.has_snippets:
        notes.append("no listening list: too many snippets in too many cells")
    row = analysis.key | sample_sizes(analysis, snippets)
    row |= {name: float(getattr(inference.overall, name)[0]) for name in ("score", "low", "high")}
    if inference.overall_test is not None:
        row["p"] = float(inference.overall_test.p[0])
        notes.insert(1, inference.overall_test.note[0])
    row |= inference.overall_verdict._asdict()
    row |= {f"{name}_corrected": float(getattr(inference.corrected, name)[0]) for name in ("low", "high")}
    if "p" in row:
        row["p_corrected"] = min(1.0, analysis.n_variants * row["p"])
    triplets = scored.scores.table["triplets"].to_numpy()
    return row | {"cells": int((triplets > 0).sum()), "triplets": int(triplets.sum()), "note": _join(notes)}


def sample_sizes(analysis: Analysis, snippets: Snippets) -> Row:
    """Return the numbers of recordings and snippets, and the dimensions of a vector."""
    info = analysis.encoder
    frames_in_1_s = (info.sample_rate_hz - info.least_samples) // info.frame_hop_samples + 1
    seconds = analysis.length_s
    if seconds is None:
        lengths = snippets.end_s - snippets.start_s
        seconds = float(np.median(lengths)) if len(lengths) else np.nan
    return {
        "recordings": len(set(snippets.recordings)),
        "snippets": len(snippets.items),
        "dim": analysis.dim,
        "dims_per_frame": analysis.dim / (seconds * max(frames_in_1_s, 1)),
    }


def baseline_rows(
    analysis: Analysis,
    snippets: Snippets,
    labels: Mapping[str, Sequence[object]],
    memory_mb: float,
    threads: int | None,
) -> list[Row]:
    """Return a row per recording with enough snippets: its scores against itself."""
    codes, values = encode_label("recording", labels)
    counts = np.bincount(codes)
    if counts.max() < _MIN_SNIPPETS:
        return []
    kept = np.flatnonzero(counts[codes] >= _MIN_SNIPPETS)
    _, recording = np.unique(codes[kept], return_inverse=True)
    baselines = self_baselines(
        snippets.embeddings[kept],
        recording.astype(np.int64),
        snippets.start_s[kept],
        snippets.end_s[kept],
        min_gap_s=analysis.selection.experiment.min_gap_s,
        memory_mb=memory_mb,
        threads=threads,
    )
    index = {values[code].as_py(): number for number, code in enumerate(np.flatnonzero(counts >= _MIN_SNIPPETS))}
    return [
        analysis.key
        | {"label": name, "n": int(baselines.n[index[name]]), "note": baselines.note[index[name]]}
        | {column: float(getattr(baselines, column)[index[name]]) for column in _BASELINES}
        for name in analysis.selection.recordings
        if name in index
    ]


def listening_rows(
    analysis: Analysis,
    snippets: Snippets,
    scored: Scored,
    pairs: Sequence[tuple[str, str]],
    pair_of_cell: NDArray[np.int64],
) -> list[Row]:
    """Return the snippets X of each pair that were discriminated best and worst.

    Parameters
    ----------
    analysis : Analysis
    snippets : Snippets
    scored : Scored
        With the marginals of single snippets.
    pairs : sequence of (str, str)
    pair_of_cell : ndarray of int64, shape (cells,)
        Index into `pairs` of each cell.
    """
    marginals = (scored.scores.marginals or {})["x"]
    n = len(snippets.items)
    keys = pair_of_cell[marginals["cell"].to_numpy()] * n + marginals["snippet"].to_numpy()
    unique, index = np.unique(keys, return_inverse=True)
    wins2, triplets = np.zeros(len(unique), np.int64), np.zeros(len(unique), np.int64)
    np.add.at(wins2, index, marginals["wins2"].to_numpy())
    np.add.at(triplets, index, marginals["triplets"].to_numpy())
    unique, wins2, triplets = unique[triplets > 0], wins2[triplets > 0], triplets[triplets > 0]
    share, snippet, pair = wins2 / (2 * triplets), unique % n, unique // n
    rows = []
    for (a, b), members in zip(pairs, _members(pair, len(pairs)), strict=True):
        order = members[np.argsort(-share[members], kind="stable")]
        best = order[:_LISTED]
        worst = order[max(len(best), len(order) - _LISTED) :][::-1]
        rows += [
            analysis.key
            | {"a": a, "b": b, "recording": snippets.recordings[snippet[k]], "role": role, "share": float(share[k])}
            | {"start_s": float(snippets.start_s[snippet[k]]), "end_s": float(snippets.end_s[snippet[k]])}
            | {"path": analysis.paths[snippets.recordings[snippet[k]]]}
            for role, chosen in (("most", best), ("least", worst))
            for k in chosen
        ]
    return rows
