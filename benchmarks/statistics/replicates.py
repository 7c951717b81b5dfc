"""Scores with intervals, tests and self-baselines of a chunk of replicates."""

from __future__ import annotations

import numpy as np
from designs import CHUNK, SNIPPET_S, make_replicates

from abxfast import score_embeddings
from abxfast.statistics import (
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    self_baselines,
    sum_by_unit,
)

PERMUTATIONS = 199


def score_replicates(design, shift, seed):
    """Return score, low and high of each replicate, ``(CHUNK, 3)``; the score is the mean of both directions."""
    data = make_replicates(design, shift, seed)
    labels = {"on": data.on, "replicate": data.replicate, "recording": data.recording}
    context, values = data.replicate, None
    if data.voice is not None:
        labels["voice"] = data.voice
        context = 2 * data.replicate + data.voice
    scores = score_embeddings(data.embeddings, labels, on="on", by="replicate", **data.task, marginals=True, threads=1)
    column = {name: scores.table[name].to_numpy() for name in scores.table.column_names}
    if data.voice is not None:
        sides = {"on": ("on", "on_b"), "voice": ("voice", "voice_x")}
        values = {name: np.stack([column[side] for side in both], axis=1) for name, both in sides.items()}
    units = make_exchangeable_units(data.embeddings, data.on, data.recording, data.start_s, context)
    intervals = jackknife_intervals(
        column["wins2"],
        column["triplets"],
        sum_by_unit(scores.marginals, units.unit),
        column["replicate"],
        units,
        values=values,
    )
    return np.stack((intervals.score, intervals.low, intervals.high), axis=1)


def test_replicates(design, seed):
    """Return p, and whether a recording is reported as too short, of each replicate without a difference."""
    data = make_replicates(design, 0.0, seed)
    options = {"permutations": PERMUTATIONS, "seed": seed[-1], "different_recordings": "different" in data.task}
    if data.voice is None:
        units = make_exchangeable_units(data.embeddings, data.on, data.recording, data.start_s)
        pairs = np.arange(2 * CHUNK).reshape(-1, 2)
        tests = permutation_tests(data.embeddings, data.on, units, pairs, **options)
        return np.stack((tests.p, [float("too short" in note) for note in tests.note]), axis=1)
    p = []
    for number in range(CHUNK):
        rows = data.replicate == number
        embeddings, on, voice = data.embeddings[rows], data.on[rows], data.voice[rows]
        units = make_exchangeable_units(embeddings, on, np.arange(rows.sum()), data.start_s[rows], voice)
        p.append(permutation_tests(embeddings, on, units, across=voice, **options).p[0])
    return np.stack((p, np.zeros(CHUNK)), axis=1)


def baseline_replicates(design, seed):
    """Return alternating split and half split of each recording of stationary pairs, ``(2 · CHUNK, 2)``."""
    data = make_replicates(design, 0.0, seed)
    baselines = self_baselines(data.embeddings, data.recording, data.start_s, data.start_s + SNIPPET_S, threads=1)
    return np.stack((baselines.alternating_split, baselines.half_split), axis=1)


def find_shift(design, score):
    """Find by bisection the shift that yields a mean score, on one chunk."""
    low, high = 0.0, 12.0
    for _ in range(16):
        shift = (low + high) / 2
        mean = score_replicates(design, shift, (99,))[:, 0].mean()
        low, high = (shift, high) if mean < score else (low, shift)
    return shift
