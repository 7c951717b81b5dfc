"""ABX scores of vectors."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence  # noqa: TC003
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from abxfast.errors import TaskError
from abxfast.kernels import abx_counts
from abxfast.scoring.marginals import make_blocks, marginal_tables
from abxfast.scoring.pair_constraints import Constraint, make_pair_constraint, warn_recording_confound
from abxfast.scoring.scores import AbxScores
from abxfast.scoring.task import Cells, Task, label_names, make_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abxfast.kernels import AbxCounts

logger = logging.getLogger(__name__)


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
) -> AbxScores:
    """Score vectors under an ABX task, exactly: every triplet counts.

    The score of a cell is the share of its triplets (a, b, x) with d(a, x) < d(b, x), ties counted one half (Schatz et
    al. 2013), where d is the cosine distance 1 − cos of the vectors, in float64, and two distances that differ by at
    most 1e-12 are a tie. A zero vector is at distance 1 from everything.

    Parameters
    ----------
    embeddings : ndarray of float32 or float64, shape (n, dim)
        One vector a snippet.
    labels : mapping of str to sequence, or pyarrow.Table
        Columns of length n.
    on, by, across : str, sequences of str
        The label that A and X share and B lacks; labels that all share; labels in which X differs from A and B.
    min_gap_s : float
        Compare a and x of one recording only where they lie at least as many seconds apart, to the microsecond; needs
        the labels ``recording``, ``start_s`` and ``end_s``.
    different : sequence of str
        Compare a and x only where they differ in each of these labels.
    max_size_group, max_x_across, seed : int, optional
        Subsampling as in ZeroSpeech: see `make_cells`.
    marginals : bool or str
        Ask for `AbxScores.marginals`, snippet by snippet (True), or block by block for a label that names the blocks.
    memory_mb : float
        Bound on the memory taken beyond the embeddings, the result and the list of cells.
    threads : int, optional
        Threads to count with; all unless given. No effect on the counts.

    Returns
    -------
    AbxScores

    Raises
    ------
    TypeError
        Where `embeddings` is not float32 or float64.
    TaskError
        Where a label is missing, has a single value, or a vector is not finite.
    """
    embeddings = _checked(embeddings)
    task = Task(on, label_names(by), label_names(across))
    for name, count in (("max_size_group", max_size_group), ("max_x_across", max_x_across), ("threads", threads)):
        if count is not None and (count != int(count) or count < 1):
            raise TaskError(f"{name} is {count}, expected a whole number, at least 1")
    if not 0 < memory_mb < np.inf:
        raise TaskError(f"memory_mb is {memory_mb}, expected megabytes, more than 0")
    cells = make_cells(task, labels, max_size_group=max_size_group, max_x_across=max_x_across, seed=seed)
    constraint = Constraint(min_gap_s, label_names(different))
    apart = make_pair_constraint(constraint, labels, len(embeddings))
    n_labels = len(labels[on])
    if n_labels != len(embeddings):
        raise TaskError(f"labels have {n_labels} rows, embeddings {len(embeddings)}")
    warn_recording_confound(task, constraint, labels, cells)
    blocks = make_blocks(marginals, labels, cells) if marginals else None
    counts = abx_counts(
        embeddings,
        cells.rows,
        cells.bounds,
        cells.groups,
        apart=apart,
        blocks=None if blocks is None else blocks.slots,
        memory_mb=memory_mb,
        threads=threads,
    )
    tables = None if blocks is None or counts.marginals is None else marginal_tables(blocks, cells, counts.marginals)
    _warn_of_unscorable(cells, counts, task)
    return AbxScores(task, _with_scores(cells, counts), marginals=tables)


def _checked(embeddings: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float32] | NDArray[np.float64]:
    plain = isinstance(embeddings, np.ndarray) and not isinstance(embeddings, np.ma.MaskedArray)
    if not plain or embeddings.dtype not in (np.float32, np.float64):
        found = embeddings.dtype if plain else type(embeddings).__name__
        raise TypeError(f"embeddings are {found}, expected a numpy array of float32 or float64")
    if embeddings.ndim != 2 or embeddings.shape[1] == 0:  # noqa: PLR2004
        raise TaskError(f"embeddings have shape {embeddings.shape}, expected (n, dim)")
    step = max(1, (1 << 22) // embeddings.shape[1])
    for start in range(0, len(embeddings), step):
        finite = np.isfinite(embeddings[start : start + step]).all(axis=1)
        if not finite.all():
            raise TaskError(f"embeddings: row {start + int(np.argmin(finite))} holds NaN or infinity; leave it out")
    return embeddings


def _warn_of_unscorable(cells: Cells, counts: AbxCounts, task: Task) -> None:
    empty = cells.table.filter(pa.array(counts.triplets == 0))
    if empty.num_rows:
        values = list(dict.fromkeys(str(value) for value in empty[task.on].to_pylist()))
        logger.warning(
            "%d cell(s) cannot be scored, as no a is left that is not x (a single snippet, or a constraint): %s%s",
            empty.num_rows,
            ", ".join(values[:5]),
            f" and {len(values) - 5} more" if len(values) > 5 else "",  # noqa: PLR2004
        )


def _with_scores(cells: Cells, counts: AbxCounts) -> pa.Table:
    scorable = counts.triplets > 0
    score = np.divide(counts.wins2, 2 * counts.triplets, where=scorable, out=np.zeros(len(scorable)))
    return (
        cells.table.append_column("score", pa.array(score, mask=~scorable))
        .append_column("wins2", pa.array(counts.wins2))
        .append_column("triplets", pa.array(counts.triplets))
    )
