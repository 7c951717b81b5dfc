"""Score vectors."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence  # noqa: TC003
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abxfast._threads import usable_threads
from abxfast.errors import TaskError
from abxfast.kernels import abx_counts, count_block_pairs, estimate_scores
from abxfast.scoring.cells import check_countable, make_cells
from abxfast.scoring.labels import label_names
from abxfast.scoring.marginals import make_blocks, marginal_tables, pair_marginal_table
from abxfast.scoring.pair_constraints import make_pair_constraint
from abxfast.scoring.recording_confound import warn_recording_confound
from abxfast.scoring.scores import AbxScores
from abxfast.scoring.standardisation import check_standardisation, standardise_vectors
from abxfast.scoring.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import AbxEstimates, PairConstraint
    from abxfast.scoring.cells import TaskCells

logger = logging.getLogger(__name__)

_VALUES_PER_CHECK = 1 << 22
_MAX_NAMES = 5
_MIN_STANDARD_ERROR, _MAX_STANDARD_ERROR = 0.0005, 0.1
ESTIMATE_COLUMNS = ("score", "standard_error", "low", "high")
"""Columns of estimated scores, before ``triplets``."""
_MAX_OPTION = (1 << 31) - 1
_MAX_MEMORY_MB = 1e12


def score_embeddings(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
    labels: Mapping[str, Sequence[object]] | pa.Table,
    *,
    on: str,
    by: Sequence[str] = (),
    across: Sequence[str] = (),
    min_gap_s: float = 0.0,
    different: Sequence[str] = (),
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
    memory_mb: float = 512,
    threads: int | None = None,
    marginals: bool | str = False,
    estimate: float | None = None,
    standardise: str | None = None,
    pair_marginals: str | None = None,
) -> AbxScores:
    """Score vectors in an ABX task, exactly: every triplet is counted, unless `estimate` is given.

    The score of a cell is the share of its triplets (a, b, x) with d(a, x) < d(b, x), ties counted one half (Schatz et
    al. 2013). d is the cosine distance 1 − cos of the float64 unit vectors; two distances that differ by at most 1e-12
    are a tie. A zero vector is at distance 1 from everything. 0.5 is chance, 1 is perfect discrimination.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        One vector per snippet.
    labels : mapping of str to sequence, or pyarrow.Table
        Columns of length n.
    on : str
        The label that A and X share and B lacks.
    by : sequence of str
        Labels that A, B and X share.
    across : sequence of str
        Labels that A and B share and in which X differs from them.
    min_gap_s : float
        Minimum gap in seconds between a and x of one recording, exact to the microsecond; needs the labels
        ``recording``, ``start_s`` and ``end_s``.
    different : sequence of str
        Labels in which a and x must differ.
    max_size_group, max_x_across, seed : int, optional
        Subsampling as in ZeroSpeech: the maximum number of snippets with the same values of ON, BY and ACROSS; the
        maximum number of groups X for each pair of groups A and B; the seed of both.
    memory_mb : float
        Bound on the memory in MB used beyond the embeddings, the result and the list of cells.
    threads : int, optional
        Number of threads, by default all. The counts do not depend on it.
    marginals : bool or str
        Return `AbxScores.marginals` as well: by snippet (True), or by the label of this name.
    estimate : float, optional
        Estimate each score to this standard error from a sample of triplets, in place of counting them all: see
        `abxfast.kernels.estimate_scores`. The time then grows with the number of cells only. `seed` sets the sample.
    standardise : {'center', 'zscore'}, optional
        Standardise each channel over all vectors first: to zero mean, or to zero mean and unit variance. Without it, a
        few channels that are much larger than the others may outweigh them. A constant channel becomes 0.
    pair_marginals : str, optional
        Return `AbxScores.pair_marginals` as well, by pairs of the values of the label of this name.

    Returns
    -------
    AbxScores

    Raises
    ------
    TypeError
        If `embeddings` is not a NumPy array of float32 or float64.
    TaskError
        If a label is missing or has a single value, a vector is not finite, or an option is out of its range.

    Examples
    --------
    Two vowels, each said twice by two speakers. Within a speaker they are perfectly discriminated:

    >>> import numpy as np
    >>> from abxfast import score_embeddings
    >>> vectors = np.array([[9, 1], [9, 2], [2, 9], [1, 9], [6, 5], [5, 5], [3, 9], [2, 9]], dtype=np.float32)
    >>> labels = {"vowel": list("aaiiaaii"), "speaker": [1, 1, 1, 1, 2, 2, 2, 2]}
    >>> score_embeddings(vectors, labels, on="vowel", by=["speaker"]).table["score"].to_pylist()
    [1.0, 1.0, 1.0, 1.0]

    Across speakers they are not: an [a] of speaker 2 may be closer to an [i] than to an [a] of speaker 1.

    >>> scores = score_embeddings(vectors, labels, on="vowel", across=["speaker"])
    >>> for cell in scores.table.to_pylist():
    ...     print(cell)
    {'vowel': 'a', 'vowel_b': 'i', 'speaker': 1, 'speaker_x': 2, 'score': 0.75, 'wins2': 12, 'triplets': 8}
    {'vowel': 'a', 'vowel_b': 'i', 'speaker': 2, 'speaker_x': 1, 'score': 1.0, 'wins2': 16, 'triplets': 8}
    {'vowel': 'i', 'vowel_b': 'a', 'speaker': 1, 'speaker_x': 2, 'score': 1.0, 'wins2': 16, 'triplets': 8}
    {'vowel': 'i', 'vowel_b': 'a', 'speaker': 2, 'speaker_x': 1, 'score': 1.0, 'wins2': 16, 'triplets': 8}
    """
    check_standardisation(standardise)
    embeddings = check_embeddings(embeddings)
    task = Task(on, label_names(by), label_names(across))
    if estimate is not None:
        _check_estimate(estimate, task, marginals or pair_marginals is not None)
    _check_counts(threads=threads)
    if not 0 < memory_mb <= _MAX_MEMORY_MB:
        raise TaskError(f"`memory_mb`: found {memory_mb}, expected megabytes above 0")
    cells, constraint = prepare_counting(
        task,
        labels,
        len(embeddings),
        min_gap_s=min_gap_s,
        different=different,
        max_size_group=max_size_group,
        max_x_across=max_x_across,
        seed=seed,
    )
    if standardise is not None:
        embeddings = standardise_vectors(embeddings, standardise, memory_mb=memory_mb)
    if estimate is not None:
        estimates = estimate_scores(
            embeddings,
            cells.rows,
            cells.bounds,
            cells.groups,
            estimate,
            seed=seed,
            constraint=constraint,
            memory_mb=memory_mb,
            threads=threads,
        )
        _warn_unscorable(task, cells, estimates.triplets)
        return AbxScores(task, _estimate_table(cells, estimates), standardise=standardise)
    blocks = make_blocks(marginals, labels, cells) if marginals else None
    counts = abx_counts(
        embeddings,
        cells.rows,
        cells.bounds,
        cells.groups,
        constraint=constraint,
        blocks=None if blocks is None else blocks.block,
        memory_mb=memory_mb,
        threads=threads,
    )
    tables = None if blocks is None or counts.marginals is None else marginal_tables(blocks, cells, counts.marginals)
    pairs = None
    if pair_marginals is not None:
        blocks = make_blocks(pair_marginals, labels, cells)
        counted = count_block_pairs(
            embeddings,
            cells.rows,
            cells.bounds,
            cells.groups,
            blocks.block,
            constraint=constraint,
            threads=threads or usable_threads(),
        )
        pairs = pair_marginal_table(blocks, cells, counted)
    table = make_score_table(task, cells, counts.wins2, counts.triplets)
    return AbxScores(task, table, marginals=tables, standardise=standardise, pair_marginals=pairs)


def prepare_counting(
    task: Task,
    labels: Mapping[str, Sequence[object]] | pa.Table,
    n: int,
    *,
    min_gap_s: float = 0.0,
    different: Sequence[str] = (),
    max_size_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
) -> tuple[TaskCells, PairConstraint | None]:
    """Return the cells of a task and the constraint on pairs of `n` snippets: all that counting needs but vectors.

    Raises
    ------
    TaskError
        See `score_embeddings`.
    """
    _check_counts(max_size_group=max_size_group, max_x_across=max_x_across)
    cells = make_cells(task, labels, max_size_group=max_size_group, max_x_across=max_x_across, seed=seed)
    check_countable(task, cells)
    different = label_names(different)
    constraint = make_pair_constraint(labels, n, min_gap_s=min_gap_s, different=different)
    n_labels = len(labels[task.on])
    if n_labels != n:
        raise TaskError(f"`labels`: found {n_labels} rows, expected {n}, one per row of `embeddings`")
    warn_recording_confound(task, labels, cells, different=different)
    return cells, constraint


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None and not (1 <= count <= _MAX_OPTION and count == int(count)):
            raise TaskError(f"`{name}`: found {count}, expected a whole number from 1 to {_MAX_OPTION}")


def check_embeddings(
    embeddings: NDArray[np.float32] | NDArray[np.float64],
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return the embeddings; raise TypeError or TaskError unless they are finite, float32 or float64, (n, dim)."""
    is_plain = isinstance(embeddings, np.ndarray) and not isinstance(embeddings, np.ma.MaskedArray)
    if not is_plain or embeddings.dtype not in (np.float32, np.float64):
        found = embeddings.dtype if is_plain else type(embeddings).__name__
        raise TypeError(f"`embeddings`: found {found}, expected a NumPy array of float32 or float64")
    if embeddings.ndim != 2 or embeddings.shape[1] == 0:  # noqa: PLR2004
        raise TaskError(f"`embeddings`: found shape {embeddings.shape}, expected (n, dim)")
    n_rows = max(1, _VALUES_PER_CHECK // embeddings.shape[1])
    for start in range(0, len(embeddings), n_rows):
        is_finite = np.isfinite(embeddings[start : start + n_rows]).all(axis=1)
        if not is_finite.all():
            row = start + int(np.argmin(is_finite))
            raise TaskError(f"`embeddings`: row {row} holds NaN or infinity, expected finite numbers; leave it out")
    return embeddings


def _warn_unscorable(task: Task, cells: TaskCells, triplets: NDArray[np.int64]) -> None:
    unscorable = cells.table.filter(pa.array(triplets == 0))
    if unscorable.num_rows:
        values = list(dict.fromkeys(str(value) for value in unscorable[task.on].to_pylist()))
        logger.warning(
            "%d cell(s) have no score: no a is left to compare with x (a single snippet, or a constraint): %s%s",
            unscorable.num_rows,
            ", ".join(values[:_MAX_NAMES]),
            f" and {len(values) - _MAX_NAMES} more" if len(values) > _MAX_NAMES else "",
        )


def make_score_table(task: Task, cells: TaskCells, wins2: NDArray[np.int64], triplets: NDArray[np.int64]) -> pa.Table:
    """Return the table of scores; cells without triplets have none, and are logged."""
    _warn_unscorable(task, cells, triplets)
    scorable = triplets > 0
    score = np.divide(wins2, 2 * triplets, where=scorable, out=np.zeros(len(scorable)))
    return (
        cells.table.append_column("score", pa.array(score, mask=~scorable))
        .append_column("wins2", pa.array(wins2))
        .append_column("triplets", pa.array(triplets))
    )


def check_standard_error(estimate: float) -> None:
    """Raise TaskError if scores cannot be estimated to this standard error."""
    if not _MIN_STANDARD_ERROR <= estimate <= _MAX_STANDARD_ERROR:
        raise TaskError(
            f"`estimate`: found {estimate}, expected a standard error from {_MIN_STANDARD_ERROR} to "
            f"{_MAX_STANDARD_ERROR}; leave it out to count exactly"
        )


def _check_estimate(estimate: float, task: Task, marginals: bool | str) -> None:  # noqa: FBT001
    check_standard_error(estimate)
    if marginals:
        raise TaskError("`marginals` are counted exactly; leave out `estimate`")
    for label in task.columns:
        if label in ESTIMATE_COLUMNS[1:]:
            raise TaskError(f"the score table would have two columns {label!r}; rename the label {label!r}")


def _estimate_table(cells: TaskCells, estimates: AbxEstimates) -> pa.Table:
    table = cells.table
    no_score = np.isnan(estimates.score)
    for name, column in zip(ESTIMATE_COLUMNS, estimates[:4], strict=True):
        table = table.append_column(name, pa.array(column, mask=no_score))
    return table.append_column("triplets", pa.array(estimates.triplets))
