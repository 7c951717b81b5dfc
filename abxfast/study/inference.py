"""Scores of an experiment with confidence intervals and permutation tests, for each pair of values and overall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abxfast._threads import usable_threads
from abxfast.errors import TaskError
from abxfast.scoring import AbxScores, encode_label, score_embeddings
from abxfast.statistics import (
    ALPHA,
    ExchangeableUnits,
    Intervals,
    PermutationTestResult,
    UnitMarginals,
    UnitPairMarginals,
    Verdict,
    decide,
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    sum_by_unit,
)
from abxfast.study.unit_pairs import are_pairs_few

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.study.config import Experiment

    Labels = Mapping[str, Sequence[object]]

_MAX_MARGINALS = 30_000_000
"""Marginals of single snippets that are kept (1 GB); beyond it, those of exchangeable units are."""
_ROWS_PER_CHECK = 4096
_UNIT = "exchangeable unit"
"""Label of the exchangeable unit of each snippet; a manifest is unlikely to have a column of that name."""


@dataclass(frozen=True)
class Scored:
    """The scores of an experiment at one length and variant.

    Attributes
    ----------
    scores : AbxScores
    units : ExchangeableUnits
    marginals : UnitMarginals
        Wins and triplets of each unit in each cell.
    pairs : UnitPairMarginals or None
        Those of pairs of units; None if there are too many.
    has_snippets : bool
        Whether `scores` has the marginals of single snippets.
    """

    scores: AbxScores
    units: ExchangeableUnits
    marginals: UnitMarginals
    pairs: UnitPairMarginals | None
    has_snippets: bool


@dataclass(frozen=True)
class Inference:
    """Confidence intervals and tests.

    Attributes
    ----------
    pairs : Intervals
        One row per pair.
    overall : Intervals
        One row: the mean of all cells.
    corrected : Intervals
        The same, at a level of 1 − 0.05 / variants.
    pair_tests, overall_test : PermutationTestResult or None
        Tests of the same; None without permutations.
    pair_verdicts : list of Verdict
    overall_verdict : Verdict
    """

    pairs: Intervals
    overall: Intervals
    corrected: Intervals
    pair_tests: PermutationTestResult | None
    overall_test: PermutationTestResult | None
    pair_verdicts: list[Verdict]
    overall_verdict: Verdict


def score(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    labels: Labels,
    experiment: Experiment,
    *,
    seed: int,
    memory_mb: float,
    threads: int | None,
) -> Scored:
    """Score an experiment, keeping the marginals of snippets or, if those are too many, of exchangeable units.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
    labels : mapping of str to sequence
        Columns of length n: those of the experiment, and ``recording``, ``start_s`` and ``end_s``.
    experiment : Experiment
    seed, memory_mb, threads
        See `abxfast.score_embeddings`.

    Raises
    ------
    TaskError
        If nothing can be scored, or a vector is not finite.
    """
    if not len(embeddings):
        raise TaskError("there is no snippet")
    _check_finite(embeddings, labels)
    task = experiment.task
    on = encode_label(task.on, labels)[0]
    units = make_exchangeable_units(
        embeddings,
        on,
        encode_label("recording", labels)[0],
        np.asarray(labels["start_s"], np.float64),
        combine_labels(labels, (*task.by, *task.across)),
    )
    across = combine_labels(labels, task.across)
    n_across = 1 if across is None else len(np.unique(across))
    has_snippets = 3 * len(on) * int(on.max()) * n_across <= _MAX_MARGINALS
    context = combine_labels(labels, (*task.by, *task.across))
    has_pairs = are_pairs_few(on, units.unit, context, n_across, embeddings.size)
    scores = score_embeddings(
        embeddings,
        {**labels, _UNIT: units.unit},
        on=task.on,
        by=task.by,
        across=task.across,
        min_gap_s=experiment.min_gap_s,
        different=experiment.different,
        max_size_group=experiment.max_size_group,
        max_x_across=experiment.max_x_across,
        seed=seed,
        memory_mb=memory_mb,
        threads=threads,
        marginals=True if has_snippets else _UNIT,
        pair_marginals=_UNIT if has_pairs else None,
    )
    tables, unit = scores.marginals or {}, units.unit
    if not has_snippets:
        tables = {role: table.rename_columns({_UNIT: "snippet"}) for role, table in tables.items()}
        unit = np.arange(len(units.stratum))
    pairs = None if scores.pair_marginals is None else UnitPairMarginals.from_table(scores.pair_marginals)
    return Scored(scores, units, sum_by_unit(tables, unit), pairs, has_snippets)


def _check_finite(embeddings: NDArray[np.float32] | NDArray[np.float64], labels: Labels) -> None:
    for first in range(0, len(embeddings), _ROWS_PER_CHECK):
        finite = np.isfinite(embeddings[first : first + _ROWS_PER_CHECK]).all(axis=1)
        if not finite.all():
            row = first + int(np.argmin(finite))
            recording, start_s = labels["recording"][row], float(np.asarray(labels["start_s"])[row])
            raise TaskError(
                f"{recording}: the vector of the snippet at {start_s:g} s holds NaN or infinity, expected finite "
                "numbers; leave the recording out, or embed it again"
            )


def infer(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    labels: Labels,
    experiment: Experiment,
    scored: Scored,
    pair_of_cell: NDArray[np.int64],
    pairs: NDArray[np.int64],
    *,
    permutations: int,
    seed: int,
    margin: float,
    variants: int,
    threads: int | None,
) -> Inference:
    """Compute confidence intervals, permutation tests and verdicts of an experiment.

    Parameters
    ----------
    embeddings, labels, experiment
        As in `score`.
    scored : Scored
        What `score` returned.
    pair_of_cell : ndarray of int64, shape (cells,)
        The row of `pairs` that each cell belongs to.
    pairs : ndarray of int64, shape (m, 2)
        Codes of ON, as `abxfast.scoring.encode_label` returns them.
    permutations : int
        0 means no tests.
    seed : int
    margin : float
        See `abxfast.statistics.decide`.
    variants : int
        Number of variants that the best one is chosen from.
    threads : int, optional
    """
    table, task = scored.scores.table, experiment.task
    wins2, triplets = table["wins2"].to_numpy(), table["triplets"].to_numpy()
    values = _values_of_cells(scored)
    pair_intervals, overall = (
        jackknife_intervals(
            wins2, triplets, scored.marginals, row_of_cell, scored.units, pairs=scored.pairs, values=values
        )
        for row_of_cell in (pair_of_cell, np.zeros_like(pair_of_cell))
    )
    corrected = overall
    if variants > 1:
        one_row = np.zeros_like(pair_of_cell)
        level = 1 - ALPHA / variants
        corrected = jackknife_intervals(
            wins2,
            triplets,
            scored.marginals,
            one_row,
            scored.units,
            pairs=scored.pairs,
            values=values,
            level=level,
        )
    on = encode_label(task.on, labels)[0]
    pair_tests, overall_test = (
        permutation_tests(
            embeddings,
            on,
            scored.units,
            tested,
            by=combine_labels(labels, task.by),
            across=combine_labels(labels, task.across),
            different_recordings="recording" in experiment.different,
            permutations=permutations,
            seed=seed,
            threads=threads or usable_threads(),
        )
        if permutations
        else None
        for tested in (pairs, None)
    )
    hop_s = _hop_s(labels)
    pair_verdicts = decide(pair_tests, pair_intervals, margin=margin, hop_s=hop_s)
    overall_verdict = decide(overall_test, overall, margin=margin, hop_s=hop_s)[0]
    return Inference(pair_intervals, overall, corrected, pair_tests, overall_test, pair_verdicts, overall_verdict)


def _hop_s(labels: Labels) -> float:
    """Return the seconds from one snippet of a recording to the next; NaN if no recording has two."""
    recording = encode_label("recording", labels)[0]
    start_s = np.asarray(labels["start_s"], np.float64)
    order = np.lexsort((start_s, recording))
    steps = np.diff(start_s[order])[np.diff(recording[order]) == 0]
    return float(np.median(steps)) if len(steps) else np.nan


def _values_of_cells(scored: Scored) -> dict[str, NDArray[np.int64]]:
    """Return the values of ON, BY and ACROSS in each cell, as codes of shape (cells, 1 or 2)."""
    task, table = scored.scores.task, scored.scores.table
    columns: dict[str, tuple[str, ...]] = {task.on: (task.on, f"{task.on}_b")}
    columns |= {name: (name,) for name in task.by}
    columns |= {name: (name, f"{name}_x") for name in task.across}
    values = {}
    for label, names in columns.items():
        joined = pa.concat_arrays([table[name].combine_chunks() for name in names])
        codes = joined.dictionary_encode().indices.to_numpy().astype(np.int64)
        values[label] = codes.reshape(len(names), -1).T
    return values


def combine_labels(labels: Labels, names: Sequence[str]) -> NDArray[np.int64] | None:
    """Return one code per combination of labels, int64 of shape (n,); None without names."""
    if not names:
        return None
    codes = np.stack([encode_label(name, labels)[0] for name in names], axis=1)
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
