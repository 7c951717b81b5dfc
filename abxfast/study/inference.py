"""Where the statistics plug in: intervals and tests of an experiment's pairs, and of all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abxfast._threads import usable_threads
from abxfast.errors import TaskError
from abxfast.scoring import AbxScores, encode_label, score_embeddings
from abxfast.statistics import (
    ExchangeableUnits,
    Intervals,
    PermutationTestResult,
    UnitMarginals,
    jackknife_intervals,
    make_exchangeable_units,
    permutation_tests,
    sum_by_unit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abxfast.study.config import Experiment

    Labels = Mapping[str, Sequence[object]]

_MAX_SHARES = 30_000_000
"""What snippets won in cells, at most, kept one by one (1 GB); beyond it, stretches or recordings are."""


_UNIT = "exchangeable unit"
"""A label of our own, which no column of a manifest is likely to be called."""


@dataclass(frozen=True)
class Scored:
    """An experiment at one length and variant, scored.

    Attributes
    ----------
    scores : AbxScores
    units : Units
    shares : Shares
    single : bool
        Whether `scores` has the shares of single snippets.
    """

    scores: AbxScores
    units: ExchangeableUnits
    shares: UnitMarginals
    single: bool


@dataclass(frozen=True)
class Inference:
    """How sure the scores are; `pairs` in the order asked for, `all` of one row.

    Attributes
    ----------
    pairs, all : Intervals
    pair_tests, all_test : Test or None
        None where no permutations were asked for.
    """

    pairs: Intervals
    all: Intervals
    pair_tests: PermutationTestResult | None
    all_test: PermutationTestResult | None


def score(
    embeddings: NDArray[np.float32],
    labels: Labels,
    experiment: Experiment,
    *,
    seed: int,
    memory_mb: float,
    threads: int | None,
) -> Scored:
    """Score an experiment, and keep what each snippet won."""
    if not len(embeddings):
        raise TaskError("there is no snippet")
    task = experiment.task
    on = encode_label(task.on, labels)[0]
    units = make_exchangeable_units(
        embeddings,
        on,
        encode_label("recording", labels)[0],
        np.asarray(labels["start_s"], np.float64),
        context(labels, (*task.by, *task.across)),
    )
    across = context(labels, task.across)
    strata = 1 if across is None else len(np.unique(across))
    single = 3 * len(on) * int(on.max()) * strata <= _MAX_SHARES
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
        marginals=True if single else _UNIT,
    )
    tables = scores.marginals or {}
    if single:
        return Scored(scores, units, sum_by_unit(tables, units.unit), single)
    renamed = {role: table.rename_columns({_UNIT: "snippet"}) for role, table in tables.items()}
    return Scored(scores, units, sum_by_unit(renamed, np.arange(len(units.stratum))), single)


def infer(
    embeddings: NDArray[np.float32],
    labels: Labels,
    experiment: Experiment,
    scored: Scored,
    pair_of_cell: NDArray[np.int64],
    pairs: NDArray[np.int64],
    *,
    permutations: int,
    seed: int,
    threads: int | None,
) -> Inference:
    """Say how sure the scores are.

    Parameters
    ----------
    embeddings, labels, experiment, scored
        As in `score`.
    pair_of_cell : ndarray of int64, shape (cells,)
        The row of `pairs` that each cell belongs to.
    pairs : ndarray of int64, shape (m, 2)
        Codes of ON, as `abxfast.scoring.task.encode_label` gives them.
    permutations, seed, threads
    """
    table, task = scored.scores.table, experiment.task
    wins2, triplets = table["wins2"].to_numpy(), table["triplets"].to_numpy()
    of_pairs, of_all = (
        jackknife_intervals(wins2, triplets, scored.shares, row_of_cell, scored.units, values=_values(scored))
        for row_of_cell in (pair_of_cell, np.zeros_like(pair_of_cell))
    )
    if not permutations:
        return Inference(of_pairs, of_all, None, None)
    on = encode_label(task.on, labels)[0]
    tests = [
        permutation_tests(
            embeddings,
            on,
            scored.units,
            which,
            by=context(labels, task.by),
            across=context(labels, task.across),
            different_recordings="recording" in experiment.different,
            permutations=permutations,
            seed=seed,
            threads=threads or usable_threads(),
        )
        for which in (pairs, None)
    ]
    return Inference(of_pairs, of_all, *tests)


def _values(scored: Scored) -> dict[str, NDArray[np.int64]]:
    """Give the values of ON, BY and ACROSS that the tokens of each cell have, as codes."""
    task, table = scored.scores.task, scored.scores.table
    columns: dict[str, tuple[str, ...]] = {task.on: (task.on, f"{task.on}_b")}
    columns |= {name: (name,) for name in task.by}
    columns |= {name: (name, f"{name}_x") for name in task.across}
    found = {}
    for label, names in columns.items():
        joined = pa.concat_arrays([table[name].combine_chunks() for name in names])
        codes = joined.dictionary_encode().indices.to_numpy().astype(np.int64)
        found[label] = codes.reshape(len(names), -1).T
    return found


def context(labels: Labels, names: Sequence[str]) -> NDArray[np.int64] | None:
    """Give one code for each combination of labels; None without any."""
    if not names:
        return None
    codes = np.stack([encode_label(name, labels)[0] for name in names], axis=1)
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
