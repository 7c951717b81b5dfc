"""Scores with intervals, verdicts and self-baselines of a chunk of replicates."""

from __future__ import annotations

import numpy as np
from designs import CHUNK, SNIPPET_S, make_replicates, reference_of

from abxfast import score_embeddings
from abxfast.statistics import (
    UnitPairMarginals,
    decide,
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    self_baselines,
    sum_by_unit,
)

PERMUTATIONS = 199
VERDICTS = ("different", "no_evidence", "equivalent", "undecidable")


def score_replicates(design, shift, seed):
    """Return the intervals of the replicates; the score is the mean of both directions."""
    return _intervals(make_replicates(design, shift, seed))


def judge_replicates(design, shift, seed):
    """Return score, low, high, p and verdict (index into `VERDICTS`) of each replicate, ``(CHUNK, 5)``."""
    data = make_replicates(design, shift, seed)
    intervals = _intervals(data)
    rows = []
    for number in range(CHUNK):
        tests = _test(data, data.replicate == number, seed[-1])
        ends = {name: getattr(intervals, name)[[number]] for name in ("score", "equivalence_low", "equivalence_high")}
        verdict = decide(tests, intervals.__class__(**{**vars(intervals), **ends}))[0].verdict
        rows.append((tests.p[0], VERDICTS.index(verdict)))
    return np.column_stack((intervals.score, intervals.low, intervals.high, rows))


def _score(data, **options):
    labels = {"on": data.on, "replicate": data.replicate, "recording": data.recording, **options.pop("labels", {})}
    if data.voice is not None:
        labels["voice"] = data.voice
    return score_embeddings(data.embeddings, labels, on="on", by="replicate", **data.task, **options, threads=1)


def _intervals(data):
    context = data.replicate if data.voice is None else 2 * data.replicate + data.voice
    units = make_exchangeable_units(data.embeddings, data.on, data.recording, data.start_s, context)
    scores = _score(data, labels={"unit": units.unit}, marginals=True, pair_marginals="unit")
    column = {name: scores.table[name].to_numpy() for name in scores.table.column_names}
    values = None
    if data.voice is not None:
        sides = {"on": ("on", "on_b"), "voice": ("voice", "voice_x")}
        values = {name: np.stack([column[side] for side in both], axis=1) for name, both in sides.items()}
    marginals, pairs = sum_by_unit(scores.marginals, units.unit), UnitPairMarginals.from_table(scores.pair_marginals)
    return jackknife_intervals(
        column["wins2"], column["triplets"], marginals, column["replicate"], units, pairs=pairs, values=values
    )


def _test(data, rows, seed):
    embeddings, start_s = data.embeddings[rows], data.start_s[rows]
    on, recording = (np.unique(codes[rows], return_inverse=True)[1] for codes in (data.on, data.recording))
    voice = None if data.voice is None else data.voice[rows]
    units = make_exchangeable_units(embeddings, on, recording, start_s, voice)
    pairs = None if voice is not None else np.array([[0, 1]])
    different = "different" in data.task
    options = {"permutations": PERMUTATIONS, "seed": seed, "different_recordings": different}
    return permutation_tests(embeddings, on, units, pairs, across=voice, **options)


def baseline_replicates(design, seed):
    """Return alternating split and half split of each recording of stationary pairs, ``(2 · CHUNK, 2)``."""
    data = make_replicates(design, 0.0, seed)
    baselines = self_baselines(data.embeddings, data.recording, data.start_s, data.start_s + SNIPPET_S, threads=1)
    return np.stack((baselines.alternating_split, baselines.half_split), axis=1)


def find_shift(design, score):
    """Find by bisection the shift that yields a mean score on the reference of a design, from one chunk."""
    low, high = 0.0, 12.0
    for _ in range(16):
        shift = (low + high) / 2
        mean = _score(make_replicates(reference_of(design), shift, (99,))).table["score"].to_numpy().mean()
        low, high = (shift, high) if mean < score else (low, shift)
    return shift
