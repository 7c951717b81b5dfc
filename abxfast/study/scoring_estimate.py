"""What scoring and testing a study takes: cells, triplets, memory, and time on this machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from abxfast.results import PARTIAL_FOLDER
from abxfast.scoring import make_cells
from abxfast.statistics import count_distinct
from abxfast.store import is_store, open_store
from abxfast.study.cached_analysis import cached_quality, make_analyses
from abxfast.study.embedding_estimate import count_snippets
from abxfast.study.embedding_jobs import fits, store_path
from abxfast.study.results_folder import ResultCache
from abxfast.study.selection import value_of
from abxfast.study.throughput import ScoringSpeeds, scoring_speeds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from abxfast.scoring import Task
    from abxfast.study.resolve import EncoderSummary, ResolvedStudy
    from abxfast.study.selection import Selection

_MAX_MEASURED = 1200
"""Snippets, at most, on which the speed of scoring is measured."""
_MIN_TIMED = 32
"""Snippets below which scoring and testing take no time to speak of."""
_MAX_TESTED = 2400
"""Snippets, at most, that the test of a whole experiment uses; that of a pair uses a third. See `permutation_tests`."""

_AnalysisKey = tuple[str, str, str, float | None]
"""Experiment, encoder, variant and snippet length."""


@dataclass
class ScoringEstimate:
    """What scoring and testing take, summed over the analyses of a study.

    Attributes
    ----------
    analyses, finished : int
        Number of analyses, and of those that an earlier run finished.
    cells, triplets : int
        Over all analyses; triplets without regard to constraints on pairs of snippets.
    score_s, test_s : float
        Time left on this machine, in seconds.
    memory_mb : float
        Peak memory.
    """

    analyses: int = 0
    finished: int = 0
    cells: int = 0
    triplets: int = 0
    score_s: float = 0.0
    test_s: float = 0.0
    memory_mb: float = 0.0


def estimate_scoring(resolved: ResolvedStudy, folder: Path, memory_mb: float, threads: int) -> ScoringEstimate:
    """Estimate what scoring takes, measuring its speed for each size unless it is all done.

    Parameters
    ----------
    resolved : ResolvedStudy
    folder : Path
        The results folder.
    memory_mb : float
        Bound on the memory of scoring.
    threads : int
    """
    estimate = ScoringEstimate(memory_mb=memory_mb)
    finished = _finished_analyses(resolved, folder)
    speeds: dict[tuple[int, int], ScoringSpeeds] = {}
    for selection in resolved.selections:
        experiment = selection.experiment
        for length in experiment.snippets:
            size = _measure_size(resolved, selection, length)
            for name, encoder in resolved.encoders.items():
                variants = resolved.variants[name]
                n_finished = sum(
                    (experiment.name, encoder.info.name, variant, length) in finished for variant in variants
                )
                estimate.analyses += len(variants)
                estimate.finished += n_finished
                estimate.cells += len(variants) * size.cells
                estimate.triplets += len(variants) * size.triplets
                n_left = len(variants) - n_finished
                if n_left and size.cells and size.snippets >= _MIN_TIMED:
                    measured = min(size.snippets, _MAX_MEASURED), encoder.dim
                    if measured not in speeds:
                        speeds[measured] = scoring_speeds(*measured, threads)
                    _add_time(estimate, size, speeds[measured], n_left, resolved.study.permutations)
                    estimate.memory_mb = max(estimate.memory_mb, _peak_mb(encoder, size.snippets, memory_mb))
    return estimate


def _finished_analyses(resolved: ResolvedStudy, folder: Path) -> set[_AnalysisKey]:
    """Return the analyses that an earlier run finished; none unless all stores and audio quality are there."""
    paths = {name: store_path(resolved, name, folder) for name in resolved.encoders}
    cache = ResultCache(folder / PARTIAL_FOLDER)
    quality = cached_quality(resolved, cache)
    if quality is None or not all(is_store(path) for path in paths.values()):
        return set()
    stores = {name: open_store(path) for name, path in paths.items()}
    return {
        (
            cached.analysis.selection.experiment.name,
            cached.analysis.encoder.name,
            cached.analysis.variant,
            cached.analysis.length_s,
        )
        for cached in make_analyses(resolved, stores, quality, folder)
        if cache.has(cached.title, cached.depends_on)
    }


@dataclass(frozen=True)
class _Size:
    """The size of one experiment at one length.

    Attributes
    ----------
    snippets, cells, triplets : int
    pairs : tuple of int
        Snippets of each pair of values of ON, both values together.
    relabellings : tuple of float
        Distinct relabellings of each pair, then of all values; infinite where the units are not recordings.
    """

    snippets: int
    cells: int
    triplets: int
    pairs: tuple[int, ...]
    relabellings: tuple[float, ...]


def _measure_size(resolved: ResolvedStudy, selection: Selection, length: float | None) -> _Size:
    """Return the size of an experiment, with the numbers of snippets estimated from the headers."""
    task = selection.experiment.task
    items = [item for item in selection.items if fits(resolved, item, length)]
    n_snippets = np.array([count_snippets(resolved, item, length) for item in items], np.int64)
    labels = {name: [value_of(item, name) for item in items] for name in task.labels}
    if len(set(labels[task.on])) < 2:  # noqa: PLR2004
        return _Size(int(n_snippets.sum()), 0, 0, (), ())
    cells = make_cells(task, labels)
    group = np.repeat(np.arange(len(cells.bounds) - 1), np.diff(cells.bounds))
    n = np.bincount(group, n_snippets[cells.rows], minlength=len(cells.bounds) - 1)  # floats: triplets may be many
    if selection.experiment.max_size_group is not None:
        n = np.minimum(n, selection.experiment.max_size_group)
    a, b, x = cells.groups.T
    triplets = n[a] * n[b] * (n[x] - (a == x))
    columns = (cells.table[name].to_pylist() for name in (task.on, f"{task.on}_b"))
    pairs = {frozenset(pair) for pair in zip(*columns, strict=True)}
    return _Size(
        int(n_snippets.sum()),
        int((triplets > 0).sum()),
        int(triplets.sum()),
        _pair_sizes(pairs, labels[task.on], n_snippets),
        _relabellings([*pairs, frozenset(labels[task.on])], [item.recording for item in items], labels, task),
    )


def _relabellings(
    tests: Sequence[frozenset[str | None]],
    recordings: Sequence[str],
    labels: Mapping[str, Sequence[str | None]],
    task: Task,
) -> tuple[float, ...]:
    """Return the number of distinct relabellings of the recordings for each test of a set of values of ON."""
    contexts: dict[str, set[tuple[str | None, ...]]] = {}
    values: dict[str, set[str | None]] = {}
    columns = zip(*(labels[name] for name in task.labels), strict=True)
    for recording, (on, *context) in zip(recordings, columns, strict=True):
        values.setdefault(recording, set()).add(on)
        contexts.setdefault(recording, set()).add(tuple(context))
    single = all(len(found) == 1 for found in values.values())
    if not single or len(values) == len({value for found in values.values() for value in found}):
        return tuple(math.inf for _ in tests)  # runs or blocks
    value_of_recording = {recording: next(iter(found)) for recording, found in values.items()}
    counts = []
    for test in tests:
        tested = [recording for recording in values if value_of_recording[recording] in test]
        label, stratum = (
            np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
            for numbers, keys in (
                (dict[object, int](), [value_of_recording[recording] for recording in tested]),
                (dict[object, int](), [frozenset(contexts[recording]) for recording in tested]),
            )
        )
        counts.append(count_distinct(label, stratum))
    return tuple(counts)


def _pair_sizes(pairs: set[frozenset[str]], labels: list[str | None], n_snippets: NDArray[np.int64]) -> tuple[int, ...]:
    sizes: dict[str | None, int] = {}
    for label, n in zip(labels, n_snippets.tolist(), strict=True):
        sizes[label] = sizes.get(label, 0) + n
    return tuple(sum(sizes[label] for label in pair) for pair in pairs)


def _add_time(estimate: ScoringEstimate, size: _Size, speeds: ScoringSpeeds, analyses: int, permutations: int) -> None:
    """Add the time of analyses of one size. For each X, every other snippet is sorted or looked up: n² in all."""
    n_measured = min(size.snippets, _MAX_MEASURED)
    estimate.score_s += analyses * speeds.score_s * (size.snippets / n_measured) ** 2
    tested = [*(min(n, _MAX_TESTED // 3) for n in size.pairs), min(size.snippets, _MAX_TESTED)]
    for n, relabellings in zip(tested, size.relabellings, strict=True):
        n_permutations = min(permutations, relabellings)
        estimate.test_s += analyses * n_permutations * (speeds.permutation_s + n**2 * speeds.square_s)


def _peak_mb(encoder: EncoderSummary, n_snippets: int, memory_mb: float) -> float:
    """Return the peak memory of an analysis: scoring, the vectors in float32 and float64, and the encoder's weights."""
    vectors_mb = n_snippets * encoder.dim * (4 + 8) / 1e6
    weights_mb = encoder.path.stat().st_size / 1e6
    return memory_mb + min(vectors_mb, 2 * memory_mb) + weights_mb
